"""config.yaml's sets from public archives in data/archives/, which `python -m atebm fetch` puts there.

A step's digest names archive, split, size and count, not the archive's bytes. What pins those is the checksum in
data/sources.yaml, where one is documented; where none is (CelebA-HQ, AFHQ), nothing can, and set.json has the sha256
of the file that was read. So each record's chain ends at an archive that can be told from any other.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..errors import DataError
from ..files import sha256
from . import sources
from .parallel import made
from .readers.arrays import FASHION_CLASSES, read_idx, svhn_mat
from .readers.images import (
    Pictures,
    folder_labels,
    tar_pictures,
    zip_pictures,
)
from .readers.members import bad, check_count
from .readers.pickles import cifar_pickles
from .readers.transforms import area, lanczos, padded, squash

Images = NDArray[np.uint8]  # (N, H, W, C)
Labels = NDArray[np.int64]  # (N,)


class Content(NamedTuple):
    """A set on its way to its files."""

    n: int
    shape: tuple[int, ...]  # (H, W, C)
    # (k, H, W, C) each, together the images from number `start` on; made by so many processes
    images: Callable[[int, int], Iterable[Images]]
    labels: Callable[[], tuple[Labels, list[str]]]  # of all images and their names, once these have passed


def content(settings: dict[str, Any], folder: Path = sources.ARCHIVES) -> tuple[Content, dict[str, dict[str, str]]]:
    """The set that `settings`, an Archive of config.yaml, describes, and {file: {algorithm: checksum}} of what is read.

    Raises DataError where a file is missing, not what it should be, or of an archive that isn't prepared yet; the
    content's images and labels raise it where they meet damage or another count.
    """
    name, split = settings["archive"], settings["split"]
    if name in UNREAD:
        raise DataError(
            f"archive {name} is not prepared by this version, so scale: paper does not run to its end: {UNREAD[name]}; "
            "scale: demo runs, on data that is embedded."
        )
    if name not in READERS:
        raise DataError(f"archive {name} makes no set; config.yaml's sets can name: {', '.join(READERS)}.")
    paths = tuple(folder / file for file in sources.files_of(name, split))
    checksums = {path.name: verified(path) for path in paths}
    return READERS[name](paths, split, settings["size"], settings["count"]), checksums


def verified(path: Path) -> dict[str, str]:
    """The file's checksums, by algorithm, once they are those of its record in data/sources.yaml.

    `fetch` verified it too, but files get copied, cut and replaced by hand, and a JPEG that is damaged in its middle
    still decodes. Hashing costs little beside preparing: measured on one core, md5 takes 0.65 GB/s, and decoding and
    averaging JPEGs of 256 pixels 0.04 GB/s, so that holds for the largest archives too.

    Raises DataError for a missing file or another one.
    """
    (source,) = sources.find(path.name)
    if not path.is_file():
        how = f"python -m atebm fetch {path.name}" if source.access == "open" else sources.by_hand(source)
        raise DataError(f"{path} is missing: {how}")
    print(f"{path}: verifying {path.stat().st_size:,} bytes.", flush=True)
    if found := sources.problem(path, source):
        raise DataError(f"{path} is not what it should be: {found}. Remove it, then: python -m atebm fetch {path.name}")
    if source.unpacked_sha256:  # the file itself may be one that somebody else compressed
        return {"unpacked_sha256": source.unpacked_sha256}
    known = {algorithm: digits for algorithm, digits in (("md5", source.md5), ("sha256", source.sha256)) if digits}
    return known or {"sha256": sha256(path)}


# --- one function per archive -----------------------------------------------------------------------------------


def cifar(paths: tuple[Path, ...], split: str, size: int, count: int) -> Content:
    """CIFAR-10 or CIFAR-100 (with its fine labels); `held_out` is its test split."""
    return whole(size, *cifar_pickles(paths[0], split, count))


def svhn(paths: tuple[Path, ...], split: str, size: int, count: int) -> Content:
    """SVHN's cropped digits; `held_out` is its test split."""
    return whole(size, *svhn_mat(paths[0], count))


def places365_small(paths: tuple[Path, ...], split: str, size: int, count: int) -> Content:
    """Places365-Standard at 256 pixels, averaged down; `held_out` is its validation split.

    The labels of the latter lie in another archive and are of no use to a p_0, so all its images have one label.
    """
    return streamed(tar_pictures(paths[0], "*", count), area, size)


def celebahq(paths: tuple[Path, ...], split: str, size: int, count: int) -> Content:
    """CelebA-HQ at 512 pixels, resized as the authors' script does. The paper trains on all of it."""
    return streamed(zip_pictures(paths[0], "*", count), lanczos, size)


def afhq_v1_cat(paths: tuple[Path, ...], split: str, size: int, count: int) -> Content:
    """The cats of AFHQ at 512 pixels, resized as the authors' script does; `held_out` is its validation split."""
    pattern = {"train": "train/cat/*", "held_out": "val/cat/*"}[split]
    return streamed(zip_pictures(paths[0], pattern, count), lanczos, size)


def fashion_mnist(paths: tuple[Path, ...], split: str, size: int, count: int) -> Content:
    """All of Fashion-MNIST, grey, padded as the embedded part of it is; `held_out` is its test split."""
    images, labels = (read_idx(path) for path in paths)
    check_count(paths[0], len(images), count)
    if images.ndim != 3 or labels.shape != (count,) or labels.max() >= len(FASHION_CLASSES):
        raise bad(paths[1], f"its labels, of shape {labels.shape}, are not those of {count} images of 10 classes")

    def pictures(start: int, _: int) -> Iterator[Images]:
        return (padded(image, size)[None] for image in images[start:])

    return Content(count, (size, size, 1), pictures, lambda: (labels.astype(np.int64), FASHION_CLASSES))


READERS: dict[str, Callable[[tuple[Path, ...], str, int, int], Content]] = {  # of files, split, size and count
    "cifar10": cifar,
    "cifar100": cifar,
    "svhn": svhn,
    "places365_small": places365_small,
    "celebahq": celebahq,
    "afhq_v1_cat": afhq_v1_cat,
    "fashion_mnist": fashion_mnist,
}

UNREAD = {  # of config.yaml's archives: what is missing
    "lsun_church": "a reader of LSUN's lmdb in a zip is missing",
}


# --- shared -----------------------------------------------------------------------------------------------------


def whole(size: int, images: Images, labels: Labels, classes: list[str]) -> Content:
    """A set that fits in memory in its own size (SVHN has 0.2 GB); in another one, resized as torchvision's Resize."""
    if images.shape[1:3] == (size, size):
        return Content(len(images), images.shape[1:], lambda start, _: [images[start:]], lambda: (labels, classes))

    def resized(start: int, _: int) -> Iterator[Images]:
        return (squash(Image.fromarray(image), size)[None] for image in images[start:])

    return Content(len(images), (size, size, 3), resized, lambda: (labels, classes))


def streamed(pictures: Pictures, how: Callable[[Image.Image, int], Images], size: int) -> Content:
    """A set that need not fit in memory: pictures, each of which `how` makes (size, size, 3).

    What does stay in memory is the archive's index: 0.15 GB for Places365's 1.8 million names and offsets.
    Labels are the folders of the archive, as in torchvision's ImageFolder.
    """
    numbers = np.arange(len(pictures.entries))
    images = partial(made, pictures, numbers, partial(_resized, how, size))
    return Content(len(numbers), (size, size, 3), images, lambda: folder_labels(pictures.entries))


def _resized(how: Callable[[Image.Image, int], Images], size: int, picture: Image.Image, _: int) -> Images:
    return how(picture, size)
