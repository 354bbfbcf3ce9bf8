"""Write and join arrays part by part, so that memory does not grow with their length. No torch."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from zipfile import ZipFile

import numpy as np
from numpy.typing import DTypeLike, NDArray


@dataclass(frozen=True)
class Rows:
    """Rows `start` to `stop` of the array in a .npy file, which stay on disk; `rows[i:j]` copies some of them.

    The file is mapped again for each part, since a mapping's pages count as this process's memory while it exists.
    """

    path: Path
    start: int
    stop: int

    @classmethod
    def of(cls, path: Path, n: int | None = None) -> "Rows":
        """Return the first `n` rows, or all."""
        return cls(path, 0, len(np.load(path, mmap_mode="r")[:n]))

    def __len__(self) -> int:
        return self.stop - self.start

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self), *np.load(self.path, mmap_mode="r").shape[1:])

    def __getitem__(self, rows: slice) -> NDArray[Any]:
        first, end, _ = rows.indices(len(self))
        return np.array(np.load(self.path, mmap_mode="r")[self.start + first : self.start + end])

    def split(self, count: int) -> "list[Rows]":
        """Split into `count` parts, like np.array_split."""
        parts = np.array_split(np.arange(self.start, self.stop), count)
        return [Rows(self.path, int(part[0]), int(part[-1]) + 1) for part in parts]

    def first(self, n: int) -> "Rows":
        return Rows(self.path, self.start, min(self.start + n, self.stop))


def begin_npy(file: IO[bytes], dtype: DTypeLike, shape: Sequence[int]) -> None:
    """Write the header of a .npy file; the rows of an array of that shape follow, in C order, by `append`."""
    header = {"descr": np.dtype(dtype).str, "fortran_order": False, "shape": tuple(shape)}
    np.lib.format.write_array_header_1_0(file, header)


def append(file: IO[bytes], rows: NDArray[Any]) -> None:
    file.write(np.ascontiguousarray(rows).data)


def add_arrays(archive: ZipFile, columns: Mapping[str, NDArray[Any]]) -> None:
    """Add whole arrays to an .npz file that is being written."""
    for name, column in columns.items():
        with archive.open(f"{name}.npy", "w") as file:
            np.lib.format.write_array(file, column, allow_pickle=False)


def join(file: IO[bytes], archives: Sequence[Path], name: str) -> None:
    """Write the arrays `name` of several .npz files as one .npy, in order; they may differ only in length."""
    shapes = []
    for path in archives:
        with ZipFile(path) as archive, archive.open(f"{name}.npy") as part:
            shape, dtype = header_of(part)
            shapes.append(shape)
    begin_npy(file, dtype, (sum(shape[0] for shape in shapes), *shapes[0][1:]))
    for path in archives:
        with ZipFile(path) as archive, archive.open(f"{name}.npy") as part:
            header_of(part)
            shutil.copyfileobj(part, file)


def header_of(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Read the header of a .npy file by `begin_npy` or numpy, and return the array's shape and type.

    The rows follow in the file.
    """
    np.lib.format.read_magic(file)
    shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    return shape, dtype
