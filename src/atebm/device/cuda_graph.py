"""Work on a GPU as one CUDA graph: launched at once, where Python would launch thousands of small kernels."""

import sys
from collections.abc import Callable

import torch
from torch import Tensor

Outputs = tuple[Tensor, ...]


class Captured:
    """`work(K, *tensors)`, which is captured at the second call in a row with the same K, and replayed from then on.

    `work` returns tensors, may change others in place, and must do the same kernels on the same memory each time: no
    look at numbers on the device, no random number of a generator, and tensors of the same shapes as long as K stays.
    The first call with a K does the work as it is, so that what is made lazily (optimiser states, compiled code) is
    there when the graph is. What a call returns is overwritten by the next one.

    A capture that fails has run no kernel, but Python's part of `work` up to there, such as new gradients, which the
    next call of `work` must replace. All other calls with that K do the work as it is; the next K is captured again.
    """

    def __init__(self, work: Callable[..., Outputs]):
        self.work = work
        self.warned = False
        self.begin(None)

    def begin(self, K: int | None) -> None:
        """Forget the graph of the last K, which frees its memory."""
        self.K, self.failed = K, False
        self.graph: torch.cuda.CUDAGraph | None = None
        self.inputs: list[Tensor] = []
        self.outputs: Outputs = ()

    def __call__(self, K: int, *tensors: Tensor) -> Outputs:
        if self.K != K:
            self.begin(K)
            return self.work(K, *tensors)
        if self.graph is None and not self.failed:
            self.capture(K, tensors)
        if self.graph is None:
            return self.work(K, *tensors)
        for place, tensor in zip(self.inputs, tensors, strict=True):
            place.copy_(tensor, non_blocking=True)
        self.graph.replay()
        return self.outputs

    def capture(self, K: int, tensors: tuple[Tensor, ...]) -> None:
        """Set the graph; where that fails, note it, and warn the first time."""
        inputs = [tensor.clone() for tensor in tensors]
        try:
            self.graph, self.outputs = record(lambda: self.work(K, *inputs))
            self.inputs = inputs
        except RuntimeError as error:  # a mistake in `work` itself comes again when the work is done as it is
            self.failed, cause = True, str(error.__context__ or error).strip() or type(error).__name__
        if self.failed and not self.warned:
            self.warned = True
            print(
                f"warning: a CUDA graph could not be captured at K = {K} ({cause.splitlines()[0]}), so the kernels of "
                "these iterations are launched one by one: slower, with the same result.",
                file=sys.stderr,  # plan --json has its own stdout
                flush=True,
            )


def record(work: Callable[[], Outputs]) -> tuple[torch.cuda.CUDAGraph, Outputs]:
    """Capture the kernels of `work` without running them: their graph, and the tensors that each replay fills.

    Other threads may use CUDA meanwhile, as the one of a DataLoader does that pins batches: in the mode "global" it
    would end the capture, and itself. Raises RuntimeError where the capture fails.
    """
    graph = torch.cuda.CUDAGraph()
    # The outer block brings the current stream back: torch's own, after a capture that failed, leaves the capture's.
    with torch.cuda.stream(torch.cuda.current_stream()), torch.cuda.graph(graph, capture_error_mode="thread_local"):
        outputs = work()
    return graph, outputs
