"""Reading user images as pixels, as a viewer shows them. Imports no torch.

Images are turned upright by their EXIF orientation, transparent parts are put over white, the first of several pages or
frames is taken, and palettes are converted to colours. The background is white because web pages and most viewers use
it: nobody sees the colours that a file keeps below full transparency, so a model must not see them either.

These rules are only for user images. Images in the paper's archives are decoded by `readers.images.decode`, which must
not change: the bytes of prepared sets, and the digests of everything computed from them, depend on it.
"""

import stat
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps

from ..utils.errors import DataError, shown
from .readers import bitmaps
from .readers.transforms import squash

EIGHT_BITS = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "La", "RGBa")  # modes of Pillow
GREY = ("1", "L", "LA", "La")
STRAIGHT = {"La": "LA", "RGBa": "RGBA"}  # straight modes for those whose colours are multiplied by alpha

SQUASH, CROP = FITS = ("squash", "crop")  # ways to make a picture square

# Remarks, which follow a number of images.
TRANSPARENT = "with transparent parts, which were put over white"
FRAMES = "with several pages or frames, of which the first was taken"
SQUASHED = "squashed to"
CROPPED = "cropped to the middle, at"
TURNED = "turned upright by the EXIF orientation"


class Notes:
    """Remarks on files, counted by kind with the first file as an example, and lines about folders."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.left: list[str] = []
        self.count: Counter[str] = Counter()
        self.first: dict[str, str] = {}

    def add(self, remark: str, path: Path, detail: str = "") -> None:
        """Count a remark on a file; the detail is kept only for the example."""
        self.count[remark] += 1
        self.first.setdefault(remark, f"{shown(path)}{detail}")

    def lines(self) -> Iterator[str]:
        """Yield all lines: first the usual ones, then those that may surprise."""
        yield from self.taken
        yield from self._remarks(usual=True)
        yield from self.surprises()

    def surprises(self) -> Iterator[str]:
        """Yield the lines about files that were left out, and about changes that are unusual."""
        yield from self.left
        yield from self._remarks(usual=False)

    def _remarks(self, usual: bool) -> Iterator[str]:
        for remark, count in self.count.items():
            if remark.startswith((SQUASHED, CROPPED)) == usual:
                yield f"{count} {'image' if count == 1 else 'images'} {remark}, such as {self.first[remark]}"


class Opened(NamedTuple):
    """An image file as a viewer shows it."""

    picture: Image.Image  # upright and opaque, in mode "L" or "RGB"
    changes: tuple[str, ...]  # remarks on the changes made to it


def open_picture(path: Path, channels: int | None = None) -> Opened:
    """Open an image file, as grey (1) or RGB (3) by `channels`, by default as the file itself.

    Raises DataError if it cannot be read as an image, or has more than 8 bits per channel.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise ValueError("it is not a regular file")  # opening a pipe would wait for ever
        with bitmaps.open_bitmap(path) as picture:
            if picture.mode not in EIGHT_BITS:
                raise ValueError(f"mode {picture.mode} has more than 8 bits per channel: save it with 8")
            grey = channels == 1 or (channels is None and picture.mode in GREY)
            turn, frames = turned(picture), several(picture)
            ImageOps.exif_transpose(picture, in_place=True)  # in place, since a copy of a large picture takes 0.3 GB
            opaque, covered = over_white(picture)
            seen = bitmaps.in_mode(opaque, "L" if grey else "RGB")
            changed = {TRANSPARENT: covered, TURNED: turn, FRAMES: frames}
            return Opened(seen, tuple(remark for remark, so in changed.items() if so))
    except MemoryError:
        raise
    except Exception as error:  # decoders raise nearly anything for damaged bytes
        why = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{shown(path)} cannot be read as an image ({why}): leave it out.") from error


def over_white(picture: Image.Image) -> tuple[Image.Image, bool]:
    """Return a picture without transparency, and whether it had any; an opaque picture is returned unchanged."""
    if not picture.has_transparency_data:
        return picture, False
    straight = bitmaps.in_mode(bitmaps.in_mode(picture, STRAIGHT.get(picture.mode, picture.mode)), "RGBA")
    low, _ = straight.getchannel("A").getextrema()
    if low == 255:
        return picture, False
    white = Image.new("RGB", straight.size, "white")
    white.paste(straight, mask=straight)  # Image.alpha_composite would need a third image of that size
    return white, True


def turned(picture: Image.Image) -> bool:
    """Return whether `ImageOps.exif_transpose` turns or mirrors a picture."""
    return picture.getexif().get(ExifTags.Base.Orientation, 1) in range(2, 9)


def several(picture: Image.Image) -> bool:
    """Return whether a picture has several pages or frames; extra images in a phone's JPEG do not count."""
    return bool(getattr(picture, "is_animated", False)) and picture.format != bitmaps.SEVERAL


def pixels(path: Path, channels: int, size: int, notes: Notes | None = None, fit: str = SQUASH) -> NDArray[np.uint8]:
    """Return an image file as (size, size, C), grey or RGB, resized bilinearly.

    If it is not square, `fit` decides: "squash" stretches all of it, "crop" takes the middle. `notes` collects remarks
    on changes. Raises DataError if the file cannot be read as an image, or has more than 8 bits per channel.
    """
    picture, changes = open_picture(path, channels)
    if notes:
        for remark in changes:
            notes.add(remark, path)
        if picture.size != (size, size):
            how = CROPPED if fit == CROP and picture.width != picture.height else SQUASHED
            notes.add(f"{how} {size}x{size}", path, f" of {picture.width}x{picture.height}")
    if fit == CROP:
        picture = middle(picture)
    return squash(picture, size).reshape(size, size, channels)


def middle(picture: Image.Image) -> Image.Image:
    """Return the largest square in the middle of a picture."""
    side = min(picture.size)
    left, top = ((length - side) // 2 for length in picture.size)
    return picture.crop((left, top, left + side, top + side))


MOST_NAMED = 5  # unreadable files that a message names


def unreadable(errors: Sequence[str], total: int) -> str:
    """Return the message on images of which some cannot be read."""
    more = f" And {len(errors) - MOST_NAMED} more." if len(errors) > MOST_NAMED else ""
    return f"{len(errors)} of {total} images: {' '.join(errors[:MOST_NAMED])}{more}"
