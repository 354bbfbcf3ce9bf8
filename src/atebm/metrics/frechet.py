"""The Frechet distance between Gaussians fitted to two sets of features (FID, when they are Inception's)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Gaussian:
    """Mean (d,) and covariance (d, d), in float64."""

    mean: Array
    covariance: Array

    @classmethod
    def of(cls, features: NDArray[np.floating]) -> "Gaussian":
        """Fitted to (N, d) features, N >= 2, with the unbiased covariance of TTUR's code."""
        wide = features.astype(np.float64)
        return cls(wide.mean(axis=0), np.atleast_2d(np.cov(wide, rowvar=False)))


def frechet_distance(a: Gaussian, b: Gaussian) -> float:
    """||mean_a - mean_b||^2 + tr(A + B - 2 (A B)^(1/2)) (Heusel et al. 2017, Eq. 6).

    The trace of the root is the sum of the roots of the eigenvalues of S B S with S = A^(1/2): symmetric, so real and
    stable where scipy's sqrtm of A B is neither, and exact for singular covariances.
    """
    values, vectors = np.linalg.eigh(a.covariance)
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    trace_of_root = np.sqrt(np.linalg.eigvalsh(root @ b.covariance @ root).clip(0)).sum()
    difference = a.mean - b.mean
    return float(difference @ difference + np.trace(a.covariance) + np.trace(b.covariance) - 2 * trace_of_root)
