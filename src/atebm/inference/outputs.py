"""Name and write the files made from a user's images: before the work, names are checked to be distinct and free."""

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

SHEET = "contact_sheet.png"  # images before and after, beside the images that were made


def key(name: str) -> str:
    """Normalise a name for file systems that ignore case and the encoding of accents; equal keys are one file."""
    return unicodedata.normalize("NFC", name).casefold()


def labels(files: Sequence[Path]) -> list[str]:
    """Return a label for each file: its name without suffix, or a longer one if other files have the same name.

    The longer label has the suffix or, for files in different folders, as many folder names in front as needed to
    distinguish them, "A_IMG_0000". Equal files have equal labels. Different files that cannot be distinguished also
    have equal labels: `refuse` rejects those.
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
    """Return labels for files with the same name without suffix, by the first property in which they differ."""
    deepest = max(len(path.parts) for path in group)
    for above in range(deepest - 1):
        for part in ("stem", "name"):
            found = ["_".join([*(folders(path)[-above:] if above else ()), getattr(path, part)]) for path in group]
            if len({key(label) for label in found}) == len(found):
                return found
    return [path.name for path in group]


def folders(path: Path) -> tuple[str, ...]:
    """Return the names of the folders above an absolute path."""
    return path.parts[1:-1]


def refuse(paths: Sequence[Path], out: Path) -> None:
    """Raise DataError unless all these files can be written to the folder `out` without overwriting anything."""
    check_folder(out)
    taken: dict[str, Path] = {}
    for path in paths:
        if (other := taken.setdefault(key(path.name), path)) is not path:
            names = shown(path) if other.name == path.name else f"{shown(other)} and {shown(path)}"
            raise DataError(f"{names} would be written twice: name each image once, and rename images of equal names.")
        if os.path.lexists(path):
            raise DataError(f"{shown(path)} exists: name another folder with -o, or remove the file.")
        check_length(path, beside(path).name)


def check_folder(out: Path) -> None:
    """Raise DataError unless `out` is a writable folder or can be created."""
    above = existing(out)
    if not above.is_dir():
        raise DataError(f"{shown(above)} is not a folder: name a folder with -o, or one that can be created.")
    for path in (out, *out.parents):
        if path != above and not os.path.lexists(path):
            check_length(path, path.name)
    try:
        assure_writable(above)
    except OSError as error:
        raise DataError(f"{shown(above)} cannot be written ({error.strerror}): name another folder with -o.") from None


def check_file(path: Path) -> None:
    """Raise DataError unless a file can be written at a path, possibly replacing one."""
    check_folder(path.parent)
    if path.is_dir():
        raise DataError(f"{shown(path)} is a folder: name a file.")
    check_length(path, beside(path).name)


def free(path: Path) -> Path:
    """Return a path that does not exist yet: `path` itself, or NAME_2, NAME_3 and so on, with its suffix."""
    found = (path.with_stem(f"{path.stem}_{number}") for number in itertools.count(2))
    return next(place for place in itertools.chain([path], found) if not os.path.lexists(place))


def existing(path: Path) -> Path:
    """Return the path itself, or the nearest folder above it that exists."""
    return next(place for place in (path.absolute(), *path.absolute().parents) if os.path.lexists(place))


def check_length(path: Path, name: str) -> None:
    """Raise DataError if the file system of a path does not allow `name`, the longest name used while writing."""
    above = existing(path)
    size, most = len(os.fsencode(name)), os.pathconf(above, "PC_NAME_MAX")
    if size > most or len(os.fsencode(path.absolute())) + len(name) >= os.pathconf(above, "PC_PATH_MAX"):
        raise DataError(
            f"{shown(path)}: the name has {size} bytes, but at most {most} are allowed here: choose a shorter one, or "
            "rename the image that it comes from."
        )


def write(images: "dict[Path, np.ndarray | Image.Image]") -> int:
    """Write images by path, (H, W, C) or pictures as .png, (frames, H, W, C) as .gif, and return their number.

    If writing fails, for example on a full disk, all files are removed, so the command can be repeated.
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
