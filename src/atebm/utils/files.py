"""Write files so that they are complete or absent: under a temporary name, then renamed."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import ConfigError, DataError


def repository() -> Path:
    """Return the checkout that this code is part of; for an installed package, the current folder."""
    own = Path(__file__).resolve().parents[3]
    return own if (own / "config.yaml").exists() else Path()


def of_checkout(path: Path) -> str:
    """Return the text of a file that every checkout has. Raises ConfigError if it is missing or not UTF-8."""
    try:
        return text_of(path)
    except FileNotFoundError:
        raise ConfigError(f"there is no {path} here: run this in the folder of the checkout.") from None


def text_of(path: Path) -> str:
    """Return the text of a file that people write. Raises ConfigError if it is not UTF-8."""
    try:
        return path.read_bytes().decode("utf-8-sig")  # some editors begin a file with a byte order mark
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: byte {error.start} is not UTF-8: save the file with the encoding UTF-8.") from None


def bytes_in(path: Path) -> int:
    """Return the bytes of a file, or of all files in a folder and below; 0 if it does not exist."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; the file there replaces `path` if the block succeeds, else it is removed."""
    with passing(path) as temporary:
        yield temporary
        temporary.replace(path)


@contextmanager
def passing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; a file there is removed when the block ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = beside(path)
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def beside(path: Path) -> Path:
    """Return the temporary path of a file until it is complete; it keeps the suffix, which numpy and others use."""
    return path.with_name(f".{os.getpid()}.{path.name}")


def sweep(folder: Path, name: str) -> None:
    """Remove temporary files that killed processes left of `atomic` files whose names begin with `name`."""
    for leftover in folder.glob(f".[0-9]*.{name}*"):
        leftover.unlink(missing_ok=True)


@contextmanager
def room(path: Path, size: int | None, then: str = "", there: int = 0) -> Iterator[None]:
    """Check the disk for a block that writes `size` bytes (None: unknown) to `path`; `there` bytes already exist.

    Raises DataError before the block if the disk does not have the rest free, and if it fills up during the block. The
    message ends with `then`, a sentence on what will happen next.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    needs = f"{path.name} needs {f'{size:,} bytes' if size else 'an unknown number of bytes'}."
    again = f"{needs} Make room and repeat the command. {then}".rstrip()
    free = shutil.disk_usage(path.parent).free
    if size and free < size - there:
        raise DataError(f"the disk of {path.parent} has only {free:,} bytes left: {again}")
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise DataError(f"the disk of {path.parent} is full: {again}") from None


def assure_writable(folder: Path) -> None:
    """Raise OSError with the folder's name if no file can be created in `folder`; call it before long work."""
    try:
        with passing(folder / "probe") as temporary:
            temporary.touch()
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(folder)) from None


def write_text(path: Path, text: str) -> None:
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_if_changed(path: Path, text: str) -> None:
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        write_text(path, text)


def markers(part: str) -> tuple[str, str]:
    """Return the two markers around a generated part of a Markdown file."""
    return f"<!-- {part}: begin (make docs) -->", f"<!-- {part}: end -->"


def write_between(path: Path, part: str, new: str) -> None:
    """Replace the text between the markers of `part`."""
    begin, end = markers(part)
    before, rest = of_checkout(path).split(begin)
    write_if_changed(path, f"{before}{begin}\n{new}\n{end}{rest.split(end)[1]}")
