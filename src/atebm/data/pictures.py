"""Image files of users as pixels: by one rule, of what a viewer shows. No torch.

Images are upright, as their EXIF orientation says; transparent parts lie over white; of several pages or frames the
first is taken; palettes become their colours. White, since pages and most viewers show it there: the colours that a
file keeps below full transparency are seen by nobody, and a model must not see them either.

The rule is for images of users alone. Those of the paper's archives are decoded by `readers.images.decode`, which must
stay as it is: the bytes of prepared sets, and the digests of all that is computed from them, depend on it.
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
STRAIGHT = {"La": "LA", "RGBa": "RGBA"}  # of modes whose colours are multiplied by their alpha

SQUASH, CROP = FITS = ("squash", "crop")  # ways to make a square of a picture

# Remarks, as they follow a number of images.
TRANSPARENT = "with transparent parts, which were laid over white"
FRAMES = "of several pages or frames, of which the first was taken"
SQUASHED = "squashed to"
CROPPED = "cropped to their middle, at"
TURNED = "turned upright, as the EXIF orientation says"


class Notes:
    """Remarks on files: of each kind how many there are, and the first as an example; what walks took and left out."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.left: list[str] = []
        self.count: Counter[str] = Counter()
        self.first: dict[str, str] = {}

    def add(self, remark: str, path: Path, detail: str = "") -> None:
        """Count a remark on a file; the detail is of the example alone."""
        self.count[remark] += 1
        self.first.setdefault(remark, f"{shown(path)}{detail}")

    def lines(self) -> Iterator[str]:
        """Yield all of it: what is as ever, then what may surprise."""
        yield from self.taken
        yield from self._remarks(usual=True)
        yield from self.surprises()

    def surprises(self) -> Iterator[str]:
        """Yield what was left out in folders, and a line for each change that is not made of most images."""
        yield from self.left
        yield from self._remarks(usual=False)

    def _remarks(self, usual: bool) -> Iterator[str]:
        for remark, count in self.count.items():
            if remark.startswith((SQUASHED, CROPPED)) == usual:
                yield f"{count} {'image' if count == 1 else 'images'} {remark}, such as {self.first[remark]}"


class Opened(NamedTuple):
    """An image file as it is seen."""

    picture: Image.Image  # upright and opaque, of mode "L" or "RGB"
    changes: tuple[str, ...]  # remarks, where the rule has changed something


def open_picture(path: Path, channels: int | None = None) -> Opened:
    """Open an image file, as grey or RGB by the channels, by default as it is itself.

    Raises DataError for what cannot be read, and for images of more than 8 bits a channel.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise ValueError("it is no file")  # and opening a pipe would wait for ever
        with bitmaps.open_bitmap(path) as picture:
            if picture.mode not in EIGHT_BITS:
                raise ValueError(f"mode {picture.mode} has more than 8 bits a channel: save it with 8")
            grey = channels == 1 or (channels is None and picture.mode in GREY)
            turn, frames = turned(picture), several(picture)
            ImageOps.exif_transpose(picture, in_place=True)  # as below: each copy of a large one takes 0.3 GB
            opaque, covered = over_white(picture)
            seen = bitmaps.in_mode(opaque, "L" if grey else "RGB")
            changed = {TRANSPARENT: covered, TURNED: turn, FRAMES: frames}
            return Opened(seen, tuple(remark for remark, so in changed.items() if so))
    except MemoryError:
        raise
    except Exception as error:  # decoders of damaged bytes raise nearly anything
        why = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{shown(path)} is no image that can be read ({why}): leave it out.") from error


def over_white(picture: Image.Image) -> tuple[Image.Image, bool]:
    """Return a picture without transparency, and whether it had any; one that is opaque stays as it is."""
    if not picture.has_transparency_data:
        return picture, False
    straight = bitmaps.in_mode(bitmaps.in_mode(picture, STRAIGHT.get(picture.mode, picture.mode)), "RGBA")
    low, _ = straight.getchannel("A").getextrema()
    if low == 255:
        return picture, False
    white = Image.new("RGB", straight.size, "white")
    white.paste(straight, mask=straight)  # Image.alpha_composite would make a third image of that size
    return white, True


def turned(picture: Image.Image) -> bool:
    """Return whether `ImageOps.exif_transpose` turns or mirrors a picture."""
    return picture.getexif().get(ExifTags.Base.Orientation, 1) in range(2, 9)


def several(picture: Image.Image) -> bool:
    """Return whether a picture has more pages or frames; what a phone's JPEG holds beside its picture is none."""
    return bool(getattr(picture, "is_animated", False)) and picture.format != bitmaps.SEVERAL


def pixels(path: Path, channels: int, size: int, notes: Notes | None = None, fit: str = SQUASH) -> NDArray[np.uint8]:
    """Return an image file as (size, size, C), grey or RGB, by the rule above, bilinear.

    Where it is no square, `fit` says what happens: "squash" takes all of it, "crop" its middle. `notes` takes what was
    changed. Raises DataError as `open_picture`.
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


MOST_NAMED = 5  # files that cannot be read


def unreadable(errors: Sequence[str], total: int) -> str:
    """Return what is said of images of which some cannot be read."""
    more = f" And {len(errors) - MOST_NAMED} more." if len(errors) > MOST_NAMED else ""
    return f"{len(errors)} of {total} images: {' '.join(errors[:MOST_NAMED])}{more}"
