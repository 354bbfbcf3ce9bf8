"""What a sampler does to its sources and to its samples, against scipy and against whole numbers."""

import math

import numpy as np
import pytest
import torch
from conftest import planned
from scipy.ndimage import gaussian_filter
from torch import nn

from atebm.attacks.pgd import pgd_step
from atebm.data.stored import to_bytes
from atebm.sampling.sample import blurred, sampled


@pytest.mark.parametrize("sigma", [0.625, 1.25])
def test_sources_are_blurred_by_a_gaussian(sigma):
    """As scipy blurs, whose `mirror` is torch's `reflect`; its kernel is cut off where ours is."""
    x = torch.rand(2, 3, 16, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    radius = math.ceil(3 * sigma)
    expected = gaussian_filter(x.numpy(), sigma, mode="mirror", axes=(2, 3), radius=radius)
    assert blurred(x, sigma).numpy() == pytest.approx(expected, abs=1e-12)
    assert blurred(x, 0) is x


class Brightness(nn.Module):
    """f(x) = mean of x."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.flatten(1).mean(1)


def test_samples_become_bytes_as_the_sampler_says():
    """From byte 100, one step up by 0.7 of a byte in each of four pixels."""
    sources = torch.full((1, 1, 2, 2), 100, dtype=torch.uint8)
    for quantise, byte in (("truncate", 100), ("round", 101)):
        settings = {"blur": 0, "step_size": 2 * 0.7 / 255, "quantise": quantise}
        images, _ = sampled(Brightness(), sources, 1, settings, pgd_step, slice(0, 1))
        assert images.tolist() == [[[[byte]] * 2] * 2]
    exact = torch.arange(256) / 255
    assert np.array_equal(to_bytes(exact, "round").numpy(), np.arange(256, dtype=np.uint8))


def test_a_sampler_that_says_what_its_run_says_is_the_runs_own():
    plan = planned("paper")
    own, middle = (plan.sample(name, 0, "best") for name in ("cifar10", "cifar10_middle_steps"))
    assert own == middle and plan.sample("cifar10_large_steps", 0, "best") != own
    blurred_one = plan.sample("celebahq256_blurred", 0, "best")
    assert blurred_one.settings["blur"] == 10 and blurred_one.parents["model"].name == "celebahq256"
