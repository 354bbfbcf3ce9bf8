"""Whether a training that others are compared with was long enough."""

from collections.abc import Sequence

import numpy as np

FALL = 0.01  # of the loss, over the last quarter of the log: with a larger one a rival has not converged
ROWS = 8  # of the log, at least: a quarter of them has two


def loss_fall(losses: Sequence[float]) -> float:
    """Return by what share a loss fell over the last quarter of its log.

    That of the line which fits the quarter best, since the loss of one batch says little. Negative where it rose; NaN
    with fewer than ROWS rows, or where a loss is not finite.
    """
    quarter = np.asarray(losses, float)[-(len(losses) // 4) :]
    if len(losses) < ROWS or not np.isfinite(quarter).all():
        return float("nan")
    slope, first = np.polyfit(np.arange(len(quarter)), quarter, 1)
    return float(-slope * (len(quarter) - 1) / first)


def converged(losses: Sequence[float]) -> bool:
    """Tell whether the loss fell by less than FALL over the last quarter of its log, `log["loss"]` of a training.

    A loss that rose at the end counts: more iterations would not have helped. One that cannot be judged does not.
    """
    return loss_fall(losses) < FALL
