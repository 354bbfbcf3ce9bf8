"""Langevin dynamics: the sampler of usual energy-based models, which PGD is compared with (Eq. 3, Table 1)."""

from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor

from ..utils.random import generator as generator_of
from .pgd import Logit, Step, gradient, pgd_step, trajectory

Generators = torch.Generator | Sequence[torch.Generator]  # of a batch, or one of each of its images


def langevin(
    f: Logit,
    x: Tensor,
    steps: int,
    step_size: float,
    generator: Generators,
    *,
    noise: float | None = None,
    clamp: bool = False,
) -> Tensor:
    """Eq. 3: `steps` of x + step_size / 2 * grad_x f(x) + noise of *variance* step_size, from x, (B, ...).

    As in Eq. 3, the gradient is not normalised and nothing is cut to [0, 1]. With `noise`, that is the noise's standard
    deviation instead; `clamp` cuts to [0, 1] after each step, as those do who train with a buffer (Du and Mordatch
    2019). The noise is drawn where the generator is: one on another device than x gives the same noise on every device,
    but makes the device wait in each step.
    """
    ((_, end),) = chain(f, x, [steps], step_size, generator, noise=noise, clamp=clamp)
    return end


def chain(
    f: Logit,
    x: Tensor,
    steps: Iterable[int],
    step_size: float,
    generator: Generators,
    *,
    noise: float | None = None,
    clamp: bool = False,
) -> Iterator[tuple[int, Tensor]]:
    """Yield the images after each of the given numbers of steps (ascending), from one chain: (steps, (B, ...))."""
    wanted, scale = set(steps), step_size**0.5 if noise is None else noise
    for done in range(max(wanted, default=0) + 1):
        if done > 0:
            x = x.detach() + step_size / 2 * gradient(f, x) + scale * drawn(x, generator)
            x = x.clamp_(0, 1) if clamp else x
        if done in wanted:
            yield done, x


def drawn(x: Tensor, generator: Generators) -> Tensor:
    """Return normal noise for a batch; with a generator of each image, an image's noise depends on no other one."""
    if isinstance(generator, torch.Generator):
        noise = torch.randn(x.shape, generator=generator, dtype=x.dtype, device=generator.device)
    else:
        noise = torch.stack([torch.randn(x.shape[1:], generator=one, dtype=x.dtype) for one in generator])
    return noise.to(x.device)


def sampler(
    f: Logit,
    x: Tensor,
    steps: Iterable[int],
    step_size: float,
    noise: float | None,
    images: range,
    step: Step = pgd_step,
) -> Iterator[tuple[int, Tensor]]:
    """Yield the samples after each of the given numbers of steps from x: PGD's, or with `noise` those of a chain.

    x are the images of these numbers, (B, C, H, W): an image's noise is a function of its number alone, so that batches
    and shards change no sample. `step` does one of PGD's.
    """
    if noise is None:
        return trajectory(f, x, steps, step_size, step=step)
    return chain(f, x, steps, step_size, [generator_of(image) for image in images], noise=noise, clamp=True)
