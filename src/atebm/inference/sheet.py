"""Draw a contact sheet: enlarged images, before and after, with their energies."""

import textwrap

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

COLUMNS, TILE, GAP = 8, 96, 8  # pairs per row; least side of an image in pixels; pixels between images
LETTERS = 12  # points
INK, PAPER = "black", "white"


def contact_sheet(
    before: NDArray[np.uint8], after: NDArray[np.uint8] | None, energies: NDArray[np.float32], title: str = ""
) -> Image.Image:
    """Return a picture of images (n, H, W, C): each `after` image below its `before` image, with the pair's energies.

    Without `after`, it shows single images. `energies` are (n, 1), or (n, 2) for pairs. Small images are enlarged by a
    whole factor, so their pixels stay visible.
    """
    rows = [before] if after is None else [before, after]
    factor = max(1, -(-TILE // before.shape[2]))
    height, width = factor * before.shape[1], factor * before.shape[2]
    line = LETTERS + 3
    columns = min(COLUMNS, len(before))
    page = max(columns * (width + GAP) + GAP, 4 * TILE)
    font = ImageFont.load_default(LETTERS)
    heading = textwrap.wrap(title, page // (LETTERS * 55 // 100))
    top = GAP + line * len(heading)
    deep = len(rows) * (height + 2) + line + GAP
    sheet = Image.new("RGB", (page, top + deep * -(-len(before) // columns) + GAP), PAPER)
    pen = ImageDraw.Draw(sheet)
    for number, text in enumerate(heading):
        pen.text((GAP, GAP // 2 + line * number), text, INK, font)
    for place in range(len(before)):
        left, down = GAP + place % columns * (width + GAP), top + place // columns * deep
        for number, images in enumerate(rows):
            sheet.paste(enlarged(images[place], factor), (left, down + number * (height + 2)))
        said = " to ".join(f"{energy:.2f}" for energy in energies[place])
        pen.text((left, down + len(rows) * (height + 2)), f"E {said}", INK, font)
    return sheet


def enlarged(image: NDArray[np.uint8], factor: int) -> Image.Image:
    """Return an image (H, W, C) as a picture, with each pixel as a square of `factor` by `factor` pixels."""
    picture = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
    return picture.resize((factor * picture.width, factor * picture.height), Image.Resampling.NEAREST)
