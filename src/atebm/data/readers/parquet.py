"""Parquet shards of image sets on the Hugging Face Hub: a column of image files, and optionally one of labels.

An image is a struct with its file's `bytes` and `path`, or only the bytes. The names of the classes are in the schema's
metadata, as written by the package `datasets`.
"""

import json
from collections.abc import Iterator
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray
from PIL import Image
from pyarrow import types

from ...archives.members import MAX_IMAGE, bad, check_count, reading
from ...utils.errors import DataError
from .images import Entries, Pictures, decode, entries_of, names_of

MAX_GROUP = 2**31  # bytes of a group of rows, which is in memory at once; `datasets` writes groups of 100 or 1,000


class Rows(NamedTuple):
    """The images of some shards, and their labels."""

    pictures: Pictures
    labels: NDArray[np.int64]  # (N,)
    classes: list[str]


def parquet_rows(
    folder: Path, shards: list[str], image: str | None, label: str | None, only: tuple[str, ...], count: int
) -> Rows:
    """Return the rows of shards below a folder, in order; if `only` names classes, the rows of these.

    An entry's offset is its row. Raises DataError if a shard is damaged, if a column is missing or has something else,
    and for another count.
    """
    found: list[tuple[str, int, int]] = []
    labels, classes, column = [], [""], ""
    for shard in shards:
        path = folder / shard
        with reading(path, "its footer"), pq.ParquetFile(path) as file:
            schema, n = file.schema_arrow, file.metadata.num_rows
            column = image_column(schema, image)
            if label is not None:
                classes = names_of_classes(schema, label)
                own = file.read(columns=[label]).column(label).to_numpy().astype(np.int64)
            else:
                own = np.zeros(n, np.int64)
        if absent := set(only) - set(classes):
            raise DataError(f"{path}: there is no label {min(absent)!r}; it has: {', '.join(classes)}.")
        kept = np.isin(own, [classes.index(name) for name in only]) if only else np.ones(n, bool)
        found += [(shard, row, 0) for row in np.flatnonzero(kept).tolist()]
        labels.append(own[kept])
    check_count(folder, len(found), count)
    read = partial(read_rows, column)
    return Rows(Pictures(folder, entries_of(found), read), np.concatenate(labels), classes)


def image_column(schema: Any, name: str | None) -> str:
    """Return the column of images: `name`, or else the first suitable column. Raises ValueError if there is none."""
    able = [field.name for field in schema if is_image_type(field.type)]
    name = name or next(iter(able), None)
    if name is None or name not in able:
        raise ValueError(f"it has columns {', '.join(schema.names)}; columns of images: {', '.join(able) or 'none'}")
    return name


def is_image_type(kind: Any) -> bool:
    binary = (types.is_binary, types.is_large_binary)
    if types.is_struct(kind):
        return any(field.name == "bytes" and any(of(field.type) for of in binary) for field in kind)
    return any(of(kind) for of in binary)


def names_of_classes(schema: Any, label: str) -> list[str]:
    """Return the names of the values 0, 1, ... in a column of labels. Raises ValueError if the metadata has none."""
    metadata = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
    names = metadata.get("info", {}).get("features", {}).get(label, {}).get("names")
    if not names:
        raise ValueError(f"it does not name the labels of column {label!r}")
    return [str(name) for name in names]


def read_rows(column: str, folder: Path, entries: Entries) -> Iterator[Image.Image]:
    """Yield the images of some rows of shards below a folder."""
    for shard, row in zip(names_of(entries), entries["offset"].tolist(), strict=True):
        path = folder / shard
        with reading(path, f"row {row}"):
            starts = group_starts(path)
            group = int(np.searchsorted(starts, row, "right")) - 1
            value = read_group(path, group, column)[row - int(starts[group])].as_py()
            data = value["bytes"] if isinstance(value, dict) else value
            if data is None:
                raise ValueError("it has only the name of an image file, not its bytes")
            if len(data) > MAX_IMAGE:
                raise bad(path, f"the image of row {row} is too large ({len(data)} bytes)")
        yield decode(data, path, f"row {row}")


@lru_cache(maxsize=64)
def group_starts(path: Path) -> NDArray[np.int64]:
    """Return the first row of each group of a shard."""
    metadata = pq.read_metadata(path)
    sizes = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
    return np.cumsum([0, *sizes[:-1]])


@lru_cache(maxsize=1)
def read_group(path: Path, group: int, column: str) -> Any:
    """Return one group of a shard's images, cached until another is read, since rows are read in order."""
    with pq.ParquetFile(path) as file:
        size = file.metadata.row_group(group).total_byte_size
        if size > MAX_GROUP:
            raise bad(path, f"its row group {group} is too large ({size} bytes)")
        return file.read_row_group(group, columns=[column]).column(column)
