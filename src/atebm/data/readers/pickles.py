"""Archives of pickles (CIFAR and ImageNet-32), read by an unpickler that imports nothing."""

import io
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from ...archives.members import CHUNK, bad, check_count, gunzipped, open_zip, reading, tar_members, zip_members
from ...utils.unpickling import Data, UnpicklingError

FOLDERS: dict[str, dict[str, Any]] = {
    "cifar-10-batches-py": {
        "train": [f"data_batch_{i}" for i in range(1, 6)],
        "held_out": ["test_batch"],
        "labels": "labels",
        "meta": "batches.meta",
        "names": "label_names",
    },
    "cifar-100-python": {
        "train": ["train"],
        "held_out": ["test"],
        "labels": "fine_labels",
        "meta": "meta",
        "names": "fine_label_names",
    },
}


def cifar_pickles(archive: Path, split: str, count: int) -> tuple[NDArray[np.uint8], NDArray[np.int64], list[str]]:
    """Return images (count, 32, 32, 3), labels (count,) and label names from the Python .tar.gz of CIFAR-10 or -100.

    split: `train`, or `held_out` for the test split. Raises DataError for a damaged or unsafe archive, or another
    count.
    """
    content = gunzipped(archive)
    members = {
        str(PurePosixPath(member.name)): (member.offset_data, member.size)
        for member in tar_members(io.BytesIO(content), archive, 0, len(content))
    }
    folder = next((name for name in FOLDERS if any(member.startswith(f"{name}/") for member in members)), None)
    if folder is None:
        raise bad(archive, f"it has none of the folders {' and '.join(FOLDERS)}")

    def unpickled(name: str) -> dict[str, Any]:
        with reading(archive, f"member {folder}/{name}"):
            offset, size = members[f"{folder}/{name}"]
            return restricted_load(io.BytesIO(content[offset : offset + size]), size)

    layout = FOLDERS[folder]
    batches = [_batch(unpickled(name), layout["labels"], archive, f"{folder}/{name}", 32) for name in layout[split]]
    images, labels = (np.concatenate(parts) for parts in zip(*batches, strict=True))
    check_count(archive, len(images), count)
    with reading(archive, f"member {folder}/{layout['meta']}"):
        classes = unpickled(layout["meta"])[layout["names"]]
        if not isinstance(classes, list) or not all(isinstance(name, str) for name in classes):
            raise ValueError(f"{layout['names']} is not a list of names")
    if labels.min() < 0 or labels.max() >= len(classes):
        raise bad(archive, f"some labels are not among its {len(classes)} classes")
    return images, labels, classes


def imagenet32_zips(archive: Path, count: int) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.int64]]]:
    """Yield images (n, 32, 32, 3) and labels (n,), counted from 0, for each pickle of Imagenet32_train.zip or _val.zip.

    Only one pickle (0.4 GB) is in memory at a time. Raises DataError for a damaged or unsafe archive, and after the
    last pickle for another count.
    """
    with open_zip(archive) as file:
        sizes = {member.filename: member.file_size for member in zip_members(file, archive)}
        batches = [name for name in sizes if PurePosixPath(name).name.startswith(("train_data_batch_", "val_data"))]
        found = 0
        for name in sorted(batches, key=lambda name: (len(name), name)):  # batch 10 after batch 9
            with reading(archive, f"member {name!r}"), file.open(name) as stream:
                contents = restricted_load(stream, sizes[name])
                while stream.read(CHUNK):  # read to the end, where zipfile checks the CRC
                    pass
            images, labels = _batch(contents, "labels", archive, name, 32)
            found += len(images)
            yield images, labels - 1
    check_count(archive, found, count)


def _batch(
    contents: dict[str, Any], key: str, archive: Path, name: str, side: int
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return images (n, side, side, 3) and labels (n,) of a batch, whose rows have red, green and blue planes."""
    with reading(archive, f"member {name!r}"):
        data = _array(contents["data"], "data")
        labels = _labels(contents[key])
        if data.dtype != np.uint8 or data.shape != (len(labels), 3 * side**2):
            raise ValueError(f"its images are {data.dtype} of shape {data.shape}, with {len(labels)} labels")
    return data.reshape(-1, 3, side, side).transpose(0, 2, 3, 1), labels


def _labels(value: Any) -> NDArray[np.int64]:
    """Return labels (n,) from a list or an array of whole numbers. Raises ValueError for anything else."""
    if isinstance(value, _Array):
        labels = _array(value, "labels")
        if labels.ndim != 1 or labels.dtype.kind not in "iu":
            raise ValueError(f"labels are {labels.dtype} of shape {labels.shape}")
        return labels.astype(np.int64)
    # a list can contain one list many times, and would become an array of any size
    if not isinstance(value, list) or not all(type(label) is int for label in value):
        raise ValueError("labels are not a list of whole numbers")
    return np.array(value, np.int64)


# --- the unpickler ----------------------------------------------------------------------------------------------


def restricted_load(file: IO[bytes], size: int) -> dict[str, Any]:
    """Return the dict in a pickle of `size` bytes, from Python 2 or 3, with numbers, strings, lists, dicts and arrays.

    Keys are str; Python 2's strings are read as Latin-1. Raises UnpicklingError if the pickle would import anything
    else, and the errors of `pickle` if it is damaged.
    """
    contents = Data(file, size, PARTS).load()
    if not isinstance(contents, dict):
        raise UnpicklingError("it is not a dict")
    return {key.decode("latin1") if isinstance(key, bytes) else key: value for key, value in contents.items()}


class _Dtype:
    """A replacement for `numpy.dtype` in a pickle, whose own state could describe memory that does not exist."""

    __slots__ = ("dtype",)

    def __init__(self, code: Any, *_: Any):
        if not isinstance(code, str) or code not in ("u1", "i4", "i8", "f4", "f8"):
            raise UnpicklingError(f"arrays of {code!r} do not belong there" if isinstance(code, str) else "no dtype")
        self.dtype = np.dtype(code)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        if state[1] in ("<", ">"):
            self.dtype = self.dtype.newbyteorder(state[1])


class _Array:
    """A replacement for an array in a pickle: its state has the shape, type and bytes of an array that is not made yet.

    Many arrays can share the same string of bytes, so an array is made only if it is needed.
    """

    __slots__ = ("state",)

    def __init__(self, *_: Any):
        self.state: tuple[Any, ...] = ()

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.state = state


def _array(value: Any, name: str) -> NDArray[Any]:
    """Return the array of an unpickled value. Raises ValueError for anything else."""
    if not isinstance(value, _Array) or len(value.state) != 5:
        raise ValueError(f"{name} is not an array")
    _, shape, kind, fortran, raw = value.state
    data = raw.encode("latin1") if isinstance(raw, str) else raw
    if not isinstance(kind, _Dtype) or not isinstance(data, bytes) or not all(type(side) is int for side in shape):
        raise ValueError(f"{name} is not an array of numbers")
    return np.frombuffer(data, kind.dtype).reshape(shape, order="F" if fortran else "C")


def _encoded(text: Any, encoding: Any) -> bytes:
    """Replace `_codecs.encode` in a pickle: Python 3 writes bytes in this way in Python 2's format."""
    if not isinstance(text, str) or encoding != "latin1":
        raise UnpicklingError("an encoded value is not bytes")
    return text.encode("latin1")


PARTS = {
    ("_codecs", "encode"): _encoded,
    ("numpy.core.multiarray", "_reconstruct"): _Array,  # before NumPy 2
    ("numpy._core.multiarray", "_reconstruct"): _Array,
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Dtype,
}
