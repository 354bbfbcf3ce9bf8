"""Prepared image sets: uint8 NHWC arrays with an integer label per image, from verified files.

Embedded ones and parts of others are made here, those of public archives in archives.py.
"""

import csv
import importlib.util
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..errors import DataError
from ..files import atomic, room, sha256
from ..job import Job, record_of
from ..progress import progress
from .archives import Content, Images, Labels
from .archives import content as archived
from .readers.arrays import FASHION_CLASSES, read_idx
from .readers.transforms import padded
from .sources import ARCHIVES

EMBEDDED = Path(__file__).resolve().parents[3] / "data" / "embedded"


def prepare(settings: dict[str, Any], embedded: Path = EMBEDDED) -> tuple[Images, Labels, list[str]]:
    """Images (N, size, size, C), labels (N,) and the labels' names of an embedded set, by its settings in config.yaml.

    Raises DataError when a file is missing or altered.
    """
    if settings["reader"] == "fashion_mnist":
        return fashion_mnist(embedded / "fashion-mnist", settings["split"], settings["held_out"], settings["size"])
    options = {key: value for key, value in settings.items() if key != "reader"}
    return photograph_crops(embedded / "photographs.csv", **options)


def verified(path: Path, digest: str, remedy: str) -> Path:
    """`path`, once its sha256 is what it must be."""
    if not path.exists():
        raise DataError(f"{path} is missing: {remedy}.")
    if sha256(path) != digest:
        raise DataError(f"{path} is damaged (its sha256 is not {digest[:12]}...): {remedy}.")
    return path


# --- Fashion-MNIST ----------------------------------------------------------------------------------------------


def fashion_mnist(folder: Path, split: str, held_out: int, size: int) -> tuple[Images, Labels, list[str]]:
    """The first 10,000 - held_out images of the test split (`train`) or the last held_out ones (`held_out`)."""
    lines = (folder / "SHA256SUMS").read_text().splitlines()
    digests = {name: digest for digest, name in (line.split() for line in lines)}
    remedy = f"restore it with 'git checkout -- {folder.name}' in data/embedded"
    images, labels = (
        read_idx(verified(folder / name, digests[name], remedy))
        for name in ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz")
    )
    part = slice(len(images) - held_out) if split == "train" else slice(len(images) - held_out, None)
    return np.stack([padded(image, size) for image in images[part]]), labels[part].astype(np.int64), FASHION_CLASSES


# --- photographs ------------------------------------------------------------------------------------------------

MAX_DRAWS = 1000  # of one crop, before its photograph counts as flat


def photograph_crops(
    index: Path,
    photographs: tuple[str, ...],
    n: int,
    seed: int,
    size: int,
    crop_min: int,
    crop_max: int,
    min_std: float,
) -> tuple[Images, Labels, list[str]]:
    """`n` grey crops of random photograph, place, side (log-uniform, pixels) and direction, area-resized to `size`.

    Crops whose standard deviation is below min_std are drawn again: from flat sources, whose gradients are alike, a
    deterministic ascent reaches one and the same sample. Crop i is a pure function of (seed, i), so that a longer set
    begins with a shorter one. Labels say which photograph a crop came from: sets are kept apart by photograph, since
    crops of one photograph resemble each other.
    """
    pictures = [load_photograph(index, name) for name in photographs]
    images = np.empty((n, size, size, 1), np.uint8)
    labels = np.empty(n, np.int64)
    for i in range(n):
        random = np.random.default_rng([seed, i])
        labels[i] = random.integers(len(pictures))
        crops = (random_crop(pictures[labels[i]], random, size, crop_min, crop_max) for _ in range(MAX_DRAWS))
        crop = next((crop for crop in crops if crop.std() >= min_std), None)
        if crop is None:
            raise DataError(f"photograph {photographs[labels[i]]} has no crop of min_std {min_std}: lower it.")
        images[i, :, :, 0] = crop
    return images, labels, list(photographs)


def random_crop(picture: Image.Image, random: np.random.Generator, size: int, low: int, high: int) -> Images:
    """A square crop of log-uniform side in [low, high], at most the picture's, mirrored with probability 1/2."""
    side = min(math.exp(random.uniform(math.log(low), math.log(high))), *picture.size)
    left, top = (random.uniform(0, length - side) for length in picture.size)
    crop = picture.resize((size, size), Image.Resampling.BOX, box=(left, top, left + side, top + side))
    pixels = np.asarray(crop)
    return pixels[:, ::-1] if random.random() < 0.5 else pixels


