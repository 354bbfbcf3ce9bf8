"""Files that are made of a user's images: their names are known, different, possible and free before the work."""

import itertools
import os
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..utils.errors import DataError, shown
from ..utils.files import assure_writable, atomic, beside

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

SHEET = "contact_sheet.png"  # before and after, beside what was made


def key(name: str) -> str:
    """Return what names are told by where case and spelling of accents are ignored; two equal ones are one file."""
    return unicodedata.normalize("NFC", name).casefold()


def labels(files: Sequence[Path]) -> list[str]:
    """Return a label for each file: its name without suffix, and more before it where others have the same name.

    Then it is the name with its suffix or, of files in different folders, after as many of these as tell them apart,
    "A_IMG_0000". The same file has the same label, and so may different ones where no way is left: see `refuse`.
    """
    whole = [Path(os.path.abspath(path)) for path in files]  # noqa: PTH100  # unlike resolve, links stay
    alike = defaultdict(list)
    for path in dict.fromkeys(whole):
        alike[key(path.stem)].append(path)
    found: dict[Path, str] = {}
    for group in alike.values():
        found |= dict(zip(group, apart(group), strict=True))
    return [found[path] for path in whole]


def apart(group: Sequence[Path]) -> list[str]:
    """Return labels of files that have the same name without suffix: by the first way in which they differ."""
    deepest = max(len(path.parts) for path in group)
    for above in range(deepest - 1):
        for part in ("stem", "name"):
            found = ["_".join([*(folders(path)[-above:] if above else ()), getattr(path, part)]) for path in group]
            if len({key(label) for label in found}) == len(found):
                return found
    return [path.name for path in group]


def folders(path: Path) -> tuple[str, ...]:
    """Return the names of the folders that an absolute path lies in."""
    return path.parts[1:-1]


def refuse(paths: Sequence[Path], out: Path) -> None:
    """Raise DataError where these files cannot all be written to the folder `out`, and overwrite nothing there."""
    check_folder(out)
    taken: dict[str, Path] = {}
    for path in paths:
        if (other := taken.setdefault(key(path.name), path)) is not path:
            names = shown(path) if other.name == path.name else f"{shown(other)} and {shown(path)}"
            raise DataError(f"{names} would be written twice: name each image once, and rename those that are alike.")
        if os.path.lexists(path):
            raise DataError(f"{shown(path)} exists: name another folder with -o, or remove it.")
        check_length(path, beside(path).name)


def check_folder(out: Path) -> None:
    """Raise DataError unless `out` is a folder that can be written, or can be made."""
    above = existing(out)
    if not above.is_dir():
        raise DataError(f"{shown(above)} is no folder: name one with -o, or one that can be made.")
    for path in (out, *out.parents):
        if path != above and not os.path.lexists(path):
            check_length(path, path.name)
    try:
        assure_writable(above)
    except OSError as error:
        raise DataError(f"{shown(above)} cannot be written ({error.strerror}): name another folder with -o.") from None


def check_file(path: Path) -> None:
    """Raise DataError unless a file can be written there, in place of one that may be there."""
    check_folder(path.parent)
    if path.is_dir():
        raise DataError(f"{shown(path)} is a folder: name a file.")
    check_length(path, beside(path).name)


def free(path: Path) -> Path:
    """Return a path where nothing lies yet: `path` itself, or NAME_2, NAME_3 and so on, with its suffix."""
    found = (path.with_stem(f"{path.stem}_{number}") for number in itertools.count(2))
    return next(place for place in itertools.chain([path], found) if not os.path.lexists(place))


def existing(path: Path) -> Path:
    """Return the path itself, or the nearest folder above it that is there."""
    return next(place for place in (path.absolute(), *path.absolute().parents) if os.path.lexists(place))


def check_length(path: Path, name: str) -> None:
    """Raise DataError where the file system of a path does not take `name`, the longest that it has on the way."""
    above = existing(path)
    size, most = len(os.fsencode(name)), os.pathconf(above, "PC_NAME_MAX")
    if size > most or len(os.fsencode(path.absolute())) + len(name) >= os.pathconf(above, "PC_PATH_MAX"):
        raise DataError(
            f"{shown(path)}: such a name has {size} bytes, and {most} are the most that can be written: choose a "
            "shorter one, or rename the image that it is made of."
        )


def write(images: "dict[Path, np.ndarray | Image.Image]") -> int:
    """Write images by path, (H, W, C) or pictures as .png, (frames, H, W, C) as .gif; return how many: all.

    Where that fails, as on a full disk, none is left: with some of them there, the command could not be repeated.
    """
    from PIL import Image

    from ..utils.pictures import animate

    written: list[Path] = []
    try:
        for path, image in images.items():
            if isinstance(image, Image.Image):
                picture = image
            elif image.ndim == 4:
                animate(image[None], path)
                written.append(path)
                continue
            else:
                picture = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
            with atomic(path) as temporary:
                picture.save(temporary, format="PNG")
            written.append(path)
    except OSError:
        for path in written:
            path.unlink(missing_ok=True)
        raise
    return len(written)
