"""Make the overview's own pictures in results/site/: thumbnails of figures, and images that climb f."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageSequence

from ..utils.files import atomic

FOLDER = "site"
WIDTH = 320  # pixels of a thumbnail: twice its width on the page
COLOURS = 32  # colours of a thumbnail
CLIMB, CLIMBS = "site/climb.png", "figS2"  # the picture of an ascent, and the artifact whose animation it comes from
FRAMES, IMAGES = 8, 3  # columns and rows of that picture


@dataclass(frozen=True)
class Picture:
    """A picture and its size in pixels, which a page reserves for it."""

    file: str
    width: int
    height: int


def write_pictures(results: Path, names: Iterable[str]) -> list[str]:
    """Write the pictures of some artifacts; return the files' paths below `results`."""
    figures = [results / f"{name}.png" for name in names if (results / f"{name}.png").exists()]
    written = [write_thumbnail(figure, results / thumbnail(figure.stem), results) for figure in figures]
    if (animation := results / f"{CLIMBS}.gif").exists():
        written.append(write_climb(animation, results / CLIMB, results))
    return written


def thumbnail(name: str) -> str:
    """Return the path of a figure's thumbnail."""
    return f"{FOLDER}/{name}.png"


def write_thumbnail(figure: Path, out: Path, results: Path) -> str:
    """Write a figure WIDTH pixels wide."""
    with Image.open(figure) as whole:
        height = round(whole.height * WIDTH / whole.width)
        small = whole.convert("RGB").resize((WIDTH, height), Image.Resampling.LANCZOS)
    return save(small.quantize(COLOURS, dither=Image.Dither.NONE), out, results)


def write_climb(animation: Path, out: Path, results: Path) -> str:
    """Write a row for each of the first IMAGES images of an animation; the steps of its ascent go to the right."""
    with Image.open(animation) as motion:
        frames = [np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(motion)]
    side = frames[0].shape[0]  # images lie side by side, and are squares
    count = min(IMAGES, frames[0].shape[1] // side)
    steps = np.linspace(0, len(frames) - 1, min(FRAMES, len(frames))).round().astype(int)
    rows = [
        np.concatenate([frames[step][:, side * row : side * (row + 1)] for step in steps], 1) for row in range(count)
    ]
    return save(Image.fromarray(np.concatenate(rows)), out, results)


def save(picture: Image.Image, out: Path, results: Path) -> str:
    with atomic(out) as temporary:
        picture.save(temporary, format="PNG", optimize=True)
    return str(out.relative_to(results))


def sized(results: Path, name: str) -> Picture | None:
    """Return a picture in the results with its size; None if it is missing."""
    if not (results / name).exists():
        return None
    with Image.open(results / name) as image:
        return Picture(name, image.width, image.height)
