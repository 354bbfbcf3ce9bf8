"""Image files of one's own, in a folder: as a set to train on, and one by one to be scored. No torch."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import ImageOps

from ..errors import DataError
from ..files import sha256
from .archives import Content
from .drawn import draw
from .readers.bitmaps import SUFFIXES, in_mode, opened
from .readers.transforms import squash

if TYPE_CHECKING:
    from ..config import Config

EIGHT_BITS = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "La", "RGBa")  # modes of Pillow


@dataclass(frozen=True)
class Found:
    """What is in a folder: how many image files, of how many bytes in all."""

    files: int
    bytes: int


def image_files(folder: Path) -> list[Path]:
    """Image files in a folder and below, by their suffixes, sorted; hidden ones are none."""
    files = (file for file in folder.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())
    return sorted(file for file in files if not any(part.startswith(".") for part in file.relative_to(folder).parts))


def found_in(folder: Path) -> Found:
    """Without reading them."""
    files = image_files(folder)
    return Found(len(files), sum(file.stat().st_size for file in files))


def digest(folder: Path) -> str:
    """sha256 of the names and contents of all image files in a folder."""
    lines = (f"{sha256(file)} {file.relative_to(folder).as_posix()}\n" for file in image_files(folder))
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def pixels(path: Path, channels: int, size: int) -> NDArray[np.uint8]:
    """An image file as (size, size, C), grey or RGB, upright, stretched to a square, bilinear; transparency is dropped.

    Raises DataError for what cannot be read, and for images of more than 8 bits a channel or too many pixels.
    """
    try:
        with opened(path) as picture:
            if picture.mode not in EIGHT_BITS:
                raise ValueError(f"mode {picture.mode} has more than 8 bits a channel: save it with 8")
            ImageOps.exif_transpose(picture, in_place=True)  # as below: each copy of a large one takes 0.3 GB
            upright = in_mode(picture, "L" if channels == 1 else "RGB")
            return squash(upright, size).reshape(size, size, channels)
    except MemoryError:
        raise
    except Exception as error:  # decoders of damaged bytes raise nearly anything
        why = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{path} is no image that can be read ({why}): leave it out.") from error


def of_folder(settings: dict[str, Any]) -> Content:
    """The set of reader `folder`; all of its images have label 0. Raises DataError where the folder has changed."""
    folder = Path(settings["folder"])
    if said := difference(settings["folder"], Found(settings["files"], settings["bytes"]), Path()):
        raise DataError(said)
    if digest(folder) != settings["sha256"]:
        raise DataError(f"the images in {folder} are not those that `atebm own` looked at: {AGAIN}.")
    files = image_files(folder)
    order = draw(len(files), settings["n"], settings["seed"], settings["skip"])
    channels, size = settings["channels"], settings["size"]

    def images(start: int, _: int) -> Iterator[NDArray[np.uint8]]:
        return (pixels(files[number], channels, size)[None] for number in order[start:])

    return Content(len(order), (size, size, channels), images, lambda: (np.zeros(len(order), np.int64), ["own"]))


AGAIN = "`atebm own FOLDER --name NAME --replace` takes them as they are now, as a set of its own"


def difference(folder: str, was: Found, root: Path) -> str | None:
    """What is to be said of a folder that is not as it was; None of one that is."""
    if not (root / folder).is_dir():
        return f"the folder {folder} is missing: put it back, or name another one by `atebm own`."
    now = found_in(root / folder)
    if now == was:
        return None
    return (
        f"{folder} has {now.files} images of {now.bytes:,} bytes, and had {was.files} of {was.bytes:,} when "
        f"`atebm own` looked at it: {AGAIN}."
    )


def changed(config: "Config", root: Path) -> list[str]:
    """What is to be said of the folders behind sets, a sentence each; of those that are not here (any more) nothing.

    Prepared sets go on without their folder, so that models can be trained where the images are not.
    """
    specs = {spec.folder: spec for spec in config.sets.values() if spec.reader == "folder"}
    here = [spec for spec in specs.values() if (root / spec.folder).is_dir()]
    found = (difference(spec.folder, Found(spec.files, spec.bytes), root) for spec in here)
    return [said for said in found if said]
