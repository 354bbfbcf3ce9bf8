"""Work on a GPU as one CUDA graph: launched at once, where Python would launch thousands of small kernels."""

from collections.abc import Callable

import torch
from torch import Tensor


class Captured:
    """`work(K, *tensors)`, which is captured at the second call in a row with the same K, and replayed from then on.

    `work` returns tensors, may change others in place, and must do the same kernels on the same memory each time: no
    look at numbers on the device, no random number of a generator, and tensors of the same shapes as long as K stays.
    The first call with a K does the work as it is, so that what is made lazily (optimiser states, compiled code) is
    there when the graph is. What a call returns is overwritten by the next one.
    """

    def __init__(self, work: Callable[..., tuple[Tensor, ...]]):
        self.work = work
        self.K: int | None = None
        self.graph: torch.cuda.CUDAGraph | None = None
        self.inputs: list[Tensor] = []
        self.outputs: tuple[Tensor, ...] = ()

    def __call__(self, K: int, *tensors: Tensor) -> tuple[Tensor, ...]:
        if self.K != K:
            self.K, self.graph, self.inputs, self.outputs = K, None, [], ()  # frees the memory of the last graph
            return self.work(K, *tensors)
        if self.graph is None:
            self.inputs = [tensor.clone() for tensor in tensors]
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                self.outputs = self.work(K, *self.inputs)
            self.graph = graph
        for place, tensor in zip(self.inputs, tensors, strict=True):
            place.copy_(tensor, non_blocking=True)
        self.graph.replay()
        return self.outputs
