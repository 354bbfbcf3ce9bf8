"""Parquet shards, as the Hugging Face Hub keeps image sets: a column of image files and, of some, one of labels.

An image is a struct of its file's `bytes` and its `path`, or the bytes alone. What its classes are called stands in
the schema's metadata, as the package `datasets` writes them.
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

MAX_GROUP = 2**31  # bytes of the rows that are in memory at once; the package `datasets` writes 100 or 1,000 together


class Rows(NamedTuple):
    """Images of some shards, and the labels of all of them."""

    pictures: Pictures
    labels: NDArray[np.int64]  # (N,)
    classes: list[str]


def parquet_rows(
    folder: Path, shards: list[str], image: str | None, label: str | None, only: tuple[str, ...], count: int
) -> Rows:
    """Return the rows of shards below a folder, in their order; of those of `only` some classes, where it names any.

    An entry's offset is its row. Raises DataError for a damaged shard, for columns that are not there or hold
    something else, and for another count.
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
            raise DataError(f"{path}: no label is called {min(absent)}; there are: {', '.join(classes)}.")
        kept = np.isin(own, [classes.index(name) for name in only]) if only else np.ones(n, bool)
        found += [(shard, row, 0) for row in np.flatnonzero(kept).tolist()]
        labels.append(own[kept])
    check_count(folder, len(found), count)
    read = partial(read_rows, column)
    return Rows(Pictures(folder, entries_of(found), read), np.concatenate(labels), classes)


def image_column(schema: Any, name: str | None) -> str:
    """Return the column of images: `name`, or else the first that can be one. Raises ValueError."""
    able = [field.name for field in schema if is_image_type(field.type)]
    name = name or next(iter(able), None)
    if name is None or name not in able:
        raise ValueError(f"it has columns {', '.join(schema.names)}, and of images {', '.join(able) or 'none'}")
    return name


def is_image_type(kind: Any) -> bool:
    binary = (types.is_binary, types.is_large_binary)
    if types.is_struct(kind):
        return any(field.name == "bytes" and any(of(field.type) for of in binary) for field in kind)
    return any(of(kind) for of in binary)


def names_of_classes(schema: Any, label: str) -> list[str]:
    """Return what the values 0, 1, ... of a column of labels are called. Raises ValueError where that is not told."""
    told = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
    names = told.get("info", {}).get("features", {}).get(label, {}).get("names")
    if not names:
        raise ValueError(f"it does not say what the values of column {label!r} are called")
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
                raise ValueError("it has the name of an image file, and not the file")
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
    """Return one group of a shard's images, kept until another is wanted: rows are read in their order."""
    with pq.ParquetFile(path) as file:
        size = file.metadata.row_group(group).total_byte_size
        if size > MAX_GROUP:
            raise bad(path, f"its rows {group} are too large ({size} bytes)")
        return file.read_row_group(group, columns=[column]).column(column)
