"""Batches that are too large for a GPU's memory are halved, and the log says so."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from ..utils.errors import ResultError

Rows = TypeVar("Rows", Tensor, np.ndarray)

TOO_MANY: dict[str, int] = {}  # by kind of work, the fewest rows that did not fit, for as long as this process lives


def work_in_halves(kind: str, work: Callable[[slice], Sequence[Rows]], rows: slice) -> list[Rows]:
    """work(rows), arrays with one row for each of `rows`; where memory is short, of each half by itself, joined.

    What did not fit is not tried again with work of the same kind, whose later batches are halved at once. Computed
    beside fewer others, an image can differ in its last digits. Raises ResultError where one is too much.
    """
    n, short = rows.stop - rows.start, ""
    if n == 1 or n < TOO_MANY.get(kind, n + 1):
        try:
            return list(work(rows))
        except torch.OutOfMemoryError as error:
            short = str(error)
        # outside of the handler, which would keep what the failed attempt holds
        warn(kind, n)
        torch.cuda.empty_cache()
    if n == 1:
        raise ResultError(f"not even one image fits into this GPU's memory, which others may use, too: {short}")
    middle = rows.start + n // 2
    halves = [work_in_halves(kind, work, half) for half in (slice(rows.start, middle), slice(middle, rows.stop))]
    return [joined(parts) for parts in zip(*halves, strict=True)]


def warn(kind: str, n: int) -> None:
    """Note that n rows do not fit, and say so the first time."""
    if kind not in TOO_MANY:
        print(
            f"warning: {kind}: a batch of {n} does not fit into this GPU's memory, so it is halved, as are those after "
            "it.",
            flush=True,
        )
    TOO_MANY[kind] = min(n, TOO_MANY.get(kind, n))


def joined(parts: Sequence[Rows]) -> Rows:
    if isinstance(parts[0], Tensor):
        return torch.cat(list(parts))
    return np.concatenate(list(parts))
