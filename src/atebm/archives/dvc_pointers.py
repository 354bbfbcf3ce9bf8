"""DVC pointers to public archives, data/archives/<file>.dvc: kept in git, so that any clone can check its own file.

The pointers have `cache: false`: DVC compares the file, but neither stores it nor requests it from a remote. Otherwise
a bare `dvc pull` would fail if one archive is in no remote. docs/howto/archives.md shows how DVC can store an archive.
"""

import hashlib
from pathlib import Path

from ..utils.files import write_if_changed, write_text
from .catalogue import ARCHIVES, sources

NOT_KEPT = "cache: false"


def pointer_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.dvc")


def pointer(file: str, md5: str, size: int | None) -> str:
    """Return the text of a pointer. The md5 is quoted, since DVC reads one that has only digits as a number."""
    known_size = f"    size: {size}\n" if size else ""
    return f'outs:\n  - md5: "{md5}"\n{known_size}    hash: md5\n    path: {file}\n    {NOT_KEPT}\n'


def point_to(path: Path) -> None:
    """Write the pointer to a fetched archive, unless there is one."""
    if not pointer_of(path).exists():
        with path.open("rb") as file:
            md5 = hashlib.file_digest(file, "md5").hexdigest()
        write_text(pointer_of(path), pointer(path.name, md5, path.stat().st_size))


def write_pointers(folder: Path = ARCHIVES) -> None:
    """Update the pointers to all files with a documented md5, except to files that DVC stores."""
    for source in sources():
        path = pointer_of(folder / source.file)
        if source.md5 and (not path.exists() or NOT_KEPT in path.read_text(encoding="utf-8")):
            write_if_changed(path, pointer(source.file, source.md5, source.bytes))
