"""Batches that are too large for a GPU's memory are halved, and the log says so."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from ..utils.errors import ResultError

Rows = TypeVar("Rows", Tensor, np.ndarray)


def work_in_halves(work: Callable[[slice], Sequence[Rows]], rows: slice) -> list[Rows]:
    """work(rows), arrays with one row for each of `rows`; where memory is short, of each half by itself, joined.

    Computed beside fewer others, an image can differ in its last digits. Raises ResultError where one is too much.
    """
    try:
        return list(work(rows))
    except torch.OutOfMemoryError as error:
        short = str(error)
    # outside of the handler, which would keep what the failed attempt holds
    n = rows.stop - rows.start
    if n == 1:
        raise ResultError(f"not even one image fits into this GPU's memory, which others may use, too: {short}")
    print(f"warning: a batch of {n} does not fit into this GPU's memory, so it is halved.", flush=True)
    torch.cuda.empty_cache()
    middle = rows.start + n // 2
    halves = [work_in_halves(work, half) for half in (slice(rows.start, middle), slice(middle, rows.stop))]
    return [joined(parts) for parts in zip(*halves, strict=True)]


def joined(parts: Sequence[Rows]) -> Rows:
    if isinstance(parts[0], Tensor):
        return torch.cat(list(parts))
    return np.concatenate(list(parts))
