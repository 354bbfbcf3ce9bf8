"""LSUN: image files as the values of an lmdb, which lies in a zip."""

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
    """Give the images of the one database in a zip, in its keys' order; `scratch` holds two copies during the block.

    The archive may be a folder in the zip's place, with data.mdb in it, which is not copied first. lmdb maps its file,
    and a damaged one can crash the process: another one copies the values to a plain file.
    Raises DataError for a damaged or unsafe archive or database, for another count, and for a full disk.
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
        except DataError as error:  # which names a file that is no more when somebody reads it
            raise DataError(str(error).replace(str(values), str(archive))) from error


@contextmanager
def database_of(archive: Path, scratch: Path) -> Iterator[Path]:
    """Yield the database of an archive for the block: unpacked to `scratch`, or as it lies in a folder."""
    if archive.is_dir():
        yield archive / "data.mdb"
        return
    with passing(scratch / "data.mdb") as database:
        unpack(archive, database)
        yield database


SLOWEST = 10_000_000  # bytes of a database that are copied in a second of a processor, at least


def end_after(seconds: int) -> None:
    """Have the system end this process once it has computed for so long: lmdb may never leave a ring of pages."""
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))


def unpack(archive: Path, database: Path) -> None:
    """Return the one data.mdb of a zip, as a file."""
    with open_zip(archive) as file:
        found = [member for member in zip_members(file, archive) if PurePosixPath(member.filename).name == "data.mdb"]
        if len(found) != 1:
            raise bad(archive, f"it has {len(found)} members data.mdb where one belongs")
        (member,) = found
        with (
            reading(archive, f"member {member.filename!r}"),
            room(database.with_name("data.mdb"), member.file_size),
            file.open(member) as source,
            database.open("wb") as target,
        ):
            shutil.copyfileobj(source, target, 1 << 20)


def copy_values(archive: Path, database: Path, values: Path, count: int) -> Entries:
    """Write the values of a database one after another to a file; returns where each is, by its key.

    Raises DataError for another count and for what is no database of images.
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
            # pages of a damaged database can form a ring, or be those of many values
            if found > count or len(value) > MAX_IMAGE or file.tell() + len(value) > most:
                raise bad(archive, f"its database is damaged at {name!r}")
            yield name, file.tell(), file.write(value)
    check_count(archive, found, count)
