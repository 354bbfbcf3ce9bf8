"""The Frechet distance between Gaussians fitted to two sets of features (FID, when they are Inception's)."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigvalsh, helmert
from scipy.linalg.lapack import dsygst

from ..utils.npy import Rows

Array = NDArray[np.floating]  # float64

BLOCK = 2048  # rows that are float64 at once


@dataclass(frozen=True)
class Gaussian:
    """Mean (d,) and covariance (d, d), in float64; of fewer images than features, also a root of the covariance."""

    mean: Array
    covariance: Array
    known_root: Array | None = None  # (d, N - 1)

    @classmethod
    def of(cls, features: NDArray[np.floating] | Rows) -> "Gaussian":
        """Fit to (N, d) features, N >= 2, with the unbiased covariance of TTUR's code.

        Block by block: 50,000 x 2,048 features would be 0.8 GB in float64, and np.cov makes two more copies of them.
        """
        n, d = features.shape
        blocks = [slice(start, start + BLOCK) for start in range(0, n, BLOCK)]
        total = np.zeros((1, d))
        for block in blocks:  # row after row, as one sum of them all would add
            total = np.concatenate([total, features[block]]).sum(axis=0, keepdims=True, dtype=np.float64)
        mean = total[0] / n
        covariance = np.zeros((d, d))
        for block in blocks:
            centred = features[block] - mean
            covariance += centred.T @ centred
        return cls(mean, covariance / (n - 1), root_of_few(features[:]) if n <= d else None)

    @cached_property
    def root(self) -> Array:
        """Return R (d, r) with R R^T = covariance, r its rank: Cholesky's, or from eigenvalues where it is singular.

        Eigenvalues that are rounding errors are left out: of fewer images than features there are thousands, and a
        distance adds up their roots, 1e-8 each.
        """
        if self.known_root is not None:
            return self.known_root
        try:
            root: Array = np.linalg.cholesky(self.covariance)
        except np.linalg.LinAlgError:
            values, vectors = np.linalg.eigh(self.covariance)
            kept = values > len(values) * np.finfo(np.float64).eps * values[-1]
            root = vectors[:, kept] * np.sqrt(values[kept])
        return root


def root_of_few(features: NDArray[np.floating]) -> Array:
    """Return R (d, N - 1) with R R^T the covariance of features (N, d), N <= d; of more it would be no shorter way.

    Contrasts of the images, the rows of Helmert's matrix, in place of their differences from the mean, which are N and
    of rank N - 1. No eigenvalues of a (d, d) matrix are needed: those took seconds.
    """
    n = len(features)
    root: Array = (helmert(n) @ features.astype(np.float64)).T / np.sqrt(n - 1)
    return root


def frechet_distance(a: Gaussian, reference: Gaussian) -> float:
    """Return ||mean_a - mean_b||^2 + tr(A + B - 2 (A B)^(1/2)) (Heusel et al. 2017, Eq. 6), B that of the reference.

    The trace of the root is the sum of the roots of the eigenvalues of R^T A R with B = R R^T: symmetric, so real and
    stable where scipy's sqrtm of A B is neither, and exact for singular covariances. All distances to a reference
    share its R.
    """
    product = congruent(reference.root, a.covariance)
    eigenvalues = eigvalsh(product, overwrite_a=True, check_finite=False)  # faster than numpy's
    trace_of_root = np.sqrt(eigenvalues.clip(0)).sum()
    difference = a.mean - reference.mean
    traces = np.trace(a.covariance) + np.trace(reference.covariance)
    return float(difference @ difference + traces - 2 * trace_of_root)


def congruent(root: Array, covariance: Array) -> Array:
    """Return r^T A R of a root R (d, r) and a covariance A (d, d).

    Of a Cholesky root the lower triangle, in half the time.
    """
    if root.shape != covariance.shape or np.triu(root, 1).any():
        return root.T @ covariance @ root
    product: Array = dsygst(covariance, root, itype=2, lower=1)[0]
    return product
