"""Metrics against torch-fidelity and closed forms."""

import numpy as np
import pytest
import torch
from scipy import stats
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
from torch_fidelity.metric_isc import isc_features_to_metric

from atebm.evaluation.frechet import BLOCK, Gaussian, frechet_distance
from atebm.evaluation.inception_score import split_scores
from atebm.evaluation.intervals import t_half_width
from atebm.evaluation.metrics import kernel_distance


def features(seed: int, n: int = 300, d: int = 16) -> np.ndarray:
    random = np.random.default_rng(seed)
    return (random.normal(size=(n, d)) @ random.normal(size=(d, d)) + random.normal(size=d)).astype(np.float32)


def reference_distance(a: np.ndarray, b: np.ndarray) -> float:
    wide = (torch.from_numpy(x.astype(np.float64)) for x in (a, b))
    statistics = [fid_features_to_statistics(x) for x in wide]
    return fid_statistics_to_metric(*statistics, verbose=False)["frechet_inception_distance"]


def test_frechet_distance_is_torch_fidelitys():
    a, b = features(0), features(1)
    ours = frechet_distance(Gaussian.of(a), Gaussian.of(b))
    assert ours == pytest.approx(reference_distance(a, b), rel=1e-9)


def test_frechet_distance_of_known_gaussians():
    """Equal means at distance 5; diagonal covariances: sum of (sqrt a - sqrt b)^2."""
    a = Gaussian(np.array([0.0, 0.0]), np.diag([1.0, 4.0]))
    b = Gaussian(np.array([3.0, 4.0]), np.diag([9.0, 4.0]))
    assert frechet_distance(a, b) == pytest.approx(25 + (1 - 3) ** 2)


def test_statistics_are_numpys_however_many_blocks_the_features_have():
    many = features(3, n=2 * BLOCK + 5)
    ours = Gaussian.of(many)
    assert ours.mean == pytest.approx(many.astype(np.float64).mean(0), rel=1e-12)
    assert ours.covariance == pytest.approx(np.cov(many.astype(np.float64), rowvar=False), rel=1e-9)


def test_a_reference_that_shares_no_direction_with_the_samples_needs_no_regular_covariance():
    """Point clouds on two axes: A B = 0, so the distance is that of the means and both traces."""
    a, b = Gaussian(np.zeros(2), np.diag([4.0, 0.0])), Gaussian(np.zeros(2), np.diag([0.0, 9.0]))
    assert frechet_distance(a, b) == pytest.approx(13)


def test_frechet_distance_of_fewer_images_than_features():
    """To what singular values of A B^T give, A and B centred: n x n, so exact however many features."""
    a, b = (features(seed, n=12, d=400).astype(np.float64) for seed in (0, 1))
    centred = [x - x.mean(0) for x in (a, b)]
    root = np.linalg.svd(centred[0] @ centred[1].T, compute_uv=False).sum()
    spread = sum((x**2).sum() for x in centred)
    expected = ((a.mean(0) - b.mean(0)) ** 2).sum() + (spread - 2 * root) / 11
    assert frechet_distance(Gaussian.of(a), Gaussian.of(b)) == pytest.approx(expected, rel=1e-11)


def test_frechet_distance_survives_dead_features():
    a, b = features(0), features(1)
    for array in (a, b):
        array[:, 3] = 0  # a ReLU that never fires: singular covariance
    assert frechet_distance(Gaussian.of(a), Gaussian.of(b)) == pytest.approx(reference_distance(a, b), rel=1e-6)
    # the root of a null eigenvalue's rounding error: half the digits are what any CPU can promise
    bound = np.sqrt(np.finfo(np.float64).eps) * np.trace(Gaussian.of(a).covariance)
    assert frechet_distance(Gaussian.of(a), Gaussian.of(a)) == pytest.approx(0, abs=bound)


def test_inception_score_is_torch_fidelitys():
    logits = features(2, n=200, d=10)
    expected = isc_features_to_metric(torch.from_numpy(logits), splits=10, shuffle=False)
    scores = split_scores(logits, 10)
    assert scores.mean() == pytest.approx(expected["inception_score_mean"], rel=1e-12)
    assert scores.std() == pytest.approx(expected["inception_score_std"], rel=1e-9)


def test_inception_score_between_its_bounds():
    certain = 50.0 * np.eye(4)[np.arange(400) % 4]
    assert split_scores(certain, 2) == pytest.approx([4, 4])
    assert split_scores(np.zeros((400, 4)), 2) == pytest.approx([1, 1])


def test_kernel_distance_has_no_bias():
    """Sets of one distribution: about 0 in subsets of any size, where a biased estimate adds 20 / size."""
    random = np.random.default_rng(5)
    a, b = random.normal(size=(2, 2000, 4)).astype(np.float32)
    for size in (20, 500):
        assert abs(kernel_distance(a, b, 100, size)) < 0.1
    assert kernel_distance(a, b + 1, 100, 20) > 1


def test_interval_is_scipys():
    values = [1.0, 2.5, 3.0, 4.2, 0.3]
    low, high = stats.t.interval(0.95, 4, loc=np.mean(values), scale=stats.sem(values))
    assert t_half_width(values) == pytest.approx((high - low) / 2)
