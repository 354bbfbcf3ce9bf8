"""Langevin dynamics: the usual sampler of energy-based models, for comparison with PGD (Eq. 3, Table 1)."""

from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor

from ..utils.random import generator as generator_of
from .pgd import Logit, Step, gradient, pgd_step, trajectory

Generators = torch.Generator | Sequence[torch.Generator]  # one for a batch, or one per image


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
    """Take `steps` of Eq. 3 from x, (B, ...): x + step_size / 2 * grad_x f(x) + noise with *variance* step_size.

    As in Eq. 3, the gradient is not normalised and images are not clamped. If `noise` is given, it is the noise's
    standard deviation. `clamp` clamps to [0, 1] after each step, as is usual in training with a buffer (Du and Mordatch
    2019). The noise is drawn on the generator's device. A generator on the CPU gives the same noise for every device,
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
    """Return normal noise for a batch; with one generator per image, an image's noise is independent of the others."""
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
    """Yield the samples after each of the given numbers of steps from x, by PGD, or by a Langevin chain with `noise`.

    x are the images with these numbers, (B, C, H, W). An image's noise depends only on its number, so that batches and
    shards change no sample. `step` takes one PGD step.
    """
    if noise is None:
        return trajectory(f, x, steps, step_size, step=step)
    return chain(f, x, steps, step_size, [generator_of(image) for image in images], noise=noise, clamp=True)
