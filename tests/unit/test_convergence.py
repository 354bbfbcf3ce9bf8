"""When a rival has been trained for long enough."""

import numpy as np
import pytest

from atebm.evaluation.convergence import converged, loss_fall

LATE = np.linspace(0, 1, 25)  # the last quarter of 100 rows


def log(last: np.ndarray) -> list[float]:
    """A log of 100 rows that falls from 3 to 2, with these as its last quarter."""
    return [*np.linspace(3, 2, 75), *last]


@pytest.mark.parametrize(
    ("fall", "expected"), [(0.05, False), (0.011, False), (0.009, True), (0.0, True), (-0.3, True)]
)
def test_a_loss_has_converged_when_it_falls_by_less_than_one_percent(fall, expected):
    losses = log(2 * (1 - fall * LATE))
    assert loss_fall(losses) == pytest.approx(fall, abs=1e-12) and converged(losses) == expected


def test_noise_of_single_batches_does_not_decide():
    """The ends of the quarter alone would say that a flat loss falls by 10 %, and that a falling one does not."""
    noise, before = 0.1 * np.random.default_rng(0).normal(size=1000), np.linspace(3, 2, 3000)
    flat, falling = (np.append(before, 2 * (1 - fall * np.linspace(0, 1, 1000)) + noise) for fall in (0, 0.03))
    flat[3000], flat[-1], falling[3000], falling[-1] = 2.1, 1.9, 1.9, 2.1
    assert converged(flat) and not converged(falling)


@pytest.mark.parametrize("losses", [[], [2.0] * 7, [2.0] * 99 + [np.nan], [2.0] * 99 + [np.inf]])
def test_a_log_that_is_too_short_or_not_finite_says_nothing(losses):
    assert not converged(losses)
