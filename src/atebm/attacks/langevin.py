"""Langevin dynamics: the sampler of usual energy-based models, which PGD is compared with (Eq. 3, Table 1)."""

import torch
from torch import Tensor

from .pgd import Logit, gradient


def langevin(f: Logit, x: Tensor, steps: int, step_size: float, generator: torch.Generator) -> Tensor:
    """Eq. 3: `steps` of x + step_size / 2 * grad_x f(x) + noise of *variance* step_size, from x, (B, ...).

    As in Eq. 3, the gradient is not normalised and nothing is cut to [0, 1]. The noise is drawn where the generator
    is: one on another device than x gives the same noise on every device, but makes the device wait in each step.
    """
    for _ in range(steps):
        noise = torch.randn(x.shape, generator=generator, dtype=x.dtype, device=generator.device).to(x.device)
        x = x.detach() + step_size / 2 * gradient(f, x) + step_size**0.5 * noise
    return x
