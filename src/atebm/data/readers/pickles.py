"""Archives of pickles, CIFAR's and ImageNet-32's, through an unpickler that imports nothing."""

import io
import pickle
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from .members import bad, check_count, gunzipped, reading, tar_members, zip_members

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
    """Images (count, 32, 32, 3), labels (count,) and the labels' names of CIFAR-10's or CIFAR-100's python .tar.gz.

    split: `train` or `held_out`, its test split. Raises DataError for a damaged or unsafe archive or another count.
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
            return restricted_load(io.BytesIO(content[offset : offset + size]))

    layout = FOLDERS[folder]
    batches = [_batch(unpickled(name), layout["labels"], archive, f"{folder}/{name}", 32) for name in layout[split]]
    images, labels = (np.concatenate(parts) for parts in zip(*batches, strict=True))
    check_count(archive, len(images), count)
    with reading(archive, f"member {folder}/{layout['meta']}"):
        classes = [str(name) for name in unpickled(layout["meta"])[layout["names"]]]
    if labels.min() < 0 or labels.max() >= len(classes):
        raise bad(archive, f"its labels are not all of its {len(classes)} classes")
    return images, labels, classes


def imagenet32_zips(archive: Path, count: int) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.int64]]]:
    """Images (n, 32, 32, 3) and labels (n,), from 0, of one pickle of Imagenet32_train.zip or _val.zip after another.

    Only one pickle (0.4 GB) is in memory at a time. Raises DataError for a damaged or unsafe archive, and, after the
    last pickle, for another count.
    """
    with reading(archive, "its directory"):
        file = zipfile.ZipFile(archive)
    with file:
        names = [member.filename for member in zip_members(file, archive)]
        batches = [name for name in names if PurePosixPath(name).name.startswith(("train_data_batch_", "val_data"))]
        found = 0
        for name in sorted(batches, key=lambda name: (len(name), name)):  # batch 10 after batch 9
            with reading(archive, f"member {name!r}"), file.open(name) as stream:
                contents = restricted_load(stream)
                stream.read()  # to its end, where zipfile checks the CRC
            images, labels = _batch(contents, "labels", archive, name, 32)
            found += len(images)
            yield images, labels - 1
    check_count(archive, found, count)


def _batch(
    contents: dict[str, Any], key: str, archive: Path, name: str, side: int
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Images (n, side, side, 3) and labels (n,) of a pickled batch, whose rows are red, green and blue planes."""
    with reading(archive, f"member {name!r}"):
        data = contents["data"]
        labels = np.array(contents[key], np.int64)
        if data.dtype != np.uint8 or data.shape != (len(labels), 3 * side**2):
            raise ValueError(f"{data.dtype} of shape {data.shape} for {len(labels)} labels")
    return data.reshape(-1, 3, side, side).transpose(0, 2, 3, 1), labels


# --- the unpickler ----------------------------------------------------------------------------------------------


def restricted_load(file: IO[bytes]) -> dict[str, Any]:
    """The dict of a pickle, by Python 2 or 3, of numbers, strings, lists and dicts, and arrays of numbers as values.

    Keys are str: Python 2's strings are read as Latin-1. Raises UnpicklingError for whatever else the pickle would
    have imported, and whatever `pickle` raises for damaged ones.
    """
    contents = _Unpickler(file, encoding="latin1").load()
    if not isinstance(contents, dict):
        raise pickle.UnpicklingError("no dict")
    return {
        key.decode("latin1") if isinstance(key, bytes) else key: value.array if isinstance(value, _Array) else value
        for key, value in contents.items()
    }


class _Dtype:
    """What `numpy.dtype` is in a pickle. Its own state could describe memory that isn't there, hence this."""

    __slots__ = ("dtype",)

    def __init__(self, code: str, *_: Any):
        if code not in ("u1", "i4", "i8", "f4", "f8"):
            raise pickle.UnpicklingError(f"arrays of {code!r} do not belong there")
        self.dtype = np.dtype(code)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.dtype = self.dtype.newbyteorder(state[1])


class _Array:
    """What `_reconstruct` makes in a pickle: an empty array, whose state then tells shape, type and bytes."""

    __slots__ = ("array",)

    def __init__(self, *_: Any):
        self.array: NDArray[Any] = np.empty(0)

    def __setstate__(self, state: tuple[int, tuple[int, ...], _Dtype, bool, bytes | str]) -> None:
        _, shape, kind, fortran, raw = state
        data = raw.encode("latin1") if isinstance(raw, str) else raw
        self.array = np.frombuffer(data, kind.dtype).reshape(shape, order="F" if fortran else "C")


ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"): _Array,  # before NumPy 2
    ("numpy._core.multiarray", "_reconstruct"): _Array,
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Dtype,
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ALLOWED:
            raise pickle.UnpicklingError(f"it would run {module}.{name}, which does not belong there")
        return ALLOWED[module, name]
