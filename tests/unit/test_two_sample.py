"""Energy distance and its test: against scipy, closed forms, and what a p-value promises."""

import math

import numpy as np
import pytest
from scipy import stats

from atebm.toy2d.two_sample import energy_test, energy_to_gaussian, permutation_energies

STD = 0.1


def normal(m: int, seed: int, shift: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(m, 2)) * STD + [shift, 0]


def test_the_energy_distance_of_samples_is_the_square_of_scipys():
    draws = np.random.default_rng(0)
    x, y = draws.normal(size=80), draws.normal(0.5, 2, size=50)
    energies = permutation_energies(x[:, None], y[:, None], 0, seed=0)
    assert energies[0] == pytest.approx(stats.energy_distance(x, y) ** 2, rel=1e-9)
    on_a_line = [np.stack([values, np.full_like(values, 3.0)], axis=1) for values in (x, y)]
    assert permutation_energies(*on_a_line, 0, seed=0)[0] == pytest.approx(energies[0], rel=1e-9)


def test_the_energy_distance_of_points_to_the_gaussian_knows_closed_forms():
    """All points at distance r of 0: 2 E|x - Y| - E|Y - Y'|, where |x - Y| follows Rice's distribution."""
    for r in (0.0, 0.05, 0.3, 1.2):
        rice = stats.rice(r / STD, scale=STD).mean()
        expected = 2 * rice - STD * math.sqrt(math.pi)
        assert energy_to_gaussian(np.tile([[0.0, r]], (5, 1)), STD) == pytest.approx(expected, rel=1e-9)


def test_the_energy_distance_to_the_gaussian_is_the_limit_of_that_to_a_large_sample():
    x, large = normal(300, 1, shift=0.2), normal(8000, 2)
    assert energy_to_gaussian(x, STD) == pytest.approx(permutation_energies(x, large, 0, 0)[0], rel=0.02)


def test_m_points_of_the_gaussian_are_as_far_from_it_as_the_docstring_says():
    m = 200
    values = [energy_to_gaussian(normal(m, seed), STD) for seed in range(200)]
    assert np.mean(values) == pytest.approx(STD * math.sqrt(math.pi) / m, abs=4 * stats.sem(values))


def test_the_permutation_test_agrees_with_scipys():
    x, y = normal(40, 3), normal(30, 4, shift=0.25 * STD)
    pooled = np.concatenate([x, y])

    def statistic(a, b):  # of numbers of points
        return permutation_energies(pooled[a], pooled[b], 0, 0)[0]

    numbers = (np.arange(40), np.arange(40, 70))
    reference = stats.permutation_test(
        numbers, statistic, n_resamples=999, alternative="greater", rng=0, vectorized=False
    )
    assert 0.02 < reference.pvalue < 0.98
    assert energy_test(x, y, 999, seed=0) == pytest.approx(reference.pvalue, abs=0.06)


def test_p_values_are_uniform_where_the_hypothesis_holds():
    values = [energy_test(normal(30, 2 * k), normal(40, 2 * k + 1), 99, seed=k) for k in range(400)]
    assert stats.kstest(values, "uniform").statistic < 0.08  # 1.6 / sqrt(400): beyond with probability 0.01
    assert np.mean(np.array(values) <= 0.05) < 0.09


def test_the_test_sees_a_shift_of_a_quarter_standard_deviation():
    values = [energy_test(normal(1000, k), normal(1000, 50 + k, shift=0.25 * STD), 99, seed=k) for k in range(5)]
    assert max(values) == 0.01  # the least there is


def test_equal_samples_are_no_reason_to_reject():
    assert energy_test(normal(50, 0), normal(50, 0), 99, seed=0) == 1
