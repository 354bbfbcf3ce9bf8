"""Improved precision and recall of samples (Kynkaanniemi et al. 2019, Eqs. 1 and 2), by torch-fidelity's code."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch_fidelity.metric_prc import KEY_METRIC_PRECISION, KEY_METRIC_RECALL, prc_features_to_metric

K = 3  # neighbours that a ball reaches to, as in the paper
BATCH = 2000  # rows of a matrix of distances that are in memory at once


def precision_recall(samples: NDArray[np.float32], real: NDArray[np.float32]) -> tuple[float, float]:
    """Return the share of samples near real images, and that of real images near samples: quality and coverage.

    Of features (N, d) and (M, d), N and M more than K. Near: in the ball around an image of the other side that
    reaches to this image's K-th nearest of its own side.
    """
    found = prc_features_to_metric(
        torch.from_numpy(samples),
        torch.from_numpy(real),
        prc_neighborhood=K,
        prc_batch_size=BATCH,
        save_cpu_ram=True,
        verbose=False,
    )
    return found[KEY_METRIC_PRECISION], found[KEY_METRIC_RECALL]


def drawn(rows: int, n: int) -> NDArray[np.int64]:
    """Return the numbers of `n` of so many rows, in order, drawn once and for all; all of them where there are fewer.

    Both measures want as many images on both sides, and a set may be sorted.
    """
    return np.sort(np.random.default_rng(0).permutation(rows)[:n])
