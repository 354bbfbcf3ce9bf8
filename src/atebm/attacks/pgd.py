"""The PGD attack: normalised-gradient ascent on f, with which the method trains and samples (Eqs. 7 and 8)."""

from collections.abc import Callable, Iterable, Iterator, Sequence

import torch
from torch import Tensor

Logit = Callable[[Tensor], Tensor]  # (B, ...) images to (B,) values of f

TINY = 1e-10  # added to every gradient norm, as in the authors' code


def summed(fs: Sequence[Logit], weights: Sequence[float] | None = None) -> Logit:
    """Return the composition of several f: x to the weighted sum of all f(x), a product of densities (Eq. 1; Fig. S17).

    Weights are 1 by default, since the paper states none. Raises ValueError unless there is one weight for each f.
    """
    terms = list(zip([1.0] * len(fs) if weights is None else weights, fs, strict=True))
    return lambda x: torch.stack([weight * f(x) for weight, f in terms]).sum(0)


def value_and_gradient(f: Logit, x: Tensor) -> tuple[Tensor, Tensor]:
    """Return f(x), (B,), and grad_x f(x), (B, ...), separately for each image. No gradient reaches f's parameters."""
    x = x.detach().requires_grad_()
    value = f(x)
    return value.detach(), torch.autograd.grad(value.sum(), x)[0]


def gradient(f: Logit, x: Tensor) -> Tensor:
    """Return grad_x f(x), (B, ...)."""
    return value_and_gradient(f, x)[1]


def norms(x: Tensor) -> Tensor:
    """Return the L2 norm of each image of (B, ...), as (B, 1, ..., 1)."""
    return x.flatten(1).norm(dim=1).view(-1, *[1] * (x.ndim - 1))


def pgd_step(f: Logit, x: Tensor, step_size: float, mask: Tensor | None = None) -> Tensor:
    """Take the step of Eq. 8 from x, (B, ...): x + step_size * g / ||g||_2 with g = grad_x f(x), separately per image.

    Images are not clamped. A negative step_size descends. Pixels where `mask` is 0 do not change: g is then the masked
    gradient, so that a step moves an image by step_size with or without a mask. The mask broadcasts to x.
    """
    g = gradient(f, x)
    if mask is not None:
        g = g * mask
    return moved(x.detach(), g, step_size)


def moved(x: Tensor, g: Tensor, step_size: float) -> Tensor:
    """Return x + step_size * g / ||g||_2, (B, ...), separately for each image."""
    return x + step_size * g / (norms(g) + TINY)


def project(x: Tensor, centre: Tensor, eps: float) -> Tensor:
    """Project x into the L2 ball of radius eps around centre, separately for each image (Proj of Eq. 7)."""
    return centre + torch.renorm(x - centre, p=2, dim=0, maxnorm=eps)


Step = Callable[[Logit, Tensor, float, Tensor | None], Tensor]  # pgd_step, or a faster equivalent


def trajectory(
    f: Logit,
    x: Tensor,
    steps: Iterable[int],
    step_size: float,
    *,
    eps: float | None = None,
    centre: Tensor | None = None,
    clamp: bool = True,
    mask: Tensor | None = None,
    step: Step = pgd_step,
) -> Iterator[tuple[int, Tensor]]:
    """Yield the images after each of the given numbers of steps (ascending), from one ascent: (steps, (B, ...)).

    Without `eps`, the ascent follows Eq. 8. With `eps`, it follows Eq. 7 in the L2 ball of that radius around `centre`,
    by default around x. `clamp` clamps each step to [0, 1], as in the authors' code, though Eq. 8 states no projection;
    images stay in the ball if its centre is in [0, 1]. See pgd_step for step_size and `mask`. 0 steps yield x itself.
    No call waits for the device.
    """
    wanted = set(steps)
    centre = x if centre is None else centre
    for done in range(max(wanted, default=0) + 1):
        if done > 0:
            x = step(f, x, step_size, mask)
            x = x if eps is None else project(x, centre, eps)
            x = x.clamp_(0, 1) if clamp else x
        if done in wanted:
            yield done, x


def pgd(
    f: Logit,
    x: Tensor,
    K: int,
    step_size: float,
    *,
    eps: float | None = None,
    centre: Tensor | None = None,
    clamp: bool = True,
    mask: Tensor | None = None,
) -> Tensor:
    """Return the images after K steps from x, (B, ...): the end of `trajectory`, which explains the options."""
    ((_, end),) = trajectory(f, x, [K], step_size, eps=eps, centre=centre, clamp=clamp, mask=mask)
    return end


def pgd_beside(
    f: Logit, starts: Sequence[Tensor], steps: Sequence[int], step_sizes: Sequence[float], radii: Sequence[float | None]
) -> list[Tensor]:
    """Return the ends of several attacks on one f, each with its own start (B, ...), K, step size and radius.

    While several attacks are running, their images pass through the network as one batch, which uses a GPU better than
    several small batches.
    """
    ends = list(starts)
    for done in range(max(steps)):
        going = [number for number, K in enumerate(steps) if done < K]
        gradients = gradient(f, torch.cat([ends[number] for number in going])).split([len(ends[n]) for n in going])
        for number, g in zip(going, gradients, strict=True):
            x = moved(ends[number], g, step_sizes[number])
            eps = radii[number]
            ends[number] = (x if eps is None else project(x, starts[number], eps)).clamp_(0, 1)
    return ends


def attack(f: Logit, x: Tensor, eps: float, _seed: int, _numbers: list[int], *, steps: int, share: float) -> Tensor:
    """Return the images after `steps` of Eq. 7 from x, each `share` of the radius eps long. Nothing is random."""
    return pgd(f, x, steps, share * eps, eps=eps)


def random_start(x: Tensor, eps: float, generator: torch.Generator) -> Tensor:
    """Return points drawn uniformly from the L2 balls of radius eps around the images x, (B, ...), unclamped.

    An attack that starts at such a point needs `centre=x`: by default, its ball is centred on its start. The points are
    drawn on the generator's device. A generator on the CPU gives the same points for every device, but makes the device
    wait.
    """
    direction = torch.randn(x.shape, generator=generator, dtype=x.dtype, device=generator.device)
    # the ball of radius r holds the share (r / eps)^d of the volume
    share = torch.rand((len(x), *[1] * (x.ndim - 1)), generator=generator, dtype=x.dtype, device=generator.device)
    radius = eps * share ** (1 / x[0].numel())
    return x + (radius * direction / norms(direction)).to(x.device)
