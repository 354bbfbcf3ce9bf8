"""A folder of user images as a set to train on. Imports no torch."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..config import sets
from ..utils.errors import DataError
from ..utils.hashing import sha256
from .content import Content, Places
from .pictures import pixels
from .subsets import draw
from .walk import walk

if TYPE_CHECKING:
    from ..config.schema import Config


@dataclass(frozen=True)
class Found:
    """The number of image files in a folder, and their total bytes."""

    files: int
    bytes: int


def image_files(folder: Path) -> list[Path]:
    """Return the sorted image files in a folder and below, by suffix, without hidden files."""
    return walk(folder).files


def found_in(folder: Path) -> Found:
    """Count the image files and their bytes, without reading them."""
    files = image_files(folder)
    return Found(len(files), sum(file.stat().st_size for file in files))


def contents(folder: Path) -> dict[Path, str]:
    """Return the sha256 of each image file in a folder, in order."""
    return {file: sha256(file) for file in image_files(folder)}


def digest(folder: Path, known: dict[Path, str] | None = None) -> str:
    """Return the sha256 of the names and contents of all image files in a folder; `known` are its known `contents`."""
    files = contents(folder) if known is None else known
    lines = (f"{content} {file.relative_to(folder).as_posix()}\n" for file, content in files.items())
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def images_of(spec: sets.Folder, _: Places) -> Content:
    """Return a set of image files, all with label 0. Raises DataError if the folder has changed."""
    folder = Path(spec.folder)
    if message := difference(spec.folder, Found(spec.files, spec.bytes), Path()):
        raise DataError(message)
    if digest(folder) != spec.sha256:
        raise DataError(f"the images in {folder} have changed since `atebm own` registered them. {AGAIN}")
    files = image_files(folder)
    order = draw(len(files), spec.n, spec.seed, spec.skip)
    channels, size = spec.channels, spec.size

    def images(start: int, _: int) -> Iterator[NDArray[np.uint8]]:
        return (pixels(files[number], channels, size)[None] for number in order[start:])

    return Content(len(order), (size, size, channels), images, lambda: (np.zeros(len(order), np.int64), ["own"]))


AGAIN = "To register them as a new set, run `atebm own FOLDER --name NAME --replace`."


def difference(folder: str, was: Found, root: Path) -> str | None:
    """Return a message if a folder has changed, else None."""
    if not (root / folder).is_dir():
        return f"the folder {folder} is missing: put it back, or register another folder with `atebm own`."
    now = found_in(root / folder)
    if now == was:
        return None
    return (
        f"{folder} has {now.files} images of {now.bytes:,} bytes, but had {was.files} of {was.bytes:,} when "
        f"`atebm own` registered them. {AGAIN}"
    )


def changed(config: "Config", root: Path) -> list[str]:
    """Return a message for each folder of a set that has changed, but none for a folder that is not here any more.

    Prepared sets do not need their folder, so that models can be trained on a machine without the images.
    """
    specs = {spec.folder: spec for spec in config.sets.values() if spec.reader == "folder"}
    here = [spec for spec in specs.values() if (root / spec.folder).is_dir()]
    found = (difference(spec.folder, Found(spec.files, spec.bytes), root) for spec in here)
    return [message for message in found if message]
