"""Sets that are parts of another set: drawn at random and frozen (sources of samples), or some of its classes."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..pipeline.job import Job, record_of
from ..utils.errors import DataError
from .archive_sets import Content, unnumbered
from .index import is_index, pictures_of
from .parallel import make_in_order
from .readers.transforms import squash


def drawn(job: Job) -> Content:
    """The images of a set of reader `drawn`, in the order in which they were drawn, with their labels.

    Those of an array are its own. Those of an index are cropped, in a way that depends on the seed and on the image's
    number there alone, or squashed. Raises DataError where a file of the index is missing or damaged.
    """
    settings, parent = job.settings, job.parent("of")
    record = record_of(parent)
    order = draw(record["n"], settings["n"], settings["seed"], settings["skip"])
    labels = np.load(parent / "labels.npy")[order]
    if is_index(parent):
        return _cropped(job, parent, order, lambda: (labels, record["classes"]))
    return _rows(parent, order, len(order), lambda: (labels, record["classes"]))


def draw(total: int, n: int, seed: int, skip: int = 0) -> NDArray[np.int64]:
    """Numbers (n,) of `total` images, drawn without replacement; those from `skip` on of the seed's order."""
    return np.random.default_rng(seed).permutation(total)[skip : skip + n]


def of_classes(job: Job) -> Content:
    """The images of some classes of a set that is an array, in its order, labelled anew from 0.

    Raises DataError for a class that it does not have; whoever reads the images sees whether they are `count`.
    """
    wanted, parent = job.settings["classes"], job.parent("of")
    known = record_of(parent)["classes"]
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise DataError(f"there is no class {unknown[0]!r}; set {parent.name} has: {', '.join(known)}.")
    numbers = [known.index(name) for name in wanted]
    labels = np.load(parent / "labels.npy")
    order = np.flatnonzero(np.isin(labels, numbers))
    anew = (labels[order, None] == numbers).argmax(1).astype(np.int64)
    return _rows(parent, order, job.settings["count"], lambda: (anew, list(wanted)))


def _rows(parent: Path, order: NDArray[np.int64], n: int, labels: Any) -> Content:
    """Images of an array, by their numbers there, which should be `n`."""
    images = np.load(parent / "images.npy", mmap_mode="r")
    return Content(n, images.shape[1:], lambda start, _: (images[number][None] for number in order[start:]), labels)


def _cropped(job: Job, parent: Path, order: NDArray[np.int64], labels: Any) -> Content:
    settings, pictures = job.settings, pictures_of(parent)
    pictures = pictures._replace(entries=pictures.entries[order])
    size, crop = settings["size"], settings["crop"]
    if crop["name"] == "squash":
        transform: Any = partial(unnumbered, squash, size)
    else:
        from .augment import crop_picture  # here, for it imports torch

        transform = partial(crop_picture, size, crop, (settings["seed"],))
    return Content(len(order), (size, size, 3), partial(make_in_order, pictures, order, transform), labels)
