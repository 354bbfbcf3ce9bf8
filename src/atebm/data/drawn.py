"""Sets that are drawn at random from another set, and frozen: the sources of samples, and what is told from p_data."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..job import Job, record_of
from .archives import Content, Images
from .index import is_index, pictures_of
from .parallel import made
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
    images = np.load(parent / "images.npy", mmap_mode="r")
    return Content(
        len(order),
        images.shape[1:],
        lambda start, _: (images[number][None] for number in order[start:]),
        lambda: (labels, record["classes"]),
    )


def draw(total: int, n: int, seed: int, skip: int = 0) -> NDArray[np.int64]:
    """Numbers (n,) of `total` images, drawn without replacement; those from `skip` on of the seed's order."""
    return np.random.default_rng(seed).permutation(total)[skip : skip + n]


def _cropped(job: Job, parent: Path, order: NDArray[np.int64], labels: Any) -> Content:
    settings, pictures = job.settings, pictures_of(parent)
    pictures = pictures._replace(entries=pictures.entries[order])
    size, crop = settings["size"], settings["crop"]
    if crop["name"] == "squash":
        transform: Any = partial(_squashed, size)
    else:
        from .augment import crop_picture  # here, for it imports torch

        transform = partial(crop_picture, size, crop, (settings["seed"],))
    return Content(len(order), (size, size, 3), partial(made, pictures, order, transform), labels)


def _squashed(size: int, picture: Image.Image, _: int) -> Images:
    return squash(picture, size)
