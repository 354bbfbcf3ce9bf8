"""Energy distance and the permutation test that goes with it (Szekely and Rizzo 2013), in any dimension.

The energy distance of P and Q is 2 E|X - Y| - E|X - X'| - E|Y - Y'|: at least 0, and 0 for equal distributions only. It
is a *squared* metric; scipy.stats.energy_distance, for one dimension, returns its root.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist, pdist
from scipy.special import i0e, i1e

Array = NDArray[np.float64]


def energy_to_gaussian(x: Array, std: float) -> float:
    """Return the energy distance of the points x (m, 2), m >= 2, as a distribution, to N(0, std^2 I) itself.

    Nothing is drawn of the Gaussian: E|x - Y| is the mean of a Rice distribution, and E|Y - Y'| = std sqrt(pi). m
    points drawn from that Gaussian have std sqrt(pi) / m on average.
    """
    t = (x**2).sum(axis=1) / (4 * std**2)
    between = std * np.sqrt(np.pi / 2) * ((1 + 2 * t) * i0e(t) + 2 * t * i1e(t))  # L_1/2(-2t), scaled Bessel functions
    return float(2 * between.mean() - 2 * pdist(x).sum() / len(x) ** 2 - std * np.sqrt(np.pi))


def permutation_energies(x: Array, y: Array, permutations: int, seed: int) -> Array:
    """Return energy distances (1 + permutations,) of samples x (n, d) and y (m, d), first as they are, then relabelled.

    The energy distance is -s'Ds, with D all distances of the pooled points and s = 1/n on the first sample, -1/m on the
    second; a permutation of s deals the points anew.
    """
    pooled = np.concatenate([x, y])
    signs = np.r_[np.full(len(x), 1 / len(x)), np.full(len(y), -1 / len(y))]
    draws = np.random.default_rng(seed)
    dealt = np.stack([signs, *(draws.permutation(signs) for _ in range(permutations))])
    return -np.einsum("pi,pi->p", dealt @ cdist(pooled, pooled), dealt)


def energy_test(x: Array, y: Array, permutations: int, seed: int) -> float:
    """Return the p-value of the hypothesis that samples x (n, d) and y (m, d) have one distribution.

    It is the share of all relabellings, the given one among them, that are as far apart: at least 1/(1 + permutations),
    and at most a with probability a where the hypothesis holds.
    """
    energies = permutation_energies(x, y, permutations, seed)
    slack = 1e-12 * abs(energies[0])  # ties count, whatever the order of summation, and where rounding goes below 0
    return float((energies >= energies[0] - slack).mean())
