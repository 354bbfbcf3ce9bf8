"""Sets of config.yaml that are read from public archives in data/archives/; `python -m atebm fetch` puts these there.

A step's digest covers archive, split, size and count, but not the archive's bytes. These are pinned by the checksum in
data/sources.yaml, if one is documented. Otherwise (LSUN) nothing pins them, but set.json has the sha256 of the file
that was read. So the chain of records always ends at an identified archive. If a folder took the place of an archive,
the record says that it was not verified.
"""

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from ..archives import catalogue
from ..archives.members import bad, check_count
from ..archives.verify import verify_file
from ..config import sets
from ..utils.errors import DataError
from .content import Content, Images, Labels, Places, unnumbered, whole
from .parallel import make_in_order
from .readers.arrays import FASHION_CLASSES, excluded_ids, npy_images, read_idx, svhn_mat, tiny_images_bin
from .readers.databases import lmdb_pictures
from .readers.images import check_side, folder_labels, pictures_in
from .readers.pickles import cifar_pickles, imagenet32_zips
from .readers.transforms import area, lanczos, lsun, padded


@dataclass(frozen=True)
class Wanted:
    """The part of an archive to read, and the size of its images in the set."""

    files: tuple[Path, ...]  # verified files, or a folder in place of one
    split: str
    size: int
    count: int
    scratch: Path  # a folder for temporary files
    pixels: int | None = None  # the side of the archive's images, if it is known


def content(spec: sets.Archive, places: Places) -> Content:
    """Return the set of an archive.

    Raises DataError if a file is missing or not the expected one. Reading the content's images and labels raises it if
    they are damaged or their number is wrong.
    """
    name, split = spec.archive, spec.split
    if name not in READERS:
        raise DataError(f"archive {name} cannot be read as a set; choose one of {', '.join(READERS)}.")
    found, checksums, unverified = [], {}, ""
    for file in (places.archives / file for file in catalogue.files_of(name, split)):
        if catalogue.unpacked_folder(file):
            unverified = catalogue.UNVERIFIED.format(folder=file.with_suffix("").name)
            found.append(file.with_suffix(""))
        else:
            checksums[file.name] = verify_file(file)
            found.append(file)
    pixels = catalogue.find(name)[0].pixels
    made = READERS[name](Wanted(tuple(found), split, spec.size, spec.count, places.scratch, pixels))
    return made._replace(archives=made.archives or checksums, unverified=made.unverified or unverified)


# --- one function per archive -----------------------------------------------------------------------------------


def cifar(wanted: Wanted) -> Content:
    """Return CIFAR-10, or CIFAR-100 with its fine labels; `held_out` is the test split."""
    return whole(wanted.size, *cifar_pickles(wanted.files[0], wanted.split, wanted.count))


def svhn(wanted: Wanted) -> Content:
    """Return SVHN's cropped digits; `held_out` is the test split."""
    return whole(wanted.size, *svhn_mat(wanted.files[0], wanted.count))


def places365_small(wanted: Wanted) -> Content:
    """Return Places365-Standard at 256 pixels, shrunk by averaging; `held_out` is the validation split.

    The labels of the validation split are in another archive. p_0 needs none, so all its images have one label.
    """
    return streamed(wanted, "*", area)


def celebahq(wanted: Wanted) -> Content:
    """Return CelebA-HQ at 512 pixels, resized as in the authors' script. The paper trains on all of it.

    StarGAN v2's version, at 256 pixels, is read too: Lanczos then leaves each pixel as it is.
    """
    return streamed(wanted, "*", lanczos)


def celebamask_hq(wanted: Wanted) -> Content:
    """Return CelebA-HQ at 1024 pixels, resized as the authors' script resizes 512, without the archive's masks."""
    return streamed(wanted, "CelebA-HQ-img/*", lanczos)


def afhq_v1_cat(wanted: Wanted) -> Content:
    """Return the cats of AFHQ at 512 pixels, resized as in the authors' script; `held_out` is the validation split."""
    pattern = {"train": "train/cat/*", "held_out": "val/cat/*"}[wanted.split]
    return streamed(wanted, pattern, lanczos)


def lsun_church(wanted: Wanted) -> Content:
    """Return LSUN's outdoor churches, cropped as in the authors' script, in the order of their keys.

    A folder in place of the archive may have the database, or image files named by keys, as LSUN's data.py exports
    them.
    """
    size, numbers, path = wanted.size, np.arange(wanted.count), wanted.files[0]
    exported = path.is_dir() and not (path / "data.mdb").exists()

    def images(start: int, workers: int) -> Iterator[Images]:
        with (
            nullcontext(pictures_in(path, "*", wanted.count))
            if exported
            else lmdb_pictures(path, wanted.count, wanted.scratch)
        ) as pictures:
            yield from make_in_order(pictures, numbers, partial(unnumbered, lsun, size), start, workers)

    return Content(len(numbers), (size, size, 3), images, lambda: (np.zeros_like(numbers), ["church_outdoor"]))


