"""Array files: SVHN's .mat, .npy and .npz, MNIST's IDX, and the records of tiny_images.bin."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO
from zipfile import ZipFile, ZipInfo

import numpy as np
import scipy.io
from numpy.typing import NDArray

from ...archives.members import (
    MAX_NAME,
    SMALL,
    bad,
    check_count,
    gunzipped,
    open_zip,
    reading,
    tar_members,
    unpacked_member,
    zip_members,
)
from ...config.sets import FASHION
from ...utils.errors import DataError
from ...utils.npy import header_of
from .mats import checked


def svhn_mat(path: Path, count: int) -> tuple[NDArray[np.uint8], NDArray[np.int64], list[str]]:
    """Return images (count, 32, 32, 3), labels (count,) and label names from SVHN's {train,test}_32x32.mat.

    Raises DataError if it is damaged or has another count.
    """
    most = SMALL + 2 * count * 32 * 32 * 3
    with reading(path, "its header"):
        if path.stat().st_size > most:
            raise ValueError(f"it has more than {most} bytes")
        file = checked(path.read_bytes(), most)
        variables = scipy.io.whosmat(file)
    shapes = {name: shape for name, shape, _ in variables}
    # checked before the arrays are made, so that a small file cannot fill the memory
    found = shapes.get("X", (0,))[-1]
    if shapes.get("X") != (32, 32, 3, found) or shapes.get("y") != (found, 1) or len(variables) != len(shapes):
        raise bad(path, f"it holds {shapes} instead of X (32, 32, 3, N) and y (N, 1)")
    check_count(path, found, count)
    with reading(path, "X or y"):
        contents = scipy.io.loadmat(file, variable_names=("X", "y"))
        images, labels = contents["X"], contents["y"][:, 0].astype(np.int64)
    if images.dtype != np.uint8 or not np.isin(labels, range(1, 11)).all():
        raise bad(path, "X does not have bytes, or y does not have values from 1 to 10")
    return images.transpose(3, 0, 1, 2), labels % 10, [str(digit) for digit in range(10)]  # label 10 is the digit 0


MAX_NPY_HEADER = 2**14  # bytes; numpy accepts 10,000


def npy_images(path: Path, count: int) -> NDArray[np.uint8]:
    """Return images (count, 32, 32, 3) from a .npy (300K Random Images), memory-mapped.

    Raises DataError if it is truncated, has another shape or dtype, or would need unpickling.
    """
    with reading(path, "its array"):
        with path.open("rb") as file:
            shape, dtype = header_of(io.BytesIO(file.read(MAX_NPY_HEADER)))
        if dtype != np.uint8 or shape[1:] != (32, 32, 3):
            raise ValueError(f"{dtype} of shape {shape}")
        check_count(path, shape[0], count)
        return np.load(path, mmap_mode="r", allow_pickle=False)


def npz_arrays(path: Path, shapes: dict[str, tuple[int, ...]]) -> list[NDArray[np.float64]]:
    """Return the named arrays of numbers from an .npz.

    Raises DataError if it is damaged, or if an array has another shape.
    """
    with open_zip(path) as file:
        members = {member.filename: member for member in zip_members(file, path)}
        with reading(path, " or ".join(shapes)):
            return [_npz_array(file, members[f"{name}.npy"], shape) for name, shape in shapes.items()]


def _npz_array(file: ZipFile, member: ZipInfo, expected: tuple[int, ...]) -> NDArray[np.float64]:
    content = io.BytesIO(unpacked_member(file, member.filename, member.file_size))
    shape, dtype = header_of(content)
    if shape != expected or dtype.kind != "f":
        raise ValueError(f"{dtype} of shape {shape} instead of floats of shape {expected}")
    content.seek(0)
    return np.lib.format.read_array(content, allow_pickle=False).astype(np.float64)


def read_idx(path: Path) -> NDArray[np.uint8]:
    """Return the array in a gzipped IDX file of unsigned bytes (MNIST's format). Raises DataError if it is damaged."""
    content = gunzipped(path)
    with reading(path, "its array"):
        zeros, kind, rank = content[:2], content[2], content[3]
        if zeros != b"\0\0" or kind != 8:
            raise ValueError("it is not an IDX file of unsigned bytes")
        shape = np.frombuffer(content, dtype=">u4", count=rank, offset=4)
        return np.frombuffer(content, dtype=np.uint8, offset=4 + 4 * rank).reshape(shape.tolist())


FASHION_CLASSES = list(FASHION)


# --- 80 Million Tiny Images, for users who have them: withdrawn in 2020, and never downloaded here ----------------

RECORD = 3 * 32 * 32  # bytes per image


def tiny_images_bin(
    path: Path, indices: NDArray[np.int64], excluded: NDArray[np.int64], seed: int, count: int
) -> NDArray[np.uint8]:
    """Return the images (n, 32, 32, 3) with `indices` (n,), from 0, of tiny_images.bin, which has `count` images.

    An image in `excluded`, ascending, is replaced by a uniformly random one that is not, as a pure function of the seed
    and the index, so that a set does not depend on the parts in which it is read. Source: the authors' generation
    script. Raises DataError if the file has another size, and ValueError for indices beyond it.
    """
    with reading(path, "its records"):
        size = path.stat().st_size
        if size != count * RECORD:
            raise ValueError(f"{size} bytes, not {count} records of {RECORD}")
        records = np.memmap(path, np.uint8, "r", shape=(count, RECORD))
    if indices.min(initial=0) < 0 or indices.max(initial=0) >= count:
        raise ValueError(f"there is no image {indices.min()} or {indices.max()} of {count}")
    chosen = indices.copy()
    for position in np.flatnonzero(_contains(excluded, indices)):
        random = np.random.default_rng([seed, indices[position]])
        while _contains(excluded, chosen[position]):
            chosen[position] = random.integers(count)
    # records are in Fortran order: the columns of the red plane come first
    return np.ascontiguousarray(records[chosen].reshape(-1, 3, 32, 32).transpose(0, 3, 2, 1))


BLOCK = 1 << 20  # bytes of a list read at once


def excluded_ids(lists: dict[Path, int], count: int) -> NDArray[np.int64]:
    """Return the sorted indices, counted from 0, in lists with one index per line; `lists` has each list's first index.

    A list is a text file, or a tar of such files like CEDA's. Hendrycks' list counts from 1, CEDA's and RATIO's from 0.
    Raises DataError for lines that are not indices, and if the lists have most of the images.
    """
    parts = [np.empty(0, np.int64)]
    for path, first in lists.items():
        with reading(path, "its lines"), path.open("rb") as file:
            for words in _words(file, path):
                ids = np.array(words, np.int64) - first
                if ids.min(initial=0) < 0 or ids.max(initial=0) >= count:
                    raise ValueError(f"it has indices {ids.min()} to {ids.max()}, but there are {count} images")
                parts.append(ids)
    ids = np.unique(np.concatenate(parts))
    if 2 * len(ids) > count:  # random draws would rarely hit an image that is not excluded
        raise DataError(
            f"the lists exclude {len(ids)} of {count} images of tiny_images.bin: use the lists for this data set."
        )
    return ids


def _words(file: BinaryIO, path: Path) -> Iterator[list[bytes]]:
    """Yield the words of a text file, or of the files in a tar, in parts."""
    places = [(0, path.stat().st_size)]
    if path.suffix == ".tar":
        members = tar_members(file, path, 0, path.stat().st_size)
        places = [(member.offset_data, member.size) for member in members]
    for offset, size in places:
        file.seek(offset)
        rest = b""
        for start in range(0, size, BLOCK):
            text = rest + file.read(min(BLOCK, size - start))
            words = text.split()
            rest = words.pop() if words and not text[-1:].isspace() else b""
            if len(rest) > MAX_NAME:
                raise ValueError("a word is too long for a number")
            yield words
        yield rest.split()


def _contains(ascending: NDArray[np.int64], values: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which values occur in the ascending array; for few values, this is much faster than np.isin."""
    places = np.searchsorted(ascending, values)
    return np.append(ascending, -1)[places] == values
