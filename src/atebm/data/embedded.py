"""Embedded image sets: small files in data/embedded/, photographs and digits from Python packages, and noise."""

import csv
import importlib.util
import math
from pathlib import Path

import numpy as np
from PIL import Image

from ..config import sets
from ..utils.errors import DataError
from ..utils.hashing import sha256
from .content import Content, Images, Places, whole
from .readers.arrays import FASHION_CLASSES, read_idx
from .readers.transforms import padded


def verified(path: Path, digest: str, remedy: str) -> Path:
    """Check that the file has this sha256, and return its path. Raises DataError, with the remedy, if it has not."""
    if not path.exists():
        raise DataError(f"{path} is missing: {remedy}.")
    if sha256(path) != digest:
        raise DataError(f"{path} is damaged (its sha256 is not {digest[:12]}...): {remedy}.")
    return path


# --- Fashion-MNIST ----------------------------------------------------------------------------------------------


def fashion_mnist(spec: sets.FashionMnist, places: Places) -> Content:
    """Return the test split's last `held_out` images, or for split `train` all others."""
    folder = places.embedded / spec.embedded
    lines = (folder / "SHA256SUMS").read_text().splitlines()
    digests = {name: digest for digest, name in (line.split() for line in lines)}
    remedy = f"restore it with 'git checkout -- {folder.name}' in data/embedded"
    images, labels = (
        read_idx(verified(folder / name, digests[name], remedy))
        for name in ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz")
    )
    first = len(images) - spec.held_out
    part = slice(first) if spec.split == "train" else slice(first, None)
    resized = np.stack([padded(image, spec.size) for image in images[part]])
    return whole(spec.size, resized, labels[part].astype(np.int64), FASHION_CLASSES)


# --- photographs ------------------------------------------------------------------------------------------------

MAX_DRAWS = 1000  # draws of one crop, after which its photograph counts as flat


def photograph_crops(spec: sets.Photographs, places: Places) -> Content:
    """Return `n` crops of random photograph, place, side (log-uniform) and mirroring, area-resized to `size`.

    Crops with a standard deviation below min_std are drawn again: flat sources have similar gradients, so a
    deterministic ascent would reach the same sample from all of them. Crop i is a pure function of (seed, i), so that a
    longer set begins with a shorter one. Labels are the photographs of the crops. Disjoint sets use disjoint
    photographs, since crops of one photograph resemble each other.
    """
    index, mode, size = places.embedded / spec.embedded, "RGB" if spec.channels == 3 else "L", spec.size
    pictures = [load_photograph(index, name, mode) for name in spec.photographs]
    images = np.empty((spec.n, size, size, spec.channels), np.uint8)
    labels = np.empty(spec.n, np.int64)
    for i in range(spec.n):
        random = np.random.default_rng([spec.seed, i])
        labels[i] = random.integers(len(pictures))
        picture = pictures[labels[i]]
        crops = (random_crop(picture, random, size, spec.crop_min, spec.crop_max) for _ in range(MAX_DRAWS))
        crop = next((crop for crop in crops if crop.std() >= spec.min_std), None)
        if crop is None:
            name = spec.photographs[labels[i]]
            raise DataError(f"photograph {name} has no crop with min_std = {spec.min_std:g}: lower min_std.")
        images[i] = crop.reshape(images.shape[1:])
    return whole(size, images, labels, list(spec.photographs))


def random_crop(picture: Image.Image, random: np.random.Generator, size: int, low: int, high: int) -> Images:
    """Return a square crop with log-uniform side in [low, high], at most the picture's, mirrored at random."""
    side = min(math.exp(random.uniform(math.log(low), math.log(high))), *picture.size)
    left, top = (random.uniform(0, length - side) for length in picture.size)
    crop = picture.resize((size, size), Image.Resampling.BOX, box=(left, top, left + side, top + side))
    pixels = np.asarray(crop)
    return pixels[:, ::-1] if random.random() < 0.5 else pixels


def load_photograph(index: Path, name: str, mode: str = "L") -> Image.Image:
    """Return one photograph of data/embedded/photographs.csv in a mode of Pillow, by default grey."""
    with Image.open(listed(index, name)) as picture:
        return picture.convert(mode)


def listed(index: Path, name: str) -> Path:
    """Check the sha256 of a file that an index in data/embedded/ lists, and return the file's path.

    The file belongs to the Python package in its row, or is beside the index if the row names none. Raises DataError if
    there is no such row or package, and if the file is missing or altered.
    """
    with index.open(newline="") as file:
        rows = {row["name"]: row for row in csv.DictReader(file)}
    if name not in rows:
        raise DataError(f"there is no photograph {name!r}; data/embedded/{index.name} has: {', '.join(rows)}.")
    row = rows[name]
    if not row["package"]:
        remedy = f"restore it with 'git checkout -- {row['file']}' in data/embedded"
        return verified(index.parent / row["file"], row["sha256"], remedy)
    package = importlib.util.find_spec(row["package"])
    if package is None or package.origin is None:
        raise DataError(f"{name} needs the package {row['distribution']}: pip install -r requirements.lock.")
    path = Path(package.origin).parent / row["file"]
    return verified(path, row["sha256"], f"pip install --force-reinstall {row['distribution']}=={row['version']}")


# --- digits -----------------------------------------------------------------------------------------------------


def digits(spec: sets.Digits, places: Places) -> Content:
    """Return scikit-learn's digits, 8x8 pixels in 17 grey levels, bilinearly resized to (1797, size, size, 1)."""
    rows = np.loadtxt(listed(places.embedded / spec.embedded, "digits"), delimiter=",", dtype=np.int64)
    small = np.round(rows[:, :-1].reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)
    how = Image.Resampling.BILINEAR
    images = np.stack([np.asarray(Image.fromarray(image).resize((spec.size, spec.size), how)) for image in small])
    return whole(spec.size, images[..., None], rows[:, -1], [str(digit) for digit in range(10)])


# --- uniform noise ----------------------------------------------------------------------------------------------


def noise(spec: sets.Noise, _: Places) -> Content:
    """Return uniform noise in grey levels, (n, size, size, C). Image i is a pure function of (seed, i)."""
    shape = (spec.size, spec.size, spec.channels)
    images = [np.random.default_rng([spec.seed, i]).integers(256, size=shape, dtype=np.uint8) for i in range(spec.n)]
    return whole(spec.size, np.stack(images), np.zeros(spec.n, np.int64), ["noise"])
