"""The PGD attack as equations (Eqs. 6 to 8)."""

import pytest
import torch
import torch.nn.functional as F

from atebm.attacks.pgd import pgd, pgd_step, project, trajectory
from atebm.energy import Energy

SMALL = {"name": "small", "width": 4, "mean": [0.3], "std": [0.35]}


@pytest.fixture
def f() -> Energy:
    torch.manual_seed(0)
    return Energy(SMALL, (1, 8, 8)).double()


@pytest.fixture
def x() -> torch.Tensor:
    return torch.rand(5, 1, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def test_each_step_moves_each_image_by_step_size(f, x):
    moved = pgd_step(f, x, 0.3, clamp=False)
    torch.testing.assert_close((moved - x).flatten(1).norm(dim=1), torch.full((5,), 0.3, dtype=x.dtype))


def test_ascends_a_linear_logit_in_a_straight_line():
    direction = torch.tensor([3.0, 4.0], dtype=torch.float64)
    start = torch.zeros(1, 2, dtype=torch.float64)
    end = pgd(lambda x: x @ direction, start, K=4, step_size=0.1)
    torch.testing.assert_close(end, 0.4 * direction[None] / 5)


def test_descends_with_a_negative_step_size(f, x):
    assert (f(pgd(f, x, 3, -0.05)) < f(x)).all()
    assert (f(pgd(f, x, 3, 0.05)) > f(x)).all()


def test_descent_on_log_one_minus_D_is_ascent_on_f(f, x):
    """Eq. 6 and Eq. 7 give the same trajectory."""
    by_f, by_D = x, x
    for _ in range(4):
        by_f = pgd_step(f, by_f, 0.1)
        by_D = pgd_step(lambda image: -F.logsigmoid(-f(image)), by_D, 0.1)
    torch.testing.assert_close(by_D, by_f, rtol=0, atol=1e-7)


def test_stays_in_pixel_range_and_ball(f, x):
    attacked = pgd(f, x, K=10, step_size=0.5, eps=0.7)
    assert attacked.min() >= 0 and attacked.max() <= 1
    assert (attacked - x).flatten(1).norm(dim=1).max() <= 0.7 + 1e-12


def test_projection_is_onto_the_ball():
    centre = torch.zeros(2, 3)
    outside, inside = torch.tensor([[3.0, 0, 4.0], [0.1, 0.2, 0.2]])
    projected = project(torch.stack([outside, inside]), centre, eps=1.0)
    torch.testing.assert_close(projected, torch.stack([torch.tensor([0.6, 0, 0.8]), inside]), rtol=1e-5, atol=1e-6)


def test_no_steps_return_the_start_and_no_gradient_reaches_parameters(f, x):
    assert pgd(f, x, 0, 0.1) is x
    pgd(f, x, 2, 0.1)
    assert all(parameter.grad is None for parameter in f.parameters())


def test_trajectory_passes_through_shorter_ascents(f, x):
    states = dict(trajectory(f, x, [5, 2], 0.2))
    assert list(states) == [2, 5]
    for steps, state in states.items():
        assert torch.equal(state, pgd(f, x, steps, 0.2))
