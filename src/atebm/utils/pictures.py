"""Make strips and animations of images."""

from pathlib import Path

import numpy as np
from PIL import Image

from .files import atomic

TILE, MOST_FRAMES = 48, 24  # pixels a side of an image in an animation, and its frames: a few hundred KB


def animate(images: np.ndarray, out: Path) -> None:
    """Write images (n, frames, H, W, C), uint8, side by side as a .gif that pauses on its last frame.

    Each image is enlarged by a whole factor, or reduced, to about TILE pixels a side. Frames beyond MOST_FRAMES are
    thinned out.
    """
    side, frames = images.shape[2], images.shape[1]
    kept = np.unique(np.linspace(0, frames - 1, min(frames, MOST_FRAMES)).round().astype(int))
    pictures = []
    for frame in kept:
        row = strip(images[:, frame], len(images))
        picture = Image.fromarray(row[..., 0] if row.shape[-1] == 1 else row)
        factor = max(1, TILE // side) if side < TILE else TILE / side
        size = (round(picture.width * factor), round(picture.height * factor))
        pictures.append(picture.resize(size, Image.Resampling.NEAREST if factor >= 1 else Image.Resampling.LANCZOS))
    with atomic(out) as temporary:
        pictures[0].save(
            temporary,
            format="GIF",
            save_all=True,
            append_images=pictures[1:],
            duration=[100] * (len(pictures) - 1) + [2000],
            loop=0,
        )


def strip(images: np.ndarray, columns: int) -> np.ndarray:
    """Return images (n, H, W, C), n <= columns, as a strip (H + 1, columns * (W + 1), C) with white lines between."""
    padded = np.pad(images, ((0, columns - len(images)), (0, 0), (0, 0), (0, 0)), constant_values=255)
    framed = np.pad(padded, ((0, 0), (0, 1), (0, 1), (0, 0)), constant_values=255)
    return np.concatenate(list(framed), axis=1)
