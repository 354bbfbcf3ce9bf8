"""K over the course of training (Algorithm 2)."""

from dataclasses import dataclass, field, replace

WINDOW = 100  # batches whose mean AUC decides on an early advance (authors' code)


@dataclass(frozen=True)
class Progress:
    """Where the schedule stands: K, iterations done at this K, and the last batches' AUC at this K."""

    K: int
    done: int = 0
    aucs: tuple[float, ...] = field(default=())


def advance(at: Progress, K_max: int, iterations_per_K: int, auc_advance: float | None, auc: float) -> Progress:
    """The schedule after one more iteration, whose batch had the given AUC.

    K grows after `iterations_per_K` iterations, or earlier once the mean AUC of WINDOW batches exceeds
    `auc_advance`; it never exceeds K_max.
    """
    aucs = (*at.aucs, auc)[-WINDOW:] if auc_advance is not None else ()
    easy = auc_advance is not None and len(aucs) == WINDOW and sum(aucs) / WINDOW > auc_advance
    if K_max > at.K and (easy or at.done + 1 >= iterations_per_K):
        return Progress(at.K + 1)
    return replace(at, done=at.done + 1, aucs=aucs)
