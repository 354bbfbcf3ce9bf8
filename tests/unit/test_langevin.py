"""Langevin dynamics as an equation (Eq. 3), on a Gaussian, where the chain is an AR(1) process in closed form."""

import pytest
import torch
from scipy.stats import chi2, norm

from atebm.attacks.langevin import langevin

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
