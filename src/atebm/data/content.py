"""The interface of the readers of image sets: what they take, and what they return."""

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
    """The folders from which a reader makes a set."""

    archives: Path = ARCHIVES
    embedded: Path = repository() / "data/embedded"
    scratch: Path = Path()  # a folder for temporary files
    of: Path = Path()  # the folder of the set of which the new set is a part


class Content(NamedTuple):
    """A set as it is read, before it is written to files."""

    n: int
    shape: tuple[int, ...]  # (H, W, C)
    # images(start, workers) yields parts (k, H, W, C) of the images from number `start` on, made by `workers` processes
    images: Callable[[int, int], Iterable[Images]]
    labels: Callable[[], tuple[Labels, list[str]]]  # labels of all images, and their names; called after `images`
    archives: Mapping[str, dict[str, str]] = {}  # {file: {algorithm: checksum}} of the public archives that were read
    unverified: str = ""  # says which part no published checksum covers


def content_of(settings: Mapping[str, Any], places: Places) -> Content:
    """Return the set described by settings of config.yaml. Raises DataError if a file is missing or altered."""
    spec = SETS[settings["reader"]].model_validate(settings)
    content: Content = resolve_name(spec.makes)(spec, places)
    return content


def whole(size: int, images: Images, labels: Labels, classes: list[str]) -> Content:
    """Return a set that fits in memory (SVHN has 0.2 GB), resized as by torchvision's Resize if its size differs."""
    if images.shape[1:3] == (size, size):
        return Content(len(images), images.shape[1:], lambda start, _: [images[start:]], lambda: (labels, classes))

    def resized(start: int, _: int) -> Iterator[Images]:
        return (squash(Image.fromarray(image), size)[None] for image in images[start:])

    return Content(len(images), (size, size, 3), resized, lambda: (labels, classes))


def unnumbered(how: Callable[[Image.Image, int], Images], size: int, picture: Image.Image, _: int) -> Images:
    """Return how(picture, size), (size, size, 3): a `Transform` that ignores the picture's number."""
    return how(picture, size)
