"""What readers of image sets are given, and what they return."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..archives.catalogue import ARCHIVES
from ..config.sets import SETS
from ..utils.files import repository
from .readers.transforms import squash

Images = NDArray[np.uint8]  # (N, H, W, C)
Labels = NDArray[np.int64]  # (N,)


@dataclass(frozen=True)
class Places:
    """Where a reader finds what a set is made from."""

    archives: Path = ARCHIVES
    embedded: Path = repository() / "data/embedded"
    scratch: Path = Path()  # a folder for what has to be on a disk meanwhile
    of: Path = Path()  # the folder of the set that it is a part of


class Content(NamedTuple):
    """A set on its way to its files."""

    n: int
    shape: tuple[int, ...]  # (H, W, C)
    # (k, H, W, C) each, together the images from number `start` on; made by so many processes
    images: Callable[[int, int], Iterable[Images]]
    labels: Callable[[], tuple[Labels, list[str]]]  # of all images and their names, once these have passed
    archives: Mapping[str, dict[str, str]] = {}  # {file: {algorithm: checksum}} of what is read of public archives
    unverified: str = ""  # what of it no published checksum vouches for, in words


def content_of(settings: Mapping[str, Any], places: Places) -> Content:
    """Return the set that settings of config.yaml describe. Raises DataError where a file is missing or altered."""
    spec = SETS[settings["reader"]].model_validate(settings)
    content: Content = resolve_name(spec.makes)(spec, places)
    return content


def whole(size: int, images: Images, labels: Labels, classes: list[str]) -> Content:
    """Return a set that fits in memory (SVHN has 0.2 GB), in its own size or resized as by torchvision's Resize."""
    if images.shape[1:3] == (size, size):
        return Content(len(images), images.shape[1:], lambda start, _: [images[start:]], lambda: (labels, classes))

    def resized(start: int, _: int) -> Iterator[Images]:
        return (squash(Image.fromarray(image), size)[None] for image in images[start:])

    return Content(len(images), (size, size, 3), resized, lambda: (labels, classes))


def unnumbered(how: Callable[[Image.Image, int], Images], size: int, picture: Image.Image, _: int) -> Images:
    """Return what `parallel.made` makes of a picture where its number does not matter; (size, size, 3)."""
    return how(picture, size)
