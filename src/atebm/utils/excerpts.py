"""Read rows of stored arrays, note which were read, and keep just these in a file."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .errors import ResultError
from .files import atomic


@dataclass(frozen=True)
class Stored:
    """An array (N, ...) in a file, or some rows of it, indexed like a numpy array; it notes which rows are read."""

    path: Path
    values: NDArray[Any]  # memory-mapped if it is the whole array
    length: int  # N
    rows: NDArray[np.int64] | None = None  # row numbers of `values`, ascending; None: all rows
    read: set[int] = field(default_factory=set)

    @classmethod
    def whole(cls, path: Path, read: set[int]) -> "Stored":
        """Return the array in a .npy file."""
        values = np.load(path, mmap_mode="r")
        return cls(path, values, len(values), None, read)

    @classmethod
    def excerpt(cls, path: Path, read: set[int]) -> "Stored":
        """Return the rows of an array that `write_excerpt` kept."""
        with np.load(path) as file:
            return cls(path, file["values"], int(file["length"]), file["rows"], read)

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.length, *self.values.shape[1:])

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, key: Any) -> NDArray[Any]:
        """Return a copy of rows, or of a part of each: `stored[:8]`, `stored[numbers]`, `stored[:, 0]`.

        Raises ResultError for a row that an excerpt lacks.
        """
        first, *rest = key if isinstance(key, tuple) else (key,)
        wanted = np.arange(self.length)[first]
        self.read.update(np.unique(wanted).tolist())
        part = np.array(self.values[self.places(wanted)])
        if not rest:
            return part
        return np.asarray(part[(slice(None), *rest)] if np.ndim(wanted) else part[tuple(rest)])

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self[:], dtype=dtype)

    def places(self, wanted: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the positions in `values` of some rows of the array."""
        if self.rows is None:
            return wanted
        if missing := sorted(set(np.unique(wanted).tolist()) - set(self.rows.tolist())):
            raise ResultError(
                f"{self.path} lacks row {missing[0]}, which is needed now: compute the step that it is an excerpt of, "
                "with --config numbers=computed."
            )
        return np.searchsorted(self.rows, wanted)


def write_excerpt(path: Path, whole: Path, rows: Iterable[int]) -> None:
    """Write rows of the array in the .npy file `whole` as a compressed .npz; equal rows give equal bytes."""
    values, chosen = np.load(whole, mmap_mode="r"), np.array(sorted(rows), np.int64)
    with atomic(path) as temporary:
        np.savez_compressed(temporary, rows=chosen, values=values[chosen], length=len(values))


def trim_excerpt(path: Path, rows: Iterable[int]) -> None:
    """Reduce an excerpt to those of its rows that are in `rows`."""
    kept = Stored.excerpt(path, set())
    assert kept.rows is not None
    chosen = np.array(sorted(set(rows) & set(kept.rows.tolist())), np.int64)
    if len(chosen) < len(kept.rows):
        with atomic(path) as temporary:
            np.savez_compressed(temporary, rows=chosen, values=kept[chosen], length=kept.length)


def ranges(rows: Iterable[int]) -> str:
    """Return row numbers as short text: "0-23 40"."""
    parts: list[list[int]] = []
    for row in sorted(rows):
        if parts and row == parts[-1][-1] + 1:
            parts[-1][1:] = [row]
        else:
            parts.append([row])
    return " ".join("-".join(map(str, part)) for part in parts)


def rows_of(text: str) -> set[int]:
    """Return the row numbers in a text from `ranges`."""
    bounds = [[int(bound) for bound in part.split("-")] for part in text.split()]
    return {row for first, *last in bounds for row in range(first, (last or [first])[0] + 1)}
