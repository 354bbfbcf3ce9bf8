"""Test paired differences exactly (sign-flip, its rank version, sign test), and adjust many p-values by Holm."""

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

Array = NDArray[np.float64]
MOST = 20  # 2^20 ways to choose signs are quickly counted
ROUNDING = 1e-12  # of the sum of magnitudes: sums that differ by less are ties


def sign_flip(differences: ArrayLike) -> float:
    """Return the exact one-sided p-value of n paired differences (n,), 2 <= n <= 20, against a mean above 0.

    It is the share of all 2^n ways to choose their signs that give a mean at least as large, so it is at least 2^-n. It
    assumes only that, without an effect, each difference is equally likely to have either sign (Fisher 1935).
    `scipy.stats.permutation_test` returns the same, about a hundred times more slowly, and a board needs thousands of
    tests. Raises ValueError for another n, and for numbers that are not finite, since those cannot be ordered.
    """
    values = np.asarray(differences, dtype=np.float64)
    if not 2 <= len(values) <= MOST or not np.isfinite(values).all():
        raise ValueError(f"the sign-flip test needs 2 to {MOST} finite numbers, not {values.tolist()}")
    magnitudes = np.abs(values)
    return float(np.mean(flipped(*magnitudes.tolist()) >= values.sum() - ROUNDING * magnitudes.sum()))


@lru_cache(maxsize=64)  # a claim and its opposite have the same sums
def flipped(*magnitudes: float) -> Array:
    """Return the sums of n numbers under all ways to choose their signs (2^n,)."""
    sums = np.zeros(1)
    for value in magnitudes:  # each value doubles the number of sums
        sums = np.concatenate([sums + value, sums - value])
    return sums


def rank_flip(differences: ArrayLike) -> float:
    """Return the p-value of `sign_flip` on signed ranks (Wilcoxon 1945); a difference of 0 counts as 0.

    Use it for differences whose order is known but not their size, as when a run stopped before it reached its target.
    """
    values = np.asarray(differences, dtype=np.float64)
    if not np.isfinite(values).all():
        raise ValueError(f"the rank test needs finite numbers, not {values.tolist()}")
    return sign_flip(np.sign(values) * stats.rankdata(np.abs(values)))


def sign_test(differences: ArrayLike) -> float:
    """Return the one-sided p-value of the sign test against differences above 0.

    It is the probability of at least as many differences above 0 if each were equally likely to be below. It assumes
    nothing about their size. A difference of exactly 0 counts as not above.
    """
    values = np.asarray(differences, dtype=np.float64)
    return float(stats.binomtest(int((values > 0).sum()), len(values), alternative="greater").pvalue)


def holm(p_values: ArrayLike) -> Array:
    """Return p-values (m,) adjusted so that the chance of any false rejection is at most the level (Holm 1979)."""
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p)
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(1, np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)))
    return adjusted
