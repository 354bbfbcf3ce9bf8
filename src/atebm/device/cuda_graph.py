"""Work on a GPU as one CUDA graph: launched at once, instead of thousands of small kernels launched from Python."""

import sys
from collections.abc import Callable

import torch
from torch import Tensor

Outputs = tuple[Tensor, ...]


class Captured:
    """A callable `work(K, *tensors)` that is captured at the second call in a row with the same K, and then replayed.

    `work` returns tensors and may change others in place. It must run the same kernels on the same memory each time: it
    must not read numbers from the device or draw random numbers, and tensors keep their shapes as long as K stays. The
    first call with a K runs the work normally, so that everything that is made lazily (optimiser states, compiled code)
    exists before the capture. The next call overwrites the tensors that a call returned.

    A failed capture has run no kernel, but has run Python's part of `work` up to the failure, such as making new
    gradients; the next call of `work` must replace these. All later calls with that K run the work normally; the next K
    is captured again.
    """

    def __init__(self, work: Callable[..., Outputs]):
        self.work = work
        self.warned = False
        self.begin(None)

    def begin(self, K: int | None) -> None:
        """Discard the graph of the last K, which frees its memory."""
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
        """Capture the graph; if that fails, remember the failure, and warn the first time."""
        inputs = [tensor.clone() for tensor in tensors]
        try:
            self.graph, self.outputs = record(lambda: self.work(K, *inputs))
            self.inputs = inputs
        except RuntimeError as error:  # an error in `work` itself will recur when the work runs normally
            self.failed, cause = True, str(error.__context__ or error).strip() or type(error).__name__
        if self.failed and not self.warned:
            self.warned = True
            print(
                f"warning: no CUDA graph could be captured at K = {K} ({cause.splitlines()[0]}). Kernels are launched "
                "one by one instead: slower, with the same result.",
                file=sys.stderr,  # standard output may be JSON
                flush=True,
            )


def record(work: Callable[[], Outputs]) -> tuple[torch.cuda.CUDAGraph, Outputs]:
    """Capture the kernels of `work` without running them, and return their graph, and the tensors that a replay fills.

    Other threads may use CUDA meanwhile, such as a DataLoader's thread that pins batches: in the mode "global", that
    would end both the capture and the thread. Raises RuntimeError if the capture fails.
    """
    graph = torch.cuda.CUDAGraph()
    # The outer block restores the current stream: torch's own block does not, if the capture fails.
    with torch.cuda.stream(torch.cuda.current_stream()), torch.cuda.graph(graph, capture_error_mode="thread_local"):
        outputs = work()
    return graph, outputs
