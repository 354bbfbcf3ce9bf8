"""LSUN: image files stored as the values of an lmdb in a zip."""

import multiprocessing
import resource
import shutil
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import lmdb

from ...archives.members import MAX_IMAGE, bad, check_count, check_member_name, open_zip, reading, zip_members
from ...utils.errors import DataError
from ...utils.files import passing, room
from .images import Entries, Pictures, entries_of, read_bytes


@contextmanager
def lmdb_pictures(archive: Path, count: int, scratch: Path) -> Iterator[Pictures]:
    """Open the images of the only database in a zip, in the order of keys; `scratch` has two copies during the block.

    The archive may also be a folder with data.mdb, which is not copied first. lmdb maps its file, and a damaged file
    can crash the process, so another process copies the values to a plain file. Raises DataError for a damaged or
    unsafe archive or database, for another count, and for a full disk.
    """
    with passing(scratch / "values") as values:
        with database_of(archive, scratch) as database:
            seconds = 60 + database.stat().st_size // SLOWEST
            context = multiprocessing.get_context("spawn")
            with ProcessPoolExecutor(1, context, initializer=end_after, initargs=(seconds,)) as other:
                try:
                    entries = other.submit(copy_values, archive, database, values, count).result()
                except BrokenProcessPool:
                    raise bad(archive, "its database is damaged") from None
        pictures = Pictures(values, entries, read_bytes)
        try:
            yield pictures
        except DataError as error:  # it names a temporary file: name the archive instead
            raise DataError(str(error).replace(str(values), str(archive))) from error


@contextmanager
def database_of(archive: Path, scratch: Path) -> Iterator[Path]:
    """Yield the path of an archive's database for the block: unpacked to `scratch`, or in the archive's folder."""
    if archive.is_dir():
        yield archive / "data.mdb"
        return
    with passing(scratch / "data.mdb") as database:
        unpack(archive, database)
        yield database


SLOWEST = 10_000_000  # bytes per second of CPU time: copying a database is always faster


def end_after(seconds: int) -> None:
    """Limit the CPU time of this process, since lmdb may never leave a ring of pages in a damaged database."""
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))


def unpack(archive: Path, database: Path) -> None:
    """Unpack the only data.mdb in a zip to a file."""
    with open_zip(archive) as file:
        found = [member for member in zip_members(file, archive) if PurePosixPath(member.filename).name == "data.mdb"]
        if len(found) != 1:
            raise bad(archive, f"it has {len(found)} members named data.mdb instead of one")
        (member,) = found
        with (
            reading(archive, f"member {member.filename!r}"),
            room(database.with_name("data.mdb"), member.file_size),
            file.open(member) as source,
            database.open("wb") as target,
        ):
            shutil.copyfileobj(source, target, 1 << 20)


def copy_values(archive: Path, database: Path, values: Path, count: int) -> Entries:
    """Write the values of a database one after another to a file, and return their entries, named by key.

    Raises DataError for another count, and if it is not a database of images.
    """
    with (
        reading(archive, "its database"),
        lmdb.open(str(database), subdir=False, readonly=True, lock=False, max_readers=1) as environment,
    ):
        check_count(archive, environment.stat()["entries"], count)
        with room(values.with_name("values"), database.stat().st_size), values.open("wb") as file:
            return entries_of(_copied(environment, file, archive, count))


def _copied(environment: lmdb.Environment, file: BinaryIO, archive: Path, count: int) -> Iterator[tuple[str, int, int]]:
    found, most = 0, Path(environment.path()).stat().st_size
    with environment.begin(buffers=True) as transaction:
        for key, value in transaction.cursor():
            name = bytes(key).decode("ascii", "backslashreplace")
            check_member_name(archive, name)
            found += 1
            # pages of a damaged database can form a ring, or belong to many values
            if found > count or len(value) > MAX_IMAGE or file.tell() + len(value) > most:
                raise bad(archive, f"its database is damaged at {name!r}")
            yield name, file.tell(), file.write(value)
    check_count(archive, found, count)
