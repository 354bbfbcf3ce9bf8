"""Sets that are parts of another set: images drawn once at random (such as source images), or some of its classes."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..config import sets
from ..config.augment import ResizedCropFlip
from ..pipeline.job import record_of
from ..utils.errors import DataError
from .content import Content, Places, unnumbered
from .index import is_index, pictures_of
from .parallel import make_in_order
from .readers.transforms import squash


def drawn(spec: sets.Drawn, places: Places) -> Content:
    """Return images drawn from another set, in the order of drawing, with their labels.

    Images of an array are not changed. Images of an index are squashed, or cropped in a way that depends only on the
    seed and the image's number there. Raises DataError if a file of the index is missing or damaged.
    """
    parent = places.of
    record = record_of(parent)
    order = draw(record["n"], spec.n, spec.seed, spec.skip)
    labels = np.load(parent / "labels.npy")[order]
    if is_index(parent):
        return _cropped(spec, parent, order, lambda: (labels, record["classes"]))
    return _rows(parent, order, len(order), lambda: (labels, record["classes"]))


def draw(total: int, n: int, seed: int, skip: int = 0) -> NDArray[np.int64]:
    """Return numbers (n,) drawn without replacement from `total` images: those after `skip` in the seed's order."""
    return np.random.default_rng(seed).permutation(total)[skip : skip + n]


def of_classes(spec: sets.OfClasses, places: Places) -> Content:
    """Return the images of some classes of an array set, in its order, with labels from 0.

    Raises DataError for an unknown class. Whether there are `count` images is checked when they are read.
    """
    classes, parent = spec.classes, places.of
    known = record_of(parent)["classes"]
    unknown = [name for name in classes if name not in known]
    if unknown:
        raise DataError(f"there is no class {unknown[0]!r}; set {parent.name} has: {', '.join(known)}.")
    numbers = [known.index(name) for name in classes]
    labels = np.load(parent / "labels.npy")
    order = np.flatnonzero(np.isin(labels, numbers))
    new_labels = (labels[order, None] == numbers).argmax(1).astype(np.int64)
    return _rows(parent, order, spec.count, lambda: (new_labels, list(classes)))


def _rows(parent: Path, order: NDArray[np.int64], n: int, labels: Any) -> Content:
    """Return the images of an array with the numbers in `order`; there should be `n` of them."""
    images = np.load(parent / "images.npy", mmap_mode="r")
    return Content(n, images.shape[1:], lambda start, _: (images[number][None] for number in order[start:]), labels)


def _cropped(spec: sets.Drawn, parent: Path, order: NDArray[np.int64], labels: Any) -> Content:
    pictures = pictures_of(parent)
    pictures = pictures._replace(entries=pictures.entries[order])
    size, transform = spec.size, partial(unnumbered, squash, spec.size)
    if isinstance(spec.crop, ResizedCropFlip):
        from .augment import crop_picture  # imported here, since it imports torch

        transform = partial(crop_picture, size, spec.crop.model_dump(), (spec.seed,))
    return Content(len(order), (size, size, 3), partial(make_in_order, pictures, order, transform), labels)
