"""Halving batches that are too large for a GPU's memory, with a warning in the log."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from ..utils.errors import ResultError

Rows = TypeVar("Rows", Tensor, np.ndarray)

TOO_MANY: dict[str, int] = {}  # the fewest rows that did not fit, by kind of work, in this process


def work_in_halves(kind: str, work: Callable[[slice], Sequence[Rows]], rows: slice) -> list[Rows]:
    """Return work(rows), arrays with a row for each of `rows`; if memory is short, halve the rows and join the results.

    A batch size that did not fit is not tried again with the same kind of work: later batches are halved at once. In a
    smaller batch, an image's result can differ in its last digits. Raises ResultError if one row does not fit.
    """
    n, short = rows.stop - rows.start, ""
    if n == 1 or n < TOO_MANY.get(kind, n + 1):
        try:
            return list(work(rows))
        except torch.OutOfMemoryError as error:
            short = str(error)
        # outside the handler, which would keep the failed attempt's memory alive
        warn(kind, n)
        torch.cuda.empty_cache()
    if n == 1:
        raise ResultError(f"not even one image fits into this GPU's memory, which others may be using: {short}")
    middle = rows.start + n // 2
    halves = [work_in_halves(kind, work, half) for half in (slice(rows.start, middle), slice(middle, rows.stop))]
    return [joined(parts) for parts in zip(*halves, strict=True)]


def warn(kind: str, n: int) -> None:
    """Remember that n rows do not fit, and warn the first time."""
    if kind not in TOO_MANY:
        print(
            f"warning: {kind}: a batch of {n} does not fit into this GPU's memory; it and later batches are halved.",
            flush=True,
        )
    TOO_MANY[kind] = min(n, TOO_MANY.get(kind, n))


def joined(parts: Sequence[Rows]) -> Rows:
    if isinstance(parts[0], Tensor):
        return torch.cat(list(parts))
    return np.concatenate(list(parts))
