"""Whether a zip has the members and images that belong into it: all that tells where no checksum is documented."""

import io
import zipfile
from pathlib import Path, PurePosixPath

from ..utils.errors import DataError
from .members import is_image, open_zip, unpacked_member, zip_members

Side = tuple[int, int]  # width and height


def wrong_inside(path: Path, members: tuple[str, ...], pixels: int | None) -> str | None:
    """Return what shows that the file at `path` is no zip with `members` of `pixels` a side; None: nothing.

    Of each pattern's images the first, the middle and the last are looked at, by their headers.
    """
    if not zipfile.is_zipfile(path):
        return "it is no zip, or a truncated one"
    try:
        with open_zip(path) as file:
            there = {member.filename: member.file_size for member in zip_members(file, path)}
            for pattern in members:
                names = sorted(name for name in there if PurePosixPath(name).match(pattern))
                if not names:
                    found = min(filter(is_image, there), default=min(there, default="nothing"))
                    return f"it has no members {pattern}, but {found}"
                for name in filter(is_image, some(names)) if pixels else ():
                    side = side_of(unpacked_member(file, name, there[name]))
                    if side != (pixels, pixels):
                        return f"{name} in it is no image of {pixels}x{pixels} pixels{but(side)}"
    except DataError as error:
        return str(error).rstrip(".")
    return None


def some(names: list[str]) -> list[str]:
    """Return the first, the middle and the last."""
    return [names[0], names[len(names) // 2], names[-1]]


def but(side: Side | None) -> str:
    return f", but of {side[0]}x{side[1]}" if side else ""


def side_of(image: bytes) -> Side | None:
    """Width and height of an image file, by its header; None where it is none."""
    from PIL import Image  # of all that plan and fetch, this alone wants it

    try:
        with Image.open(io.BytesIO(image), formats=("JPEG", "PNG", "WEBP")) as picture:
            return picture.size
    except Exception:  # Pillow raises nearly anything for damaged headers
        return None
