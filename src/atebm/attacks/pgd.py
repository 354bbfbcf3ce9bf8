"""The PGD attack: normalised-gradient ascent on f, the sampler of the whole method (Eqs. 7 and 8)."""

from collections.abc import Callable, Iterable, Iterator, Sequence

import torch
from torch import Tensor

Logit = Callable[[Tensor], Tensor]  # (B, ...) images to (B,) values of f

TINY = 1e-10  # the authors' code adds it to every gradient norm


def summed(fs: Sequence[Logit], weights: Sequence[float] | None = None) -> Logit:
    """Return the composition of energies: x to the weighted sum of all f(x), a product of densities (Eq. 1; Fig. S17).

    Weights are 1 by default: the paper states none. Raises ValueError when there are not as many as energies.
    """
    terms = list(zip([1.0] * len(fs) if weights is None else weights, fs, strict=True))
    return lambda x: torch.stack([weight * f(x) for weight, f in terms]).sum(0)


def value_and_gradient(f: Logit, x: Tensor) -> tuple[Tensor, Tensor]:
    """Return f(x), (B,), and grad_x f(x), (B, ...), each image by itself. No gradient reaches f's parameters."""
    x = x.detach().requires_grad_()
    value = f(x)
    return value.detach(), torch.autograd.grad(value.sum(), x)[0]


def gradient(f: Logit, x: Tensor) -> Tensor:
    """Return grad_x f(x) alone."""
    return value_and_gradient(f, x)[1]


def norms(x: Tensor) -> Tensor:
    """Return the L2 norm of each image of (B, ...), as (B, 1, ..., 1)."""
    return x.flatten(1).norm(dim=1).view(-1, *[1] * (x.ndim - 1))


def pgd_step(f: Logit, x: Tensor, step_size: float, mask: Tensor | None = None) -> Tensor:
    """Eq. 8: x + step_size * g / ||g||_2 with g = grad_x f(x), each image by itself; nothing is cut to [0, 1].

    x is (B, ...); a negative step_size descends. Where `mask` (it broadcasts to x) is 0, pixels stay as they are, and
    g is what is left of the gradient, so that a step moves an image by step_size with and without one.
    """
    g = gradient(f, x)
    if mask is not None:
        g = g * mask
    return moved(x.detach(), g, step_size)


def moved(x: Tensor, g: Tensor, step_size: float) -> Tensor:
    """Return x + step_size * g / ||g||_2, (B, ...), each image by itself."""
    return x + step_size * g / (norms(g) + TINY)


def project(x: Tensor, centre: Tensor, eps: float) -> Tensor:
    """Proj of Eq. 7: x moved into the L2 ball of radius eps around centre, each image by itself."""
    return centre + torch.renorm(x - centre, p=2, dim=0, maxnorm=eps)


Step = Callable[[Logit, Tensor, float, Tensor | None], Tensor]  # as pgd_step


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

    Eq. 8 without `eps`; Eq. 7 with it: in the L2 ball of that radius around `centre`, or around x. `clamp` then cuts to
    [0, 1] as in the authors' code, though Eq. 8 states no projection; the ball is kept if its centre is in [0, 1].
    For step_size and `mask` see pgd_step. 0 steps give x itself. Nothing waits for the device.
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
    """Return the images after K steps from x: the end of that trajectory, which says what the options do."""
    ((_, end),) = trajectory(f, x, [K], step_size, eps=eps, centre=centre, clamp=clamp, mask=mask)
    return end


def pgd_beside(
    f: Logit, starts: Sequence[Tensor], steps: Sequence[int], step_sizes: Sequence[float], radii: Sequence[float | None]
) -> list[Tensor]:
    """Return the ends of several attacks on one f: of each its start (B, ...), as in `pgd`, its K, step_size and eps.

    As long as several go on, their images pass the network as one batch, which fills a GPU better than two small ones.
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
    """Return the images after `steps` of Eq. 7 from x by `share` of the radius eps. Nothing in it is random."""
    return pgd(f, x, steps, share * eps, eps=eps)


def random_start(x: Tensor, eps: float, generator: torch.Generator) -> Tensor:
    """Points drawn uniformly from the L2 balls of radius eps around the images x, (B, ...), not cut to [0, 1].

    An attack in the ball starts there and goes on with `centre=x`, or else it has the ball around its start. The same
    draws on every device: they are made where the generator is, so that one elsewhere than x makes the device wait.
    """
    direction = torch.randn(x.shape, generator=generator, dtype=x.dtype, device=generator.device)
    # of a ball's volume, radius r holds the share (r / eps)^d
    share = torch.rand((len(x), *[1] * (x.ndim - 1)), generator=generator, dtype=x.dtype, device=generator.device)
    radius = eps * share ** (1 / x[0].numel())
    return x + (radius * direction / norms(direction)).to(x.device)
