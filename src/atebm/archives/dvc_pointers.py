"""DVC pointers of public archives, data/archives/<file>.dvc: in git, so that any clone can tell its file from another.

They say `cache: false`: DVC compares the file and neither keeps it nor asks a remote for it. Without that, one archive
that is in no remote makes a bare `dvc pull` fail. docs/howto/archives.md says how DVC keeps one all the same.
"""

import hashlib
from pathlib import Path

from ..utils.files import write_if_changed, write_text
from .catalogue import ARCHIVES, sources

NOT_KEPT = "cache: false"


def pointer_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.dvc")


def pointer(file: str, md5: str, size: int | None) -> str:
    """Return what stands in a pointer. Quoted: DVC reads an md5 of digits alone as a number."""
    known_size = f"    size: {size}\n" if size else ""
    return f'outs:\n  - md5: "{md5}"\n{known_size}    hash: md5\n    path: {file}\n    {NOT_KEPT}\n'


def point_to(path: Path) -> None:
    """Write the pointer of an archive that was fetched, unless it has one."""
    if not pointer_of(path).exists():
        with path.open("rb") as file:
            md5 = hashlib.file_digest(file, "md5").hexdigest()
        write_text(pointer_of(path), pointer(path.name, md5, path.stat().st_size))


def write_pointers(folder: Path = ARCHIVES) -> None:
    """Bring the pointers of all files whose md5 is documented up to date, but for those of files that DVC keeps."""
    for source in sources():
        path = pointer_of(folder / source.file)
        if source.md5 and (not path.exists() or NOT_KEPT in path.read_text(encoding="utf-8")):
            write_if_changed(path, pointer(source.file, source.md5, source.bytes))
