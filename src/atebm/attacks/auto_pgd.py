"""Auto-PGD on a raw logit (Croce and Hein 2020), for worst-case out-of-distribution detection (Tables 4 and S8)."""

import torch
from torch import Tensor

from ..utils.random import generator
from .pgd import TINY, Logit, norms, project, value_and_gradient

MOMENTUM = 0.75  # share of the new step in a move; the previous move has the rest
RISING = 0.75  # share of a period's iterations: if f rose in no more of them, the step is halved


def periods(steps: int) -> tuple[int, int, int]:
    """Return the length of the first period, by how much each later period is shorter, and the shortest length.

    The step size is checked after each period. For 100 steps, the numbers are 22, 3 and 6, as published.
    """
    first, shorter, least = (max(int(share * steps), 1) for share in (0.22, 0.03, 0.06))
    return first, shorter, least


def auto_pgd(f: Logit, x: Tensor, start: Tensor, eps: float, steps: int) -> tuple[Tensor, Tensor]:
    """Return the images with the highest f that one restart finds, (B, ...), and their f, (B,).

    The images stay in [0, 1] and in the L2 balls of radius eps around the images x, (B, ...) in [0, 1]. The ascent
    begins at `start`, which is a candidate itself; x is not. The first step is 2 eps long. After a period in which f
    rose too rarely, or in which the best f did not improve although the period before did not halve the step, the step
    is halved and the ascent continues from the best image. Source: the published schedule, on f instead of a
    classifier's loss. The public code compares the first iteration with a row that is not written yet; ours compares
    it with the start. No call waits for the device.
    """
    now, before = start.clamp(0, 1), start.clamp(0, 1)
    value, slope = value_and_gradient(f, now)
    best, best_value, best_slope = now, value, slope
    step = torch.full_like(norms(x), 2 * eps)
    rises, halved, checked = torch.zeros_like(value), torch.ones_like(value, dtype=torch.bool), value
    period, shorter, least = periods(steps)
    left = period
    for iteration in range(steps):
        last_value, carried = value, now - before
        ahead = project(now + step * slope / (norms(slope) + TINY), x, eps).clamp_(0, 1)
        share = MOMENTUM if iteration else 1.0
        before, now = now, project(now + share * (ahead - now) + (1 - share) * carried, x, eps).clamp_(0, 1)
        if iteration == steps - 1:  # the last step needs no gradient
            value = f(now).detach()
        else:
            value, slope = value_and_gradient(f, now)
        better = value > best_value
        best, best_value = chosen(better, now, best), torch.where(better, value, best_value)
        best_slope = chosen(better, slope, best_slope)
        rises = rises + (value > last_value)
        left -= 1
        if left == 0:
            halve = (rises <= RISING * period) | (~halved & (checked >= best_value))
            step = torch.where(like(halve, step), step / 2, step)
            now, slope = chosen(halve, best, now), chosen(halve, best_slope, slope)
            rises, halved, checked = torch.zeros_like(rises), halve, best_value
            period = left = max(period - shorter, least)
    return best, best_value


def auto_pgd_restarted(f: Logit, x: Tensor, starts: Tensor, eps: float, steps: int) -> Tensor:
    """Return the images with the highest f over all restarts, (B, ...); the restarts run in one batch.

    starts: (B, restarts, ...), as returned by `spheres`.
    """
    restarts = starts.shape[1]
    found, values = auto_pgd(f, x.repeat_interleave(restarts, 0), starts.flatten(0, 1), eps, steps)
    winner = values.view(-1, restarts).argmax(1)
    return found.unflatten(0, (-1, restarts))[torch.arange(len(x), device=x.device), winner]


def attack(f: Logit, x: Tensor, eps: float, seed: int, numbers: list[int], *, steps: int, restarts: int) -> Tensor:
    """Return the images with the highest f over all restarts from `spheres`, (B, ...)."""
    return auto_pgd_restarted(f, x, spheres(x, eps, restarts, seed, numbers), eps, steps)


def spheres(x: Tensor, eps: float, restarts: int, seed: int, numbers: list[int]) -> Tensor:
    """Return points at distance eps in random directions from each image of x, (B, ...): (B, restarts, ...), unclamped.

    Each point depends only on the seed, the image's number in its set and the number of the restart, not on the other
    images of the batch, nor on how many restarts there are.
    """
    directions = torch.stack(
        [
            torch.stack([torch.randn(x.shape[1:], generator=generator(seed, number, i)) for i in range(restarts)])
            for number in numbers
        ]
    ).to(x.device, x.dtype)
    return x[:, None] + eps * directions / norms(directions.flatten(0, 1)).unflatten(0, (-1, restarts))


def like(mask: Tensor, x: Tensor) -> Tensor:
    """Return the mask (B,) in a shape that broadcasts to x, (B, ...)."""
    return mask.view(-1, *[1] * (x.ndim - 1))


def chosen(mask: Tensor, yes: Tensor, no: Tensor) -> Tensor:
    """Return images from `yes` where the mask (B,) is true and from `no` elsewhere, (B, ...)."""
    return torch.where(like(mask, yes), yes, no)
