"""Exact tests of paired differences: sign-flip, its rank version and the sign test; Holm's adjustment of many."""

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

Array = NDArray[np.float64]
MOST = 20  # 2^20 ways to choose signs are quickly counted
ROUNDING = 1e-12  # of the sum of magnitudes: sums that differ by less are ties


def sign_flip(differences: ArrayLike) -> float:
    """Return the exact one-sided p-value of n paired differences (n,), 2 <= n <= 20, against a mean above 0.

    The share of all 2^n ways to choose their signs whose mean is as large: at least 2^-n. It assumes only that, where
    there is no effect, each difference is as likely to be its own opposite (Fisher 1935). It is what
    `scipy.stats.permutation_test` returns, some hundred times as fast, since a board asks thousands of times. Raises
    ValueError for another n, and for numbers that are not finite, which no order could be made of.
    """
    values = np.asarray(differences, dtype=np.float64)
    if not 2 <= len(values) <= MOST or not np.isfinite(values).all():
        raise ValueError(f"the sign-flip test takes 2 to {MOST} finite numbers, not {values.tolist()}")
    magnitudes = np.abs(values)
    return float(np.mean(flipped(*magnitudes.tolist()) >= values.sum() - ROUNDING * magnitudes.sum()))


@lru_cache(maxsize=64)  # a claim and its opposite have the same
def flipped(*magnitudes: float) -> Array:
    """Return the sums of n numbers under all ways to choose their signs (2^n,)."""
    sums = np.zeros(1)
    for value in magnitudes:  # doubles their number each time
        sums = np.concatenate([sums + value, sums - value])
    return sums


def rank_flip(differences: ArrayLike) -> float:
    """Return the p-value of `sign_flip` on signed ranks (Wilcoxon 1945): a difference of 0 ranks as nothing.

    For differences whose size is known only in part, as where a run was stopped before it arrived.
    """
    values = np.asarray(differences, dtype=np.float64)
    if not np.isfinite(values).all():
        raise ValueError(f"the rank test takes finite numbers, not {values.tolist()}")
    return sign_flip(np.sign(values) * stats.rankdata(np.abs(values)))


def sign_test(differences: ArrayLike) -> float:
    """Return the one-sided p-value of the sign test: of as many differences above 0, were each as likely below.

    It assumes nothing of the size of differences. One of exactly 0 speaks against.
    """
    values = np.asarray(differences, dtype=np.float64)
    return float(stats.binomtest(int((values > 0).sum()), len(values), alternative="greater").pvalue)


def holm(p_values: ArrayLike) -> Array:
    """Return p-values (m,), adjusted so that the chance of any false rejection is at most the level (Holm 1979)."""
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p)
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(1, np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)))
    return adjusted
