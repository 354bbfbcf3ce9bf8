"""Image files: the formats that are opened, and how large an image may be, by its header, before it is decoded."""

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO

from PIL import Image

MAX_PIXELS = 2**26  # 67 million: no camera of full frame has more; 0.27 GB, and about 1 GB at most while it is decoded
SLOW = 2**22  # where Pillow decodes in Python, such as the run lengths of a BMP, of which a few bytes can be all pixels
HEAVY = 2**24  # of formats whose decoders take 16 bytes a pixel and more
# Of Pillow's formats those that it decodes itself, in compiled code, and in which people keep photographs. No EPS, PDF
# or WMF, for which it starts other programs, and none whose header states another size than its image can have.
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
SEVERAL = "MPO"  # what Pillow calls a JPEG behind whose image there are others
SUFFIXES = frozenset(suffix for suffix, name in Image.registered_extensions().items() if name in (*FORMATS, SEVERAL))
TILE = (322, 323)  # tags of TIFF: width and height of a tile, which is decoded whole
MAX_SCANS = 100  # of a progressive JPEG: encoders make about ten, and 14 bytes of file can be one that takes 50 ms
MAX_JPEG = 2**26  # bytes that are looked through for scans: no image of so many pixels has more
MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")  # of JPEG: neither a byte of data nor where decoders can start again


@contextmanager
def open_bitmap(file: Path | BinaryIO, formats: tuple[str, ...] = tuple(FORMATS)) -> Iterator[Image.Image]:
    """Give an image file for the block, not decoded yet.

    Raises ValueError for more pixels than its format may have, and what Pillow raises for what is none of `formats`.
    """
    try:
        with warnings.catch_warnings(action="ignore", category=Image.DecompressionBombWarning):  # that bound is ours
            picture = Image.open(file, formats=formats)
    except Image.DecompressionBombError:
        raise ValueError(f"it has more than {MAX_PIXELS // 10**6} million pixels: make it smaller") from None
    with picture:
        check_pixels(picture)
        if picture.format in ("JPEG", SEVERAL):
            check_scans(picture)
        yield picture


def check_pixels(picture: Image.Image) -> None:
    """Raise ValueError for an image that would take too much memory, or too long, to decode."""
    most = FORMATS.get(picture.format or "", MAX_PIXELS)
    if any(tile[0] in Image.DECODERS for tile in getattr(picture, "tile", ())):
        most = SLOW
    tags = getattr(picture, "tag_v2", {})
    tile = [int(tags.get(tag, 0)) for tag in TILE]
    for width, height in (picture.size, tile):
        if width * height > most:
            raise ValueError(f"{width}x{height} are more than {most // 10**6} million pixels: make it smaller")


def check_scans(picture: Image.Image) -> None:
    """Raise ValueError for a JPEG of more than MAX_SCANS scans, each of which passes over the whole image."""
    file: IO[bytes] = picture.fp  # type: ignore[attr-defined]
    before = file.tell()
    file.seek(0)
    content, place, scans = file.read(MAX_JPEG), 2, 0
    file.seek(before)
    while found := MARKER.search(content, place):
        kind, place = content[found.start() + 1], found.end()
        if kind == 0xD9:  # the end of the image, behind which phones keep others
            return
        scans += kind == 0xDA
        if scans > MAX_SCANS:
            raise ValueError(f"it has more than {MAX_SCANS} scans: save it anew")
        place += int.from_bytes(content[place : place + 2], "big")


def in_mode(picture: Image.Image, mode: str) -> Image.Image:
    """Return the decoded image in a mode of Pillow; itself where it has that mode, since `convert` would copy it."""
    picture.load()
    return picture if picture.mode == mode else picture.convert(mode)
