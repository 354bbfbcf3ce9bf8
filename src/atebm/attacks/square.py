"""A gradient-free attack on a logit with random squares, after Square Attack (Andriushchenko et al. 2020).

It uses only values of f, so masked gradients cannot mislead it. It is simpler than the published attack: it overwrites
a window and rescales the whole perturbation to the ball, instead of moving mass from a second window.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ..utils.random import generator
from .auto_pgd import chosen
from .pgd import TINY, Logit, norms

SHARE = 0.8  # share of the image that the first windows cover, as published
HALVINGS = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)  # queries, of 10,000, after which the share is halved


@dataclass(frozen=True)
class Draws:
    """The random numbers behind the attack on B images of C channels."""

    stripes: Tensor  # (B, C, 1, W): the signs of the starting stripes
    corners: Tensor  # (B, queries, 2) in [0, 1]: the places of the windows
    signs: Tensor  # (B, queries, C): the signs of the windows


def draws(x: Tensor, queries: int, seed: int, numbers: list[int]) -> Draws:
    """Draw for images x, (B, C, H, W); an image's numbers depend only on the seed and its number in its set."""
    _, channels, _, width = x.shape
    stripes, corners, signs = [], [], []
    for number in numbers:
        random = generator(seed, number)
        stripes.append(torch.randint(2, (channels, 1, width), generator=random))
        corners.append(torch.rand(queries, 2, generator=random))
        signs.append(torch.randint(2, (queries, channels), generator=random))
    plus_minus = [(2 * torch.stack(part) - 1).to(x.device, x.dtype) for part in (stripes, signs)]
    return Draws(plus_minus[0], torch.stack(corners).to(x.device), plus_minus[1])


def attack(f: Logit, x: Tensor, eps: float, seed: int, numbers: list[int], *, queries: int) -> Tensor:
    """Return the images with the highest f after `queries` queries, (B, C, H, W)."""
    return square(f, x, eps, draws(x, queries, seed, numbers))


def side(query: int, queries: int, height: int, width: int) -> int:
    """Return the side of a query's window in pixels."""
    at = 10_000 * query / queries
    share = SHARE / 2 ** sum(at > halving for halving in HALVINGS)
    return min(max(round(math.sqrt(share * height * width)), 1), height, width)


@torch.no_grad()
def square(f: Logit, x: Tensor, eps: float, draws: Draws) -> Tensor:
    """Return the images with the highest f found, (B, C, H, W), in the L2 balls of radius eps around x and in [0, 1].

    The attack starts from vertical stripes and tries one window per query, with an equal step on all pixels of a
    channel. A window that does not raise f is discarded.
    """
    (_, channels, height, width), queries = x.shape, draws.corners.shape[1]
    best = scaled(x, draws.stripes.expand_as(x), eps)
    value = f(best)
    lengths = torch.tensor([height, width], device=x.device)
    rows, columns = (torch.arange(length, device=x.device) for length in (height, width))
    for query in range(queries):
        s = side(query, queries, height, width)
        top, left = (draws.corners[:, query] * (lengths - s + 1)).long().T
        tall = (rows >= top[:, None]) & (rows < top[:, None] + s)
        wide = (columns >= left[:, None]) & (columns < left[:, None] + s)
        window = (tall[:, :, None] & wide[:, None, :])[:, None]
        level = eps / math.sqrt(channels * s * s) * draws.signs[:, query, :, None, None]
        tried = scaled(x, torch.where(window, level, best - x), eps)
        new = f(tried)
        better = new > value
        best, value = chosen(better, tried, best), torch.where(better, new, value)
    return best


def scaled(x: Tensor, delta: Tensor, eps: float) -> Tensor:
    """Return x moved by eps in the direction of delta, then clamped to [0, 1]."""
    return (x + eps * delta / (norms(delta) + TINY)).clamp(0, 1)
