"""Restore damaged images by trivial filters, and measure how much restoration gains."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import ndimage, sparse
from scipy.sparse.linalg import splu

from ..data.hole import hole

Images = NDArray[np.uint8]  # (n, H, W, C)
BLUR = 0.5  # pixels, standard deviation


def damage(record: dict[str, Any]) -> str:
    """Say how the images of a restoration were damaged."""
    start = record["start"]
    if start["name"] == "noisy":
        return f"Gaussian noise, sigma {start['sigma']:g}"
    return (
        f"A square hole, {100 * start['side']:.3g} % of the image's side, filled with {start['fill']:g}; PGD changes "
        "only the hole"
    )


def gain(frame: pd.DataFrame) -> pd.Series:
    """Return how much the PSNR (dB) of each image in a restoration's path.csv rose from damaged to restored."""
    by_steps = frame.pivot(index="image", columns="steps", values="psnr")
    return by_steps.iloc[:, -1] - by_steps.iloc[:, 0]


def trivial_filters(start: dict[str, Any]) -> dict[str, Callable[[Images], NDArray[np.float64]]]:
    """Return, by name, the trivial filters for the kind of damage that `start` describes."""
    if start["name"] == "noisy":
        return {f"Gaussian blur of {BLUR:g} px": blurred, "3x3 median": median}
    return {"Laplace filling": lambda images: filled(images, *hole(images.shape[1:3], start["side"]))}


def blurred(images: Images) -> NDArray[np.float64]:
    """Blur images with a Gaussian of standard deviation BLUR, in grey levels."""
    return ndimage.gaussian_filter(images.astype(np.float64), (0, BLUR, BLUR, 0))


def median(images: Images) -> NDArray[np.float64]:
    """Replace each pixel by the median of the 3x3 pixels around it, in grey levels."""
    return ndimage.median_filter(images.astype(np.float64), (1, 3, 3, 1))


def filled(images: Images, rows: slice, columns: slice) -> NDArray[np.float64]:
    """Fill the hole of images by solving Laplace's equation with the pixels around it as boundary, in grey levels.

    Beyond the image's edge there is no boundary value, so nothing flows across the edge.
    """
    n, height, width, channels = images.shape
    inside = np.zeros((height, width), dtype=bool)
    inside[rows, columns] = True
    unknown = np.argwhere(inside)
    number = np.full(inside.shape, -1)
    number[inside] = np.arange(len(unknown))
    matrix = sparse.lil_matrix((len(unknown), len(unknown)))
    known = np.zeros((len(unknown), n * channels))
    pixels = images.astype(np.float64).transpose(1, 2, 0, 3).reshape(height, width, -1)  # (H, W, n C)
    for row, (top, left) in enumerate(unknown.tolist()):
        for y, x in ((top - 1, left), (top + 1, left), (top, left - 1), (top, left + 1)):
            if not (0 <= y < height and 0 <= x < width):
                continue
            matrix[row, row] += 1
            if inside[y, x]:
                matrix[row, number[y, x]] = -1
            else:
                known[row] += pixels[y, x]
    pixels[inside] = splu(matrix.tocsc()).solve(known)
    return pixels.reshape(height, width, n, channels).transpose(2, 0, 1, 3)


def psnr(images: NDArray[Any], originals: Images) -> NDArray[np.float64]:
    """Return the peak signal-to-noise ratio of each image (n,) in dB, for grey levels up to 255; inf if equal."""
    errors = np.mean((np.asarray(images, np.float64) - originals) ** 2, axis=(1, 2, 3))
    with np.errstate(divide="ignore"):
        return 10 * np.log10(255**2 / errors)


@dataclass(frozen=True)
class Restored:
    """Damaged images as a trivial filter restores them."""

    images: Images
    rows: pd.DataFrame  # a row per image: its number, and its PSNR in dB
    gains: NDArray[np.float64]  # by how many dB the PSNR of each image rises (n,)


def restored_trivially(start: dict[str, Any], damaged: Images, originals: Images) -> dict[str, Restored]:
    """Return, by filter, its restoration of images that `start` damaged."""
    before, found = psnr(damaged, originals), {}
    for name, apply in trivial_filters(start).items():
        images = apply(damaged)
        after = psnr(images, originals)
        rows = pd.DataFrame({"image": range(len(images)), "psnr": after})
        found[name] = Restored(np.round(images).clip(0, 255).astype(np.uint8), rows, after - before)
    return found


def trivial_gains(start: dict[str, Any], damaged: Images, originals: Images) -> dict[str, NDArray[np.float64]]:
    """Return, by filter, how much it raises the PSNR of each damaged image, in dB (n,)."""
    return {name: found.gains for name, found in restored_trivially(start, damaged, originals).items()}
