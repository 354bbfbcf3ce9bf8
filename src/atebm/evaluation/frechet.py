"""The Frechet distance between Gaussians fitted to two sets of features (FID, if the features are Inception's)."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigvalsh, helmert
from scipy.linalg.lapack import dsygst

from ..utils.npy import Rows

Array = NDArray[np.floating]  # float64

BLOCK = 2048  # rows converted to float64 at once


@dataclass(frozen=True)
class Gaussian:
    """Mean (d,) and covariance (d, d), in float64; for fewer images than features, also a root of the covariance."""

    mean: Array
    covariance: Array
    known_root: Array | None = None  # (d, N - 1)

    @classmethod
    def of(cls, features: NDArray[np.floating] | Rows) -> "Gaussian":
        """Fit to (N, d) features, N >= 2, with the unbiased covariance of TTUR's code.

        The fit goes block by block: 50,000 x 2,048 features take 0.8 GB in float64, and np.cov makes two more copies.
        """
        n, d = features.shape
        blocks = [slice(start, start + BLOCK) for start in range(0, n, BLOCK)]
        total = np.zeros((1, d))
        for block in blocks:  # adds row after row, in the same order as one sum over all rows
            total = np.concatenate([total, features[block]]).sum(axis=0, keepdims=True, dtype=np.float64)
        mean = total[0] / n
        covariance = np.zeros((d, d))
        for block in blocks:
            centred = features[block] - mean
            covariance += centred.T @ centred
        return cls(mean, covariance / (n - 1), root_of_few(features[:]) if n <= d else None)

    @cached_property
    def root(self) -> Array:
        """Return R (d, r) with R R^T = covariance and r its rank: by Cholesky, or by eigenvalues if it is singular.

        Eigenvalues that are rounding errors are left out. There are thousands if there are fewer images than features,
        and a distance would add up their roots of 1e-8 each.
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
    """Return R (d, N - 1) with R R^T the covariance of features (N, d), N <= d; for larger N, it would save no time.

    The N differences from the mean have rank N - 1, so they are replaced by N - 1 contrasts of the images, the rows of
    Helmert's matrix. This needs no eigenvalues of a (d, d) matrix, which took seconds.
    """
    n = len(features)
    root: Array = (helmert(n) @ features.astype(np.float64)).T / np.sqrt(n - 1)
    return root


def frechet_distance(a: Gaussian, reference: Gaussian) -> float:
    """Return ||mean_a - mean_b||^2 + tr(A + B - 2 (A B)^(1/2)) (Heusel et al. 2017, Eq. 6), with B of the reference.

    The trace of the root is the sum of the roots of the eigenvalues of R^T A R, where B = R R^T. That matrix is
    symmetric, so the result is real and stable, unlike scipy's sqrtm of A B, and exact for singular covariances. All
    distances to a reference share its R.
    """
    product = congruent(reference.root, a.covariance)
    eigenvalues = eigvalsh(product, overwrite_a=True, check_finite=False)  # faster than numpy's
    trace_of_root = np.sqrt(eigenvalues.clip(0)).sum()
    difference = a.mean - reference.mean
    traces = np.trace(a.covariance) + np.trace(reference.covariance)
    return float(difference @ difference + traces - 2 * trace_of_root)


def congruent(root: Array, covariance: Array) -> Array:
    """Return R^T A R for a root R (d, r) and a covariance A (d, d).

    For a Cholesky root, only the lower triangle is computed, in half the time.
    """
    if root.shape != covariance.shape or np.triu(root, 1).any():
        return root.T @ covariance @ root
    product: Array = dsygst(covariance, root, itype=2, lower=1)[0]
    return product
