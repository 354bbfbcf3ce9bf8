"""Improved precision and recall of samples (Kynkaanniemi et al. 2019, Eqs. 1 and 2), by torch-fidelity's code."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch_fidelity.metric_prc import KEY_METRIC_PRECISION, KEY_METRIC_RECALL, prc_features_to_metric

K = 3  # the neighbour that a ball reaches to, as in the paper
BATCH = 2000  # rows of the distance matrix that are in memory at once


def precision_recall(samples: NDArray[np.float32], real: NDArray[np.float32]) -> tuple[float, float]:
    """Return the share of samples near real images (quality), and of real images near samples (coverage).

    The features are (N, d) and (M, d), with N and M above K. An image is near the other side if it is inside the ball
    around one of its images that reaches to that image's K-th nearest neighbour on its own side.
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
    """Return the sorted numbers of `n` out of `rows` rows, drawn with a fixed seed; all rows if there are fewer.

    Both measures need as many images on both sides, and a set may be sorted.
    """
    return np.sort(np.random.default_rng(0).permutation(rows)[:n])
