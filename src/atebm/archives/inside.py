"""Checking a zip by its members and images: the only check if no checksum is documented."""

import io
import zipfile
from pathlib import Path, PurePosixPath

from ..utils.errors import DataError
from .members import is_image, open_zip, unpacked_member, zip_members

Side = tuple[int, int]  # width and height


def wrong_inside(path: Path, members: tuple[str, ...], pixels: int | None) -> str | None:
    """Return why the file at `path` is not a zip with `members` of `pixels` x `pixels`; None if nothing is wrong.

    For each pattern, the headers of the first, the middle and the last image are read.
    """
    if not zipfile.is_zipfile(path):
        return "it is not a zip, or is truncated"
    try:
        with open_zip(path) as file:
            there = {member.filename: member.file_size for member in zip_members(file, path)}
            for pattern in members:
                names = sorted(name for name in there if PurePosixPath(name).match(pattern))
                if not names:
                    found = min(filter(is_image, there), default=min(there, default="nothing"))
                    return f"it has no members named {pattern}; it has {found}"
                for name in filter(is_image, some(names)) if pixels else ():
                    side = side_of(unpacked_member(file, name, there[name]))
                    if side != (pixels, pixels):
                        return f"{name} in it is not an image of {pixels}x{pixels} pixels{but(side)}"
    except DataError as error:
        return str(error).rstrip(".")
    return None


def some(names: list[str]) -> list[str]:
    """Return the first, the middle and the last name."""
    return [names[0], names[len(names) // 2], names[-1]]


def but(side: Side | None) -> str:
    return f", but of {side[0]}x{side[1]}" if side else ""


def side_of(image: bytes) -> Side | None:
    """Return the width and height in an image file's header; None if it is not an image."""
    from PIL import Image  # imported here: nothing else in planning and fetching needs it

    try:
        with Image.open(io.BytesIO(image), formats=("JPEG", "PNG", "WEBP")) as picture:
            return picture.size
    except Exception:  # Pillow raises nearly anything for damaged headers
        return None
