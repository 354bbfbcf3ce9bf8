"""Sets that are parts of another set: drawn at random and frozen (sources of samples), or some of its classes."""

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
    """Return the images drawn from another set, in the order in which they were drawn, with their labels.

    Those of an array are its own. Those of an index are cropped, in a way that depends on the seed and on the image's
    number there alone, or squashed. Raises DataError where a file of the index is missing or damaged.
    """
    parent = places.of
    record = record_of(parent)
    order = draw(record["n"], spec.n, spec.seed, spec.skip)
    labels = np.load(parent / "labels.npy")[order]
    if is_index(parent):
        return _cropped(spec, parent, order, lambda: (labels, record["classes"]))
    return _rows(parent, order, len(order), lambda: (labels, record["classes"]))


def draw(total: int, n: int, seed: int, skip: int = 0) -> NDArray[np.int64]:
    """Return numbers (n,) of `total` images, drawn without replacement; those from `skip` on of the seed's order."""
    return np.random.default_rng(seed).permutation(total)[skip : skip + n]


def of_classes(spec: sets.OfClasses, places: Places) -> Content:
    """Return the images of some classes of a set that is an array, in its order, labelled anew from 0.

    Raises DataError for a class that it does not have; whoever reads the images sees whether they are `count`.
    """
    wanted, parent = spec.classes, places.of
    known = record_of(parent)["classes"]
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise DataError(f"there is no class {unknown[0]!r}; set {parent.name} has: {', '.join(known)}.")
    numbers = [known.index(name) for name in wanted]
    labels = np.load(parent / "labels.npy")
    order = np.flatnonzero(np.isin(labels, numbers))
    anew = (labels[order, None] == numbers).argmax(1).astype(np.int64)
    return _rows(parent, order, spec.count, lambda: (anew, list(wanted)))


def _rows(parent: Path, order: NDArray[np.int64], n: int, labels: Any) -> Content:
    """Return images of an array, by their numbers there, which should be `n`."""
    images = np.load(parent / "images.npy", mmap_mode="r")
    return Content(n, images.shape[1:], lambda start, _: (images[number][None] for number in order[start:]), labels)


def _cropped(spec: sets.Drawn, parent: Path, order: NDArray[np.int64], labels: Any) -> Content:
    pictures = pictures_of(parent)
    pictures = pictures._replace(entries=pictures.entries[order])
    size, transform = spec.size, partial(unnumbered, squash, spec.size)
    if isinstance(spec.crop, ResizedCropFlip):
        from .augment import crop_picture  # here, for it imports torch

        transform = partial(crop_picture, size, spec.crop.model_dump(), (spec.seed,))
    return Content(len(order), (size, size, 3), partial(make_in_order, pictures, order, transform), labels)