def fashion_mnist(wanted: Wanted) -> Content:
    """Return all of Fashion-MNIST, grey, padded like its embedded part; `held_out` is the test split."""
    size, (images, labels) = wanted.size, map(read_idx, wanted.files)
    check_count(wanted.files[0], len(images), wanted.count)
    if images.ndim != 3 or labels.shape != (wanted.count,) or labels.max() >= len(FASHION_CLASSES):
        raise bad(wanted.files[1], f"its labels, of shape {labels.shape}, do not fit the images or 10 classes")

    def pictures(start: int, _: int) -> Iterator[Images]:
        return (padded(image, size)[None] for image in images[start:])

    return Content(wanted.count, (size, size, 1), pictures, lambda: (labels.astype(np.int64), FASHION_CLASSES))


def imagenet32(wanted: Wanted) -> Content:
    """Return ImageNet at 32 pixels, with its own numbering of the 1,000 classes; `held_out` is the validation set."""
    labels: list[Labels] = []

    def images(start: int, _: int) -> Iterator[Images]:
        done = 0
        for batch, numbers in imagenet32_zips(wanted.files[0], wanted.count):
            labels.append(numbers)
            yield batch[max(0, start - done) :]
            done += len(batch)

    classes = [str(number) for number in range(1, 1001)]
    return Content(wanted.count, (32, 32, 3), images, lambda: (np.concatenate(labels), classes))


def random_images_300k(wanted: Wanted) -> Content:
    images = npy_images(wanted.files[0], wanted.count)
    return whole(wanted.size, images, np.zeros(wanted.count, np.int64), ["300K Random Images"])


def authors_source_images(wanted: Wanted) -> Content:
    """Return the authors' source images for sampling CIFAR-10, used with their released weights, never in training."""
    from .readers.tensors import saved_images  # imported here, since it imports torch

    images = saved_images(wanted.files[0], wanted.count)
    return whole(wanted.size, images, np.zeros(wanted.count, np.int64), ["Tiny Images"])


READERS: dict[str, Callable[[Wanted], Content]] = {
    "cifar10": cifar,
    "cifar100": cifar,
    "svhn": svhn,
    "places365_small": places365_small,
    "celebahq": celebahq,
    "celebahq_stargan": celebahq,
    "celebamask_hq": celebamask_hq,
    "afhq_v1_cat": afhq_v1_cat,
    "lsun_church": lsun_church,
    "imagenet32": imagenet32,
    "random_images_300k": random_images_300k,
    "fashion_mnist": fashion_mnist,
    "authors_source_images": authors_source_images,
}

# --- 80 Million Tiny Images, for users who have them ------------------------------------------------------------

TINY_IMAGES = 79_302_017
TINY_BLOCK = 1024  # images that are in memory at once


def tiny_images(spec: sets.TinyImages, places: Places) -> Content:
    """Return `n` images drawn without replacement from tiny_images.bin, without those that the lists exclude.

    The lists name 5.4 % of the images as CIFAR's or similar to CIFAR's. Each of these is replaced by a random image, as
    in the authors' training.
    """
    paths = [places.archives / file for name, split in spec.archives for file in catalogue.files_of(name, split)]
    checksums = {path.name: verify_file(path) for path in reversed(paths)}  # small files first
    excluded = excluded_ids({paths[1]: 1, paths[2]: 0}, TINY_IMAGES)
    n, seed = spec.n, spec.seed
    chosen = np.random.default_rng(seed).choice(TINY_IMAGES, n, replace=False)

    def images(start: int, _: int) -> Iterator[Images]:
        for place in range(start, n, TINY_BLOCK):
            numbers = chosen[place : min(place + TINY_BLOCK, n)]
            yield tiny_images_bin(paths[0], numbers, excluded, seed, TINY_IMAGES)

    return Content(n, (32, 32, 3), images, lambda: (np.zeros(n, np.int64), ["Tiny Images"]), checksums)


# --- shared -----------------------------------------------------------------------------------------------------


def streamed(wanted: Wanted, pattern: str, how: Callable[[Image.Image, int], Images]) -> Content:
    """Return a set that need not fit in memory: the matching pictures, converted by `how` to (size, size, 3).

    Only the archive's index stays in memory: 0.15 GB for Places365's 1.8 million names and offsets. Labels are the
    folders of the archive, as in torchvision's ImageFolder.
    """
    pictures = pictures_in(wanted.files[0], pattern, wanted.count)
    if wanted.pixels and pictures.file.is_dir():  # an archive was checked by `verify_file`
        check_side(pictures, wanted.pixels)
    numbers = np.arange(len(pictures.entries))
    images = partial(make_in_order, pictures, numbers, partial(unnumbered, how, wanted.size))
    return Content(len(numbers), (wanted.size, wanted.size, 3), images, lambda: folder_labels(pictures.entries))
