"""Files of arrays: SVHN's .mat, .npy, MNIST's IDX, and the records of tiny_images.bin."""

from pathlib import Path

import numpy as np
import scipy.io
from numpy.typing import NDArray

from ...errors import DataError
from .members import bad, check_count, gunzipped, reading, tar_members


def svhn_mat(path: Path, count: int) -> tuple[NDArray[np.uint8], NDArray[np.int64], list[str]]:
    """Images (count, 32, 32, 3), labels (count,) and their names of SVHN's {train,test}_32x32.mat.

    Raises DataError where it is damaged or has another count.
    """
    with reading(path, "its header"), path.open("rb") as file:  # of a missing path scipy makes another error
        shapes = {name: shape for name, shape, _ in scipy.io.whosmat(file)}
    # before the arrays are unpacked, so that a small file cannot fill the memory
    found = shapes.get("X", (0,))[-1]
    if shapes.get("X") != (32, 32, 3, found) or shapes.get("y") != (found, 1):
        raise bad(path, f"it holds {shapes} where X (32, 32, 3, N) and y (N, 1) belong")
    check_count(path, found, count)
    with reading(path, "X or y"), path.open("rb") as file:
        contents = scipy.io.loadmat(file, variable_names=("X", "y"))
        images, labels = contents["X"], contents["y"][:, 0].astype(np.int64)
    if images.dtype != np.uint8 or not np.isin(labels, range(1, 11)).all():
        raise bad(path, "X is not of bytes, or y not of 1 to 10")
    return images.transpose(3, 0, 1, 2), labels % 10, [str(digit) for digit in range(10)]  # 10 stands for 0


def npy_images(path: Path, count: int) -> NDArray[np.uint8]:
    """Images (count, 32, 32, 3) of a .npy (300K Random Images), mapped rather than read.

    Raises DataError where it is truncated, of another shape or dtype, or would have to be unpickled.
    """
    with reading(path, "its array"):
        images = np.load(path, mmap_mode="r", allow_pickle=False)
        if images.dtype != np.uint8 or images.shape[1:] != (32, 32, 3):
            raise ValueError(f"{images.dtype} of shape {images.shape}")
    check_count(path, len(images), count)
    return images


def read_idx(path: Path) -> NDArray[np.uint8]:
    """A gzipped IDX file of unsigned bytes (the format of MNIST). Raises DataError where it is damaged."""
    content = gunzipped(path)
    with reading(path, "its array"):
        zeros, kind, rank = content[:2], content[2], content[3]
        if zeros != b"\0\0" or kind != 8:
            raise ValueError("no IDX file of unsigned bytes")
        shape = np.frombuffer(content, dtype=">u4", count=rank, offset=4)
        return np.frombuffer(content, dtype=np.uint8, offset=4 + 4 * rank).reshape(shape.tolist())


FASHION_CLASSES = ["T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"]


# --- 80 Million Tiny Images, for those who hold them: withdrawn in 2020, and never downloaded ---------------------

RECORD = 3 * 32 * 32  # bytes


def tiny_images_bin(
    path: Path, indices: NDArray[np.int64], excluded: NDArray[np.int64], seed: int, count: int
) -> NDArray[np.uint8]:
    """Images (n, 32, 32, 3) number `indices` (n,), from 0, of tiny_images.bin, which holds `count` images.

    In place of an image in `excluded`, ascending, comes a uniform random one that isn't, a pure function of the seed
    and its index. So sets read in parts are those read at once. Source: the authors' generation script.
    Raises DataError for another size of file, and ValueError for indices beyond it.
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
    # Fortran order: columns of the red plane come first
    return np.ascontiguousarray(records[chosen].reshape(-1, 3, 32, 32).transpose(0, 3, 2, 1))


def excluded_ids(lists: dict[Path, int], count: int) -> NDArray[np.int64]:
    """Sorted indices from 0 of lists of one index a line; `lists` says what each list's first image is numbered.

    A list is a text file, or a tar of such files, as is CEDA's. Hendrycks' list counts from 1, CEDA's and RATIO's from
    0. Raises DataError for other lines and indices.
    """
    parts = [np.empty(0, np.int64)]
    for path, first in lists.items():
        with reading(path, "its lines"):
            ids = np.array(_words(path), np.int64) - first
            if ids.min(initial=0) < 0 or ids.max(initial=0) >= count:
                raise ValueError(f"indices {ids.min()} to {ids.max()} of {count} images")
        parts.append(ids)
    ids = np.unique(np.concatenate(parts))
    if len(ids) >= count:
        raise DataError("the lists exclude every image of tiny_images.bin: name those of its data set.")
    return ids


def _words(path: Path) -> list[bytes]:
    """All lines of a text file, or of the files in a tar."""
    if path.suffix != ".tar":
        return path.read_bytes().split()
    with path.open("rb") as file:
        places = [(member.offset_data, member.size) for member in tar_members(file, path, 0, path.stat().st_size)]
        return [word for offset, size in places if file.seek(offset) >= 0 for word in file.read(size).split()]


def _contains(ascending: NDArray[np.int64], values: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which values occur in the ascending array; much faster than np.isin where they are few."""
    places = np.searchsorted(ascending, values)
    return np.append(ascending, -1)[places] == values
