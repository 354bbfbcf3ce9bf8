"""Opening image files: the accepted formats, and limits on an image's size, checked by its header before decoding."""

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO

from PIL import Image

MAX_PIXELS = 2**26  # 67 million, more than any full-frame camera has; 0.27 GB, and at most about 1 GB while decoding
SLOW = 2**22  # pixels if Pillow decodes in Python, such as run lengths in a BMP: few bytes can expand to all pixels
HEAVY = 2**24  # pixels for formats whose decoders take 16 bytes per pixel and more
# The formats of photographs that Pillow decodes itself, in compiled code. EPS, PDF and WMF are left out, since Pillow
# starts other programs for them, and so are formats whose header can state a wrong size.
FORMATS = {
    "AVIF": HEAVY,
    "BMP": MAX_PIXELS,
    "GIF": MAX_PIXELS,
    "JPEG": MAX_PIXELS,
    "JPEG2000": HEAVY,
    "PNG": MAX_PIXELS,
    "PPM": MAX_PIXELS,
    "TGA": MAX_PIXELS,
    "TIFF": MAX_PIXELS,
    "WEBP": HEAVY,
}
SEVERAL = "MPO"  # Pillow's name for a JPEG with further images after the first
SUFFIXES = frozenset(suffix for suffix, name in Image.registered_extensions().items() if name in (*FORMATS, SEVERAL))
TILE = (322, 323)  # TIFF tags: width and height of a tile, which is decoded whole
MAX_SCANS = 100  # scans of a progressive JPEG: encoders make about ten, but a scan of 14 bytes can take 50 ms
MAX_JPEG = 2**26  # bytes that are searched for scans: no image with MAX_PIXELS has more
MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")  # a marker in a JPEG, neither data nor a restart marker


@contextmanager
def open_bitmap(file: Path | BinaryIO, formats: tuple[str, ...] = tuple(FORMATS)) -> Iterator[Image.Image]:
    """Open an image file for the block, without decoding it.

    Raises ValueError if it has more pixels than its format may have, and Pillow's errors for a format not in `formats`.
    """
    try:
        # our own limit replaces this warning
        with warnings.catch_warnings(action="ignore", category=Image.DecompressionBombWarning):
            picture = Image.open(file, formats=formats)
    except Image.DecompressionBombError:
        raise ValueError(f"it has more than {MAX_PIXELS // 10**6} million pixels: make it smaller") from None
    with picture:
        check_pixels(picture)
        if picture.format in ("JPEG", SEVERAL):
            check_scans(picture)
        yield picture


def check_pixels(picture: Image.Image) -> None:
    """Raise ValueError for an image that would take too much memory or time to decode."""
    most = FORMATS.get(picture.format or "", MAX_PIXELS)
    if any(tile[0] in Image.DECODERS for tile in getattr(picture, "tile", ())):
        most = SLOW
    tags = getattr(picture, "tag_v2", {})
    tile = [int(tags.get(tag, 0)) for tag in TILE]
    for width, height in (picture.size, tile):
        if width * height > most:
            raise ValueError(f"{width}x{height} is more than {most // 10**6} million pixels: make it smaller")


def check_scans(picture: Image.Image) -> None:
    """Raise ValueError for a JPEG with more than MAX_SCANS scans, since each scan passes over the whole image."""
    file: IO[bytes] = picture.fp  # type: ignore[attr-defined]
    before = file.tell()
    file.seek(0)
    content, place, scans = file.read(MAX_JPEG), 2, 0
    file.seek(before)
    while found := MARKER.search(content, place):
        kind, place = content[found.start() + 1], found.end()
        if kind == 0xD9:  # the end of the image; phones append others
            return
        scans += kind == 0xDA
        if scans > MAX_SCANS:
            raise ValueError(f"it has more than {MAX_SCANS} scans: save it again")
        place += int.from_bytes(content[place : place + 2], "big")


def in_mode(picture: Image.Image, mode: str) -> Image.Image:
    """Return the decoded image in a mode of Pillow, without a copy if it has that mode already."""
    picture.load()
    return picture if picture.mode == mode else picture.convert(mode)
