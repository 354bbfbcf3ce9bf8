"""A step of PGD as a CUDA graph, for many batches of one model."""

import torch
from torch import Tensor

from ..attacks.pgd import Logit, Step, pgd_step
from ..device.cuda_graph import Captured


def captured_step(device: torch.device) -> Step:
    """`pgd_step` for one f whose parameters stay, one step size and no mask; on a GPU a graph that is replayed.

    In bfloat16 the kernels of a step are shorter than it takes to launch them one by one.
    """
    if device.type != "cuda":
        return pgd_step
    graphs: dict[tuple[Logit, float], Captured] = {}

    def step(f: Logit, x: Tensor, step_size: float, mask: Tensor | None = None) -> Tensor:
        if mask is not None:
            return pgd_step(f, x, step_size, mask)
        if (f, step_size) not in graphs:
            graphs[f, step_size] = Captured(lambda _, x: (pgd_step(f, x, step_size),))
        return graphs[f, step_size](len(x), x)[0].clone()  # what a graph returns is overwritten

    return step
