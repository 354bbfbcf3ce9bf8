"""The PGD attack: normalised-gradient ascent on f, the sampler of the whole method (Eqs. 7 and 8)."""

from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor

Logit = Callable[[Tensor], Tensor]  # (B, ...) images to (B,) values of f

TINY = 1e-10  # the authors' code adds it to every gradient norm


def pgd_step(f: Logit, x: Tensor, step_size: float, clamp: bool = True) -> Tensor:
    """One ascent step: x + step_size * g / ||g||_2 with g = grad_x f(x), each image by itself (Eq. 8).

    x is (B, ...); a negative step_size descends. With `clamp`, the result is cut to [0, 1] as in the authors' code
    (Eq. 8 states no projection). No gradient reaches f's parameters, nothing waits for the device.
    """
    x = x.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(f(x).sum(), x)
    norm = gradient.flatten(1).norm(dim=1).view(-1, *[1] * (x.ndim - 1))
    moved = x.detach() + step_size * gradient / (norm + TINY)
    return moved.clamp_(0, 1) if clamp else moved


def project(x: Tensor, centre: Tensor, eps: float) -> Tensor:
    """Proj of Eq. 7: x moved into the L2 ball of radius eps around centre, each image by itself."""
    return centre + torch.renorm(x - centre, p=2, dim=0, maxnorm=eps)


def pgd(f: Logit, x: Tensor, K: int, step_size: float, eps: float | None = None, clamp: bool = True) -> Tensor:
    """K steps from x: Eq. 8 without `eps`, Eq. 7 with it. K = 0 returns x."""
    start = x
    for _ in range(K):
        x = pgd_step(f, x, step_size, clamp=clamp and eps is None)
        if eps is not None:
            x = project(x, start, eps)
            x = x.clamp_(0, 1) if clamp else x
    return x


def trajectory(f: Logit, x: Tensor, steps: Iterable[int], step_size: float) -> Iterator[tuple[int, Tensor]]:
    """The images after each of the given numbers of steps (ascending), from one ascent."""
    done = 0
    for wanted in sorted(set(steps)):
        x = pgd(f, x, wanted - done, step_size)
        done = wanted
        yield wanted, x
