"""Attacks on a logit: against the closed form, against public code, and against masked gradients."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from conftest import job_of
from pyautoattack.autopgd_base import APGDAttack
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn

from atebm.attacks.auto_pgd import auto_pgd, auto_pgd_restarted, periods, spheres
from atebm.attacks.pgd import Logit, norms
from atebm.attacks.square import SHARE, draws, scaled, side, square
from atebm.data.stored import Stored, to_float
from atebm.models.folding import frozen
from atebm.models.weights import load_checkpoint
from atebm.training.loop import train

CPU = torch.device("cpu")
SHAPE = (1, 8, 8)


def images(n: int, low: float = 0.0, high: float = 1.0, seed: int = 0) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    return low + (high - low) * torch.rand(n, *SHAPE, generator=random).double()


def linear(seed: int = 1) -> tuple[Logit, Tensor]:
    w = torch.randn(SHAPE, generator=torch.Generator().manual_seed(seed)).double()
    return lambda x: (x * w).flatten(1).sum(1), w


def attacked(f: Logit, x: Tensor, eps: float, steps: int = 50, restarts: int = 2) -> Tensor:
    return auto_pgd_restarted(f, x, spheres(x, eps, restarts, 0, list(range(len(x)))), eps, steps)


@pytest.fixture(scope="module")
def trained(smoke) -> tuple[nn.Module, Tensor, Tensor]:
    """f of a small network that has learnt something, images in and images out of distribution; float64."""
    schedule = {"K_start": 1, "K_max": 1, "iterations": 150}
    job = job_of(smoke, schedule=schedule, monitor=None, average=None, optimizer={"lr": 2e-3}, r1=0)
    train(job, CPU)
    root, plan = smoke
    inside, outside = (
        to_float(Stored(root / plan.data(name).folder, CPU, 60)[:]).double()
        for name in ("fashion_held_out", "photographs_test")
    )
    return load_checkpoint(job.folder, "last", CPU).double(), inside, outside


def test_the_schedule_is_the_published_one():
    assert periods(100) == (22, 3, 6)


@pytest.mark.parametrize("eps", [0.1, 0.5])
def test_on_a_linear_energy_it_finds_the_closed_form(eps):
    """Away from the borders of [0, 1], the maximum of w.x in the ball is w.x + eps ||w||."""
    f, w = linear()
    x = images(20, 0.45, 0.55) if eps > 0.2 else images(20, 0.2, 0.8)  # and so no pixel reaches a border
    gain = f(attacked(f, x, eps, steps=100)) - f(x)
    torch.testing.assert_close(gain, torch.full_like(gain, eps * w.norm().item()), rtol=1e-4, atol=0)


def two_classes(f: Logit) -> Logit:
    """f as a classifier of two classes, whose loss at label 0 grows with f."""
    return lambda x: torch.stack([torch.zeros(len(x), dtype=x.dtype), f(x)], 1)


@pytest.mark.parametrize("eps", [0.3, 1.0])
def test_it_finds_what_public_code_finds(trained, eps):
    """pyautoattack, by the authors of Auto-PGD, at the same radius and budget."""
    f, inside, outside = trained
    steps, restarts = 50, 3
    torch.manual_seed(0)
    theirs = APGDAttack(two_classes(f), n_iter=steps, norm="L2", n_restarts=restarts, eps=eps, seed=0, device=CPU)
    label = torch.zeros(len(outside), dtype=torch.long)
    with frozen(f):
        reached = f(theirs.perturb(outside, label, best_loss=True)), f(attacked(f, outside, eps, steps, restarts))
    clean, (their_logits, our_logits) = f(outside), reached
    assert (our_logits - clean).mean() >= 0.99 * (their_logits - clean).mean()
    assert (their_logits - clean).mean() > 0.1, "nothing was attacked"
    labels = np.repeat([1, 0], [len(inside), len(outside)])
    areas = [roc_auc_score(labels, torch.cat([f(inside), found]).numpy()) for found in (their_logits, our_logits)]
    assert areas[1] <= areas[0] + 0.005


@pytest.mark.parametrize("eps", [0.2, 1.5])
def test_attacked_images_stay_in_the_ball_and_in_the_range_of_pixels(trained, eps):
    f, _, outside = trained
    for found in (attacked(f, outside, eps, 20), square(f, outside, eps, draws(outside, 50, 0, list(range(60))))):
        assert norms(found - outside).max() <= eps + 1e-12
        assert found.min() >= 0 and found.max() <= 1


def test_more_restarts_never_weaken_it(trained):
    f, _, outside = trained
    found = [f(attacked(f, outside, 1.0, 10, restarts)) for restarts in (1, 2, 5)]
    for fewer, more in pairwise(found):
        assert (more >= fewer - 1e-9).all()  # restarts fill another batch, which rounds otherwise
    assert found[-1].mean() > found[0].mean()


def test_an_image_is_attacked_alike_whatever_is_beside_it(trained):
    f, _, outside = trained
    numbers = list(range(len(outside)))
    some = slice(10, 20)
    for how in (
        lambda x, mine: auto_pgd_restarted(f, x, spheres(x, 0.5, 2, 7, mine), 0.5, 10),
        lambda x, mine: square(f, x, 0.5, draws(x, 20, 7, mine)),
    ):
        whole, part = how(outside, numbers), how(outside[some], numbers[some])
        torch.testing.assert_close(part, whole[some], rtol=0, atol=1e-9)


def test_starts_are_on_the_sphere_and_of_another_seed_elsewhere():
    x = images(3)
    starts = spheres(x, 0.7, 4, 0, [5, 6, 7])
    lengths = (starts - x[:, None]).flatten(2).norm(dim=2)
    torch.testing.assert_close(lengths, torch.full_like(lengths, 0.7))
    assert not torch.equal(starts, spheres(x, 0.7, 4, 1, [5, 6, 7]))
    assert torch.equal(starts[:, :2], spheres(x, 0.7, 2, 0, [5, 6, 7])), "fewer restarts are the first of more"


def test_its_start_is_a_candidate_and_the_clean_image_is_none():
    x = images(4, 0.4, 0.6)
    peak: Logit = lambda z: -norms(z - x).flatten()  # noqa: E731  # highest at the clean image
    start = spheres(x, 0.3, 1, 0, [0, 1, 2, 3])[:, 0]
    _, reached = auto_pgd(peak, x, start, 0.3, 0)
    torch.testing.assert_close(reached, torch.full_like(reached, -0.3), rtol=1e-9, atol=0)


def test_the_step_is_halved_where_f_oscillates():
    """On a narrow ridge, steps of 2 eps jump across: only smaller ones come close to its crest."""
    x = images(6, 0.45, 0.55)
    crest = x + scaled_to(torch.randn(x.shape, generator=torch.Generator().manual_seed(3)).double(), 0.2)
    f: Logit = lambda z: -norms(z - crest).flatten()  # noqa: E731
    far, near = (-f(attacked(f, x, 0.4, steps, 1)).mean().item() for steps in (10, 100))
    assert near < far / 20


def scaled_to(x: Tensor, length: float) -> Tensor:
    return length * x / norms(x)


# --- random squares ---------------------------------------------------------------------------------------------


def test_windows_shrink_as_published():
    assert side(0, 10_000, 100, 100) == round(100 * math.sqrt(SHARE))
    assert side(9_999, 10_000, 100, 100) == round(100 * math.sqrt(SHARE / 2**9))
    assert side(99, 100, 8, 8) == 1


def test_random_squares_climb_a_linear_energy_without_its_gradient():
    f, w = linear()
    x = images(10, 0.4, 0.6)
    stripes = draws(x, 2000, 0, list(range(10)))
    gain = f(square(f, x, 0.3, stripes)) - f(x)
    assert (gain > 0.6 * 0.3 * w.norm()).all() and (gain <= 0.3 * w.norm() + 1e-9).all()
    assert (f(square(f, x, 0.3, stripes)) >= f(scaled(x, stripes.stripes.expand_as(x), 0.3))).all()


def test_random_squares_see_through_masked_gradients():
    """Where f is a staircase, its gradient is 0: Auto-PGD stays at its start, random squares climb."""
    f, _ = linear()
    masked: Logit = lambda z: torch.round(4 * f(z.detach())) / 4 + 0 * z.flatten(1).sum(1)  # noqa: E731
    x = images(10, 0.4, 0.6)
    blind, seeing = attacked(masked, x, 0.3), square(masked, x, 0.3, draws(x, 500, 0, list(range(10))))
    assert (f(seeing) - f(x)).mean() > 3 * (f(blind) - f(x)).mean()
