"""Whether paired differences are above 0 on average: Fisher's sign-flip test, and Holm's adjustment of many of them."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

Array = NDArray[np.float64]
MOST = 20  # 2^20 ways to choose signs are quickly counted


def sign_flip(differences: ArrayLike) -> float:
    """Exact one-sided p-value of n paired differences (n,), 2 <= n <= 20, against a mean above 0.

    The share of all 2^n ways to choose their signs whose mean is as large: at least 2^-n. It assumes only that, where
    there is no effect, each difference is as likely to be its own opposite (Fisher 1935). Raises ValueError for
    another n, and for numbers that are not finite, which no order could be made of.
    """
    values = np.asarray(differences, dtype=np.float64)
    if not 2 <= len(values) <= MOST or not np.isfinite(values).all():
        raise ValueError(f"the sign-flip test takes 2 to {MOST} finite numbers, not {values.tolist()}")
    test = stats.permutation_test(
        (values,), np.mean, permutation_type="samples", n_resamples=np.inf, alternative="greater"
    )
    return float(test.pvalue)


def holm(p_values: ArrayLike) -> Array:
    """p-values (m,), adjusted so that the chance of any false rejection among m is at most the level (Holm 1979)."""
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p)
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(1, np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)))
    return adjusted