def load_photograph(index: Path, name: str) -> Image.Image:
    """One photograph of data/embedded/photographs.csv, from the package that ships it, as grey."""
    with index.open(newline="") as file:
        rows = {row["name"]: row for row in csv.DictReader(file)}
    if name not in rows:
        raise DataError(f"there is no photograph {name!r}; data/embedded/photographs.csv has: {', '.join(rows)}.")
    row = rows[name]
    package = importlib.util.find_spec(row["package"])
    if package is None or package.origin is None:
        raise DataError(f"photograph {name} needs the package {row['distribution']}: pip install -r requirements.lock.")
    path = Path(package.origin).parent / row["file"]
    remedy = f"pip install --force-reinstall {row['distribution']}=={row['version']}"
    with Image.open(verified(path, row["sha256"], remedy)) as picture:
        return picture.convert("L")


# --- parts of other sets ----------------------------------------------------------------------------------------


def of_classes(source: Path, classes: Sequence[str], count: int) -> Content:
    """The images of the named classes of the prepared set in the folder `source`, in its order, labelled anew from 0.

    Raises DataError for a name that it does not have; whoever reads the images sees whether they are `count`.
    """
    known = record_of(source)["classes"]
    unknown = [name for name in classes if name not in known]
    if unknown:
        raise DataError(f"there is no class {unknown[0]!r}; set {source.name} has: {', '.join(known)}.")
    numbers = [known.index(name) for name in classes]
    labels = np.load(source / "labels.npy")
    images = np.load(source / "images.npy", mmap_mode="r")
    kept = np.flatnonzero(np.isin(labels, numbers))
    parts = (images[part] for part in np.array_split(kept, max(1, len(kept) // PART)))
    anew = (labels[kept, None] == numbers).argmax(1).astype(np.int64)
    return Content(count, images.shape[1:], parts, lambda: (anew, list(classes)))


# --- the step ---------------------------------------------------------------------------------------------------

BLOCK = 1 << 22  # bytes of images that are written at once
PART = 1000  # images of another set that are read at once


def write_set(job: Job, archives: Path = ARCHIVES) -> None:
    """The `data` step: images.npy, labels.npy and set.json, which names the archive's files that were read.

    Raises DataError as `prepare` and `archives.content`, and leaves no file half-written.
    """
    name = job.spec["name"]
    try:
        origin = {}
        if job.settings["reader"] == "archive":
            content, checksums = archived(job.settings, archives)
            origin = {"archives": checksums}
        elif job.settings["reader"] == "classes":
            content = of_classes(job.parent("of"), job.settings["classes"], job.settings["count"])
        else:
            images, labels, classes = prepare(job.settings)
            content = Content(len(images), images.shape[1:], [images], lambda: (labels, classes))
        with atomic(job.folder / "images.npy") as temporary:
            write_images(temporary, content, name)
            labels, classes = content.labels()
        with atomic(job.folder / "labels.npy") as temporary:
            np.save(temporary, labels)
    except DataError as error:
        raise DataError(f"set {name}: {error}") from error
    job.finish({"set": name, "n": content.n, "shape": list(content.shape), "classes": classes, **origin})


def write_images(path: Path, content: Content, name: str) -> None:
    """A .npy of all of the set's images (n, H, W, C), the same bytes that `np.save` would write of them at once.

    At most an item of content.images and BLOCK bytes are in memory. Not through numpy's open_memmap: on a full disk a
    mapped file ends the process by SIGBUS, where writing raises an error. Raises DataError for another count.
    """
    shape = (content.n, *content.shape)
    step = max(1, BLOCK // math.prod(content.shape))
    done = 0
    with (
        room(path.with_name("images.npy"), math.prod(shape)),
        path.open("wb") as file,
        progress(f"set {name}", content.n) as report,
    ):
        np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
        for images in content.images:
            for start in range(0, len(images), step):
                block = images[start : start + step]
                file.write(np.ascontiguousarray(block).data)
                done += len(block)
                report(done)
    if done != content.n:
        raise DataError(f"{done} images were found where {content.n} belong.")
