"""Compute the energy distance and its permutation test (Szekely and Rizzo 2013), in any dimension.

The energy distance of P and Q is 2 E|X - Y| - E|X - X'| - E|Y - Y'|. It is at least 0, and 0 only for equal
distributions. It is a *squared* metric; scipy.stats.energy_distance, for one dimension, returns its root.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist, pdist
from scipy.special import i0e, i1e

Array = NDArray[np.float64]


def energy_to_gaussian(x: Array, std: float) -> float:
    """Return the energy distance of the empirical distribution of points x (m, 2), m >= 2, to N(0, std^2 I).

    No points of the Gaussian are drawn: E|x - Y| is the mean of a Rice distribution, and E|Y - Y'| = std sqrt(pi). For
    m points drawn from that Gaussian the mean is std sqrt(pi) / m.
    """
    t = (x**2).sum(axis=1) / (4 * std**2)
    between = std * np.sqrt(np.pi / 2) * ((1 + 2 * t) * i0e(t) + 2 * t * i1e(t))  # L_1/2(-2t), scaled Bessel functions
    return float(2 * between.mean() - 2 * pdist(x).sum() / len(x) ** 2 - std * np.sqrt(np.pi))


def permutation_energies(x: Array, y: Array, permutations: int, seed: int) -> Array:
    """Return energy distances (1 + permutations,) of samples x (n, d) and y (m, d): first as given, then permuted.

    The energy distance is -s'Ds, with D all distances of the pooled points and s = 1/n on the first sample, -1/m on the
    second; permuting s assigns the points to the samples at random.
    """
    pooled = np.concatenate([x, y])
    signs = np.r_[np.full(len(x), 1 / len(x)), np.full(len(y), -1 / len(y))]
    draws = np.random.default_rng(seed)
    dealt = np.stack([signs, *(draws.permutation(signs) for _ in range(permutations))])
    return -np.einsum("pi,pi->p", dealt @ cdist(pooled, pooled), dealt)


def energy_test(x: Array, y: Array, permutations: int, seed: int) -> float:
    """Return the p-value of the hypothesis that samples x (n, d) and y (m, d) have the same distribution.

    It is the share of permutations, including the given assignment, whose energy distance is at least as large. It is
    at least 1/(1 + permutations) and, if the hypothesis is true, at most a with probability at most a.
    """
    energies = permutation_energies(x, y, permutations, seed)
    slack = 1e-12 * abs(energies[0])  # so that ties count despite rounding, also below 0
    return float((energies >= energies[0] - slack).mean())
