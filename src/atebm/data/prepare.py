"""Prepared image sets: uint8 NHWC arrays with an integer label per image, from verified files.

Embedded ones and parts of others are made here, those of public archives in archives.py.
"""

import csv
import hashlib
import importlib.util
import math
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from ..archives.catalogue import ARCHIVES
from ..pipeline.job import Job, record_file
from ..utils.errors import DataError
from ..utils.files import atomic, repository, room
from ..utils.hashing import canonical, sha256
from ..utils.progress import progress
from .archive_sets import Content, Images, Labels, tiny_images
from .archive_sets import content as archived
from .folder import of_folder
from .readers.arrays import FASHION_CLASSES, read_idx
from .readers.transforms import padded
from .subsets import drawn, of_classes

EMBEDDED = repository() / "data/embedded"


def prepare(settings: dict[str, Any], embedded: Path = EMBEDDED) -> tuple[Images, Labels, list[str]]:
    """Images (N, size, size, C), labels (N,) and the labels' names of an embedded set, or of noise, by its settings.

    Raises DataError when a file is missing or altered.
    """
    if settings["reader"] == "fashion_mnist":
        return fashion_mnist(embedded / "fashion-mnist", settings["split"], settings["held_out"], settings["size"])
    options = {key: value for key, value in settings.items() if key != "reader"}
    if settings["reader"] == "noise":
        return noise(**options)
    if settings["reader"] == "digits":
        return digits(embedded / "digits.csv", **options)
    colour = settings["reader"] == "colour_photographs"
    return photograph_crops(embedded / "photographs.csv", **options, mode="RGB" if colour else "L")


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
    mode: str = "L",
) -> tuple[Images, Labels, list[str]]:
    """`n` crops of random photograph, place, side (log-uniform, pixels) and direction, area-resized to `size`.

    They are grey, or of Pillow's `mode` "RGB". Crops whose standard deviation is below min_std are drawn again: from
    flat sources, whose gradients are alike, a deterministic ascent reaches one and the same sample. Crop i is a pure
    function of (seed, i), so that a longer set begins with a shorter one. Labels say which photograph a crop came from:
    sets are kept apart by photograph, since crops of one photograph resemble each other.
    """
    pictures = [load_photograph(index, name, mode) for name in photographs]
    images = np.empty((n, size, size, len(pictures[0].getbands())), np.uint8)
    labels = np.empty(n, np.int64)
    for i in range(n):
        random = np.random.default_rng([seed, i])
        labels[i] = random.integers(len(pictures))
        crops = (random_crop(pictures[labels[i]], random, size, crop_min, crop_max) for _ in range(MAX_DRAWS))
        crop = next((crop for crop in crops if crop.std() >= min_std), None)
        if crop is None:
            raise DataError(f"photograph {photographs[labels[i]]} has no crop of min_std {min_std}: lower it.")
        images[i] = crop.reshape(images.shape[1:])
    return images, labels, list(photographs)


def random_crop(picture: Image.Image, random: np.random.Generator, size: int, low: int, high: int) -> Images:
    """A square crop of log-uniform side in [low, high], at most the picture's, mirrored with probability 1/2."""
    side = min(math.exp(random.uniform(math.log(low), math.log(high))), *picture.size)
    left, top = (random.uniform(0, length - side) for length in picture.size)
    crop = picture.resize((size, size), Image.Resampling.BOX, box=(left, top, left + side, top + side))
    pixels = np.asarray(crop)
    return pixels[:, ::-1] if random.random() < 0.5 else pixels


def load_photograph(index: Path, name: str, mode: str = "L") -> Image.Image:
    """One photograph of data/embedded/photographs.csv, from the package that ships it, as grey or in another mode."""
    with Image.open(packaged(index, name)) as picture:
        return picture.convert(mode)


def packaged(index: Path, name: str) -> Path:
    """A file that a Python package ships, once its sha256 is that of its line in an index of data/embedded/."""
    with index.open(newline="") as file:
        rows = {row["name"]: row for row in csv.DictReader(file)}
    if name not in rows:
        raise DataError(f"there is no photograph {name!r}; data/embedded/{index.name} has: {', '.join(rows)}.")
    row = rows[name]
    package = importlib.util.find_spec(row["package"])
    if package is None or package.origin is None:
        raise DataError(f"{name} needs the package {row['distribution']}: pip install -r requirements.lock.")
    path = Path(package.origin).parent / row["file"]
    return verified(path, row["sha256"], f"pip install --force-reinstall {row['distribution']}=={row['version']}")


# --- digits -----------------------------------------------------------------------------------------------------


