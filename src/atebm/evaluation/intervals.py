"""Intervals of means and shares."""

import math
from collections.abc import Sequence

import numpy as np
from scipy import stats


def t_half_width(values: Sequence[float]) -> float:
    """Return the half-width of the 95 % t-interval of the mean of at least two values."""
    n = len(values)
    return float(stats.t.ppf(0.975, n - 1) * np.std(values, ddof=1) / math.sqrt(n))


def share_half_width(share: float, n: int) -> float:
    """Return half the width of the 95 % Wilson interval of a share that was found among n independent images."""
    low, high = stats.binomtest(round(share * n), n).proportion_ci(0.95, method="wilson")
    return float(high - low) / 2
