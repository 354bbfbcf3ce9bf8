"""Langevin dynamics as an equation (Eq. 3), on a Gaussian, where the chain is an AR(1) process in closed form."""

import pytest
import torch
from scipy.stats import chi2, norm

from atebm.attacks.langevin import langevin, sampler
from atebm.attacks.pgd import trajectory

A, MEAN, STEP_SIZE = 0.8, 0.3, 1.2  # so coarse a step that the chain's variance is 1.64, not the Gaussian's 1.25
CHAINS = 40_000


def f(x: torch.Tensor) -> torch.Tensor:
    return -A / 2 * (x - MEAN).square().flatten(1).sum(1)


@pytest.mark.parametrize("steps", [1, 2, 40])
def test_chains_on_a_gaussian_have_the_mean_and_variance_of_their_autoregression(steps):
    """x' - m = r (x - m) + noise with r = 1 - step_size * a / 2, so that from a point x_0, after n steps, the mean is
    m + r^n (x_0 - m) and the variance step_size (1 - r^2n) / (1 - r^2). After 40 steps r^n is 4e-12: stationary.
    """
    x = torch.full((CHAINS // 4, 1, 2, 2), 5.0, dtype=torch.float64)
    end = langevin(f, x, steps, STEP_SIZE, torch.Generator().manual_seed(0)).flatten()
    r = 1 - STEP_SIZE * A / 2
    mean = MEAN + r**steps * (5.0 - MEAN)
    variance = STEP_SIZE * (1 - r ** (2 * steps)) / (1 - r**2)
    # bounds that a correct sampler breaks for one seed in a thousand
    assert abs(end.mean().item() - mean) < norm.isf(5e-4) * (variance / CHAINS) ** 0.5
    low, high = chi2.ppf([5e-4, 1 - 5e-4], CHAINS - 1) / (CHAINS - 1)
    assert low < end.var().item() / variance < high


def test_chains_are_those_of_their_generator_and_leave_start_and_parameters_alone():
    scale = torch.tensor(1.0, requires_grad=True)
    x = torch.zeros(2, 3, requires_grad=True)
    ends = [langevin(lambda x: scale * f(x), x, 3, 0.1, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)]
    assert torch.equal(ends[0], ends[1]) and not torch.equal(ends[0], ends[2])
    assert torch.equal(x, torch.zeros(2, 3)) and scale.grad is None and not ends[0].requires_grad


def test_noise_and_gradient_have_scales_of_their_own():
    """x' - m = (1 - step_size * a / 2) (x - m) without noise; with it, noise of that standard deviation is added."""
    x = torch.full((CHAINS // 4, 1, 2, 2), 5.0, dtype=torch.float64)
    still = langevin(f, x, 2, STEP_SIZE, torch.Generator().manual_seed(0), noise=0)
    r = 1 - STEP_SIZE * A / 2
    torch.testing.assert_close(still, torch.full_like(x, MEAN + r**2 * (5.0 - MEAN)))
    moved = langevin(f, x, 1, STEP_SIZE, torch.Generator().manual_seed(0), noise=0.1)
    assert (moved - (MEAN + r * (5.0 - MEAN))).std().item() == pytest.approx(0.1, rel=0.02)
    cut = langevin(f, x, 1, STEP_SIZE, torch.Generator().manual_seed(0), noise=0.1, clamp=True)
    assert torch.equal(cut, moved.clamp(0, 1))


def test_a_samples_noise_hangs_on_its_number_alone():
    x = torch.rand(6, 1, 2, 2, generator=torch.Generator().manual_seed(0))
    whole = dict(sampler(f, x, [1, 3], STEP_SIZE, 0.1, range(6)))
    parts = [dict(sampler(f, x[rows], [1, 3], STEP_SIZE, 0.1, range(6)[rows])) for rows in (slice(0, 4), slice(4, 6))]
    for steps in (1, 3):
        assert torch.equal(whole[steps], torch.cat([part[steps] for part in parts]))
    assert not torch.equal(whole[1][0] - x[0], whole[1][1] - x[1])
    assert all(
        torch.equal(end, dict(trajectory(f, x, [2], 0.1))[2]) for _, end in sampler(f, x, [2], 0.1, None, range(6))
    )