def digits(index: Path, size: int) -> tuple[Images, Labels, list[str]]:
    """scikit-learn's handwritten digits, 8x8 in 17 grey levels, bilinearly resized: (1797, size, size, 1)."""
    rows = np.loadtxt(packaged(index, "digits"), delimiter=",", dtype=np.int64)
    small = np.round(rows[:, :-1].reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)
    how = Image.Resampling.BILINEAR
    images = np.stack([np.asarray(Image.fromarray(image).resize((size, size), how)) for image in small])
    return images[..., None], rows[:, -1], [str(digit) for digit in range(10)]


# --- uniform noise ----------------------------------------------------------------------------------------------


def noise(n: int, seed: int, size: int, channels: int = 3) -> tuple[Images, Labels, list[str]]:
    """Uniform grey levels, (n, size, size, C). Image i is a pure function of (seed, i), as a crop of photographs is."""
    shape = (size, size, channels)
    images = [np.random.default_rng([seed, i]).integers(256, size=shape, dtype=np.uint8) for i in range(n)]
    return np.stack(images), np.zeros(n, np.int64), ["noise"]


# --- the step ---------------------------------------------------------------------------------------------------

BLOCK = 1 << 22  # bytes of images that are written at once


def write_set(job: Job, archives: Path = ARCHIVES, workers: int = 1) -> None:
    """The `data` step: images.npy, labels.npy and set.json, which names the archive's files that were read.

    A step that was killed goes on where it stopped. Raises DataError as `prepare` and `archives.content`, and leaves no
    file half-written in the step's folder.
    """
    name = job.spec["name"]
    try:
        content, origin = described(job, archives)
        part = write_images(job, content, origin, workers)
        labels, classes = content.labels()
        with atomic(job.folder / "labels.npy") as temporary:
            np.save(temporary, labels)
        part.replace(job.folder / "images.npy")
    except DataError as error:
        raise DataError(f"set {name}: {error}") from error
    job.finish({"set": name, "n": content.n, "shape": list(content.shape), "classes": classes, **origin})


def described(job: Job, archives: Path) -> tuple[Content, dict[str, Any]]:
    """The set of the job, and what of public archives it is read from, for its record."""
    if job.settings["reader"] == "archive":
        content, checksums = archived(job.settings, archives, job.checkpoints)
        return content, {"archives": checksums}
    if job.settings["reader"] == "tiny_images":
        content, checksums = tiny_images(job.settings, archives)
        return content, {"archives": checksums}
    if job.settings["reader"] == "drawn":
        return drawn(job), {}
    if job.settings["reader"] == "folder":
        return of_folder(job.settings), {}
    if job.settings["reader"] == "classes":
        return of_classes(job), {}
    images, labels, classes = prepare(job.settings)
    return Content(len(images), images.shape[1:], lambda start, _: [images[start:]], lambda: (labels, classes)), {}


def write_images(job: Job, content: Content, origin: dict[str, Any], workers: int) -> Path:
    """A .npy of all of the set's images (n, H, W, C), the same bytes that `np.save` would write of them at once.

    It is returned among the step's checkpoints, under a name that says what it is made from: a step that was killed
    goes on with it, unless it is to be read from other files by now. At most a few items of content.images are in
    memory. Not through numpy's open_memmap: on a full disk a mapped file ends the process by SIGBUS, where writing
    raises an error. Raises DataError for another count.
    """
    part = job.checkpoints / f"images-{made_from(job, origin)}.npy"
    part.parent.mkdir(parents=True, exist_ok=True)
    for other in set(part.parent.glob("images-*.npy")) - {part}:
        other.unlink()
    part.touch()
    job.folder.mkdir(parents=True, exist_ok=True)
    shape = (content.n, *content.shape)
    step = max(1, BLOCK // math.prod(content.shape))
    with (
        room(job.folder / "images.npy", math.prod(shape), "It goes on where it stopped.", there=part.stat().st_size),
        part.open("ab") as file,
    ):
        done = resume(file, shape)
        with progress(f"set {job.spec['name']}", content.n, done) as report:
            for images in content.images(done, workers):
                for start in range(0, len(images), step):
                    block = images[start : start + step]
                    file.write(np.ascontiguousarray(block).data)
                    done += len(block)
                    report(done)
    if done != content.n:
        part.unlink()
        raise DataError(f"{done} images were found where {content.n} belong.")
    return part


def resume(file: BinaryIO, shape: tuple[int, ...]) -> int:
    """How many whole images are in a part of a .npy, which loses what follows them; an empty one gets its header."""
    header = BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": shape})
    start, image = header.tell(), math.prod(shape[1:])
    done = (file.tell() - start) // image
    if not 0 <= done <= shape[0]:
        file.truncate(0)
        file.write(header.getvalue())
        return 0
    file.truncate(start + done * image)
    return done


def made_from(job: Job, origin: dict[str, Any]) -> str:
    """A digest of the archives' checksums and of the parents' records."""
    parents = {role: sha256(record_file(job.parent(role))) for role in job.spec["parents"]}
    return hashlib.sha256(canonical([origin, parents]).encode()).hexdigest()[:12]
