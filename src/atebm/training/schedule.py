"""Schedule K during training (Algorithm 2)."""

import math
from dataclasses import dataclass, field, replace

from ..config.training import Training

WINDOW = 100  # batches whose mean AUC decides on an early growth of K (authors' code)


def lengths(run: Training, images: int) -> tuple[int, int]:
    """Return the iterations after which K grows, and those of the whole run, for `images` images in p_data.

    K grows after passes over p_data, without its incomplete last batch. A run has `schedule.iterations` if given, else
    the iterations of each K from K_start to K_max.
    """
    at = run.schedule
    per_K = math.ceil(at.epochs_per_K * (images // run.batch_size) - 1e-9)  # 0.28 * 50 must give 14, despite rounding
    return per_K, at.iterations or (at.K_max - at.K_start + 1) * per_K


@dataclass(frozen=True)
class Progress:
    """The state of the schedule: K, the iterations done at this K, and the last batches' AUC at this K."""

    K: int
    done: int = 0
    aucs: tuple[float, ...] = field(default=())


def advance(at: Progress, K_max: int, per_K: int, auc_advance: float | None, auc: float) -> Progress:
    """Return the schedule after one more iteration, whose batch had the given AUC.

    K grows after `per_K` iterations, or earlier once the mean AUC of WINDOW batches exceeds
    `auc_advance`; it never exceeds K_max.
    """
    aucs = (*at.aucs, auc)[-WINDOW:] if auc_advance is not None else ()
    easy = auc_advance is not None and len(aucs) == WINDOW and sum(aucs) / WINDOW > auc_advance
    if K_max > at.K and (easy or at.done + 1 >= per_K):
        return Progress(at.K + 1)
    return replace(at, done=at.done + 1, aucs=aucs)
