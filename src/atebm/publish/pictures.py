"""The pictures that only the page has: grids of images before and after their ascent, and first frames of animations.

They lie in results/site/, with pairs.json, which says what they show.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..pipeline.artifacts import ARTIFACTS
from ..report.compared import compared
from ..report.needs import Needs, Result
from ..utils.files import atomic, write_text
from ..utils.hashing import canonical

FOLDER, PAIRS = "site", "site/pairs.json"
COLUMNS = 8  # of a grid
LARGEST = 64  # pixels a side of an image in a grid: the page stays small at every scale


@dataclass(frozen=True)
class Pair:
    """Two grids of as many images, in one order."""

    title: str
    before: str
    after: str
    step: str  # "ascent/..." or "sample/..."
    images: int
    width: int  # of each grid, in pixels
    height: int
    small: bool  # whether single pixels are to be seen when it is enlarged
    file: str  # below results/, of the grid before; that after has "after" in its place

    @property
    def files(self) -> tuple[str, str]:
        return self.file, self.file.replace(".before.", ".after.")


def write_pictures(results: Path, needs: Mapping[str, Needs]) -> list[str]:
    """Write the pictures of these artifacts, and remove those of others; returns the files' names below `results`.

    Reads what the artifacts' steps left, in work/ or kept, and their animations in `results`.
    """
    pairs: dict[str, list[dict[str, Any]]] = {}
    files = {PAIRS}
    for name, wish in needs.items():
        for pair, grids in pairs_of(name, wish):
            for file, part in zip(pair.files, grids, strict=True):
                save(part, results / file)
            files.update(pair.files)
            pairs.setdefault(name, []).append(asdict(pair))
        if (animation := results / f"{name}.gif").exists():
            files.add(write_still(animation, results))
    write_text(results / PAIRS, canonical(pairs))
    for path in set((results / FOLDER).iterdir()) - {results / file for file in files}:
        path.unlink()
    return sorted(files)


def pairs_of(name: str, needs: Needs) -> list[tuple[Pair, list[np.ndarray]]]:
    """Return what can be compared in an artifact, with its two grids, uint8 (H, W, C)."""
    words = ARTIFACTS[name].compares
    return [] if words is None else [pair_of(words, *shown) for shown in compared(needs)]


def pair_of(
    names: tuple[str, str], title: str, after: Result, images: list[np.ndarray]
) -> tuple[Pair, list[np.ndarray]]:
    """Return a pair of images before and after, and its grids."""
    folder = after.folder
    kind, label = folder.parent.name, folder.name.rpartition("-")[0]
    grids = [grid(part, COLUMNS) for part in images]
    height, width = grids[0].shape[:2]
    small = max(images[0].shape[1:3]) < LARGEST
    file = f"{FOLDER}/{kind}.{label}.before.png"
    return Pair(title, *names, f"{kind}/{folder.name}", len(images[0]), width, height, small, file), grids


def grid(images: np.ndarray, columns: int) -> np.ndarray:
    """uint8 (n, H, W, C) as one image (H', W', C): row by row, white lines between, none larger than LARGEST."""
    tiles = [shrunk(image) for image in images]
    height, width, channels = tiles[0].shape
    rows = -(-len(tiles) // columns)
    canvas = np.full((rows * (height + 1) - 1, columns * (width + 1) - 1, channels), 255, np.uint8)
    for number, tile in enumerate(tiles):
        top, left = (number // columns) * (height + 1), (number % columns) * (width + 1)
        canvas[top : top + height, left : left + width] = tile
    return canvas


def shrunk(image: np.ndarray) -> np.ndarray:
    """uint8 (H, W, C), averaged over areas where a side is longer than LARGEST."""
    longest = max(image.shape[:2])
    if longest <= LARGEST:
        return image
    size = tuple(round(side * LARGEST / longest) for side in image.shape[1::-1])
    small = np.asarray(picture(image).resize(size, Image.Resampling.BOX))
    return small.reshape(*small.shape[:2], image.shape[2])


def picture(image: np.ndarray) -> Image.Image:
    return Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)


def save(image: np.ndarray, path: Path) -> None:
    with atomic(path) as temporary:
        picture(image).save(temporary, optimize=True)


def write_still(animation: Path, results: Path) -> str:
    """The first frame of a .gif, as site/<id>.still.png; returns that name."""
    name = f"{FOLDER}/{animation.stem}.still.png"
    with Image.open(animation) as frames, atomic(results / name) as temporary:
        frames.convert("L" if frames.mode == "L" else "RGB").save(temporary, optimize=True)
    return name


def pairs_in(results: Path) -> dict[str, list[Pair]]:
    """By artifact, what pairs.json lists; nothing where there is none."""
    path = results / PAIRS
    if not path.exists():
        return {}
    listed = json.loads(path.read_text(encoding="utf-8"))
    return {name: [Pair(**pair) for pair in pairs] for name, pairs in listed.items()}
