"""K over the course of training (Algorithm 2)."""

import math
from dataclasses import dataclass, field, replace
from typing import Any

WINDOW = 100  # batches whose mean AUC decides on an early advance (authors' code)


def iterations_per_K(epochs_per_K: float, images: int, batch_size: int) -> int:
    """Iterations after which K grows: passes over p_data, whose incomplete last batches are dropped."""
    return math.ceil(epochs_per_K * (images // batch_size) - 1e-9)  # 0.28 * 50 is 14, not a rounding error more


def total_iterations(settings: dict[str, Any], per_K: int) -> int:
    """Iterations of a run: as many as it states, or `per_K` for each K from K_start to K_max."""
    return settings["iterations"] or (settings["K_max"] - settings["K_start"] + 1) * per_K


@dataclass(frozen=True)
class Progress:
    """Where the schedule stands: K, iterations done at this K, and the last batches' AUC at this K."""

    K: int
    done: int = 0
    aucs: tuple[float, ...] = field(default=())


def advance(at: Progress, K_max: int, per_K: int, auc_advance: float | None, auc: float) -> Progress:
    """The schedule after one more iteration, whose batch had the given AUC.

    K grows after `per_K` iterations, or earlier once the mean AUC of WINDOW batches exceeds
    `auc_advance`; it never exceeds K_max.
    """
    aucs = (*at.aucs, auc)[-WINDOW:] if auc_advance is not None else ()
    easy = auc_advance is not None and len(aucs) == WINDOW and sum(aucs) / WINDOW > auc_advance
    if K_max > at.K and (easy or at.done + 1 >= per_K):
        return Progress(at.K + 1)
    return replace(at, done=at.done + 1, aucs=aucs)
