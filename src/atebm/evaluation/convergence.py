"""Checking that a rival's training was long enough for a comparison."""

from collections.abc import Sequence

import numpy as np

FALL = 0.01  # share of the loss: if it falls by more over the last quarter of the log, a rival has not converged
ROWS = 8  # least number of rows in the log, so that its last quarter has two


def loss_fall(losses: Sequence[float]) -> float:
    """Return the share by which a loss fell over the last quarter of its log.

    The fall is that of the best-fitting line, since the loss of one batch is noisy. It is negative if the loss rose,
    and NaN if there are fewer than ROWS rows or a loss is not finite.
    """
    quarter = np.asarray(losses, float)[-(len(losses) // 4) :]
    if len(losses) < ROWS or not np.isfinite(quarter).all():
        return float("nan")
    slope, first = np.polyfit(np.arange(len(quarter)), quarter, 1)
    return float(-slope * (len(quarter) - 1) / first)


def converged(losses: Sequence[float]) -> bool:
    """Return whether the loss fell by less than FALL over the last quarter of its log.

    A loss that rose at the end counts as converged, since more iterations would not have helped. A log that is too
    short or not finite does not.
    """
    return loss_fall(losses) < FALL
