"""Members of archives: safe names and types, bounded sizes, and errors that name the bad archive and member."""

import gzip
import stat
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO

from ..utils.errors import DataError, UserError

# No data set of the paper comes near these limits; a larger archive is one made to fill memory or disks.
MAX_IMAGE = 2**26  # bytes of an image file; ImageNet's largest is a quarter of it
MAX_MEMBER = 2**30  # bytes of any other member; ImageNet-32's pickles have 0.4 GB, ImageNet's inner tars less
MAX_DATABASE = 2**33  # bytes of an lmdb, which is unpacked to disk; LSUN's churches have about 2.5 GB
MAX_TOTAL = 2**38  # bytes of all members of an archive; ImageNet's training set has 138 GB
MAX_GZIP = 2**28  # bytes that a .gz unpacks to in memory; CIFAR's tars have 0.19 GB
MAX_RATIO = 100  # unpacked bytes per packed byte; photographs and pixels stay far below
SMALL = 2**20  # bytes that any file may unpack to: tars of a few small files are nearly all zeros
MAX_NAME = 255  # characters of a member's name
MAX_TOLD = 2**14  # bytes of a tar header that describes the next member
MAX_DIRECTORY = 2**26  # bytes of a zip's directory; CelebAMask-HQ's, with a mask per part of a face, takes about 50 MB
CHUNK = 2**20  # bytes that are read or unpacked at once
MOST_SAID = 400  # characters that an error quotes from a file

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")


def bad(archive: Path, what: str) -> DataError:
    said = what if len(what) <= MOST_SAID else f"{what[:MOST_SAID]}..."
    return DataError(f"{archive}: {' '.join(said.split())}; download it again from its official source.")


def most_of(packed: int, most: int) -> int:
    """Return how many bytes `packed` bytes may unpack to, at most `most`."""
    return min(most, SMALL + MAX_RATIO * packed)


@contextmanager
def reading(archive: Path, what: str) -> Iterator[None]:
    """Turn an error in the block, which reads `what` from the archive, into a DataError that names both.

    A MemoryError passes unchanged, since it is the machine's: sizes stated in a file are checked before they are used.
    """
    try:
        yield
    except (UserError, MemoryError):
        raise
    except FileNotFoundError:
        raise DataError(f"{archive} is missing: fetch it first.") from None
    except Exception as error:  # parsers raise nearly anything for damaged bytes: pickle's documentation says so
        raise bad(archive, f"{what} cannot be read ({str(error) or type(error).__name__})") from error


def check_count(archive: Path, found: int, count: int) -> None:
    """Raise DataError unless `count` images were found."""
    if found != count:
        raise bad(archive, f"it holds {found} images instead of {count}")


def is_image(name: str) -> bool:
    """Return whether a member is an image file, and not a shadow file that macOS adds to archives."""
    path = PurePosixPath(name)
    return path.suffix.lower() in SUFFIXES and not path.name.startswith("._")


def check_member_name(archive: Path, name: str) -> None:
    """Raise DataError for an absolute name and for one that leaves the archive, in POSIX or Windows spelling.

    Long names are refused too: an index reserves room for the longest name in each of its entries.
    """
    if len(name) > MAX_NAME:
        raise bad(archive, f"the name of a member has {len(name)} characters, more than {MAX_NAME}")
    parts = name.replace("\\", "/").split("/")
    if not parts[0] or parts[0].endswith(":") or ".." in parts:
        raise bad(archive, f"member {name!r} points outside the archive")


def check_size(archive: Path, name: str, size: int, total: int) -> int:
    """Return `total`, the bytes of the earlier members, plus this member's size.

    Raises DataError if the member or the total is too large.
    """
    if size > (MAX_IMAGE if is_image(name) else MAX_DATABASE if name.endswith(".mdb") else MAX_MEMBER):
        raise bad(archive, f"member {name!r} is too large ({size} bytes)")
    if total + size > MAX_TOTAL:
        raise bad(archive, f"its members up to {name!r} are too large ({total + size} bytes)")
    return total + size


def gunzipped(archive: Path) -> bytes:
    """Return the unpacked contents of a .gz.

    Raises DataError if it is truncated, damaged, or unpacks to more than is allowed.
    """
    with reading(archive, "its gzip stream"), gzip.open(archive) as file:
        most = most_of(archive.stat().st_size, MAX_GZIP)
        content = file.read(most + 1)
    if len(content) > most:
        raise bad(archive, f"it unpacks to more than {most} bytes")
    return content


# --- tars -------------------------------------------------------------------------------------------------------

BLOCK = tarfile.BLOCKSIZE
TOLD = (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME)  # headers that describe the next member
SKIPPED = (tarfile.XGLTYPE, tarfile.GNUTYPE_LONGLINK)  # such as comments, and targets of links


def tar_members(file: BinaryIO, archive: Path, start: int, end: int) -> Iterator[tarfile.TarInfo]:
    """Yield in order the files of the uncompressed tar in bytes [start, end) of `file`.

    Their `offset_data` counts from the start of `file`, so that members of a tar inside a tar can be read from the
    outer one. Raises DataError for an unsafe member, and if the end marker is missing, since the tar is then truncated.
    tarfile parses each header, but this function steps from one to the next, at least a block each time: tarfile trusts
    negative sizes, keeps every header, and takes quadratic time for long ones.
    """
    place, total, last, told = start, 0, "the start", dict[str, str]()
    while place + BLOCK <= end:
        file.seek(place)
        try:
            member = tarfile.TarInfo.frombuf(file.read(BLOCK), "utf-8", "surrogateescape")
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            if told:
                break
            return
        except tarfile.HeaderError:
            break
        member.offset_data = place + BLOCK
        with reading(archive, f"the header after {last}"):
            if not is_extension(member):
                member.name, member.size = told.get("path", member.name).rstrip("/"), int(told.get("size", member.size))
            if member.size < 0:
                raise ValueError(f"a size of {member.size} bytes")
            place = member.offset_data if member.isdir() else member.offset_data + -(-member.size // BLOCK) * BLOCK
            if is_extension(member):
                told |= told_by(member, file, end)
                continue
        if place > end:
            break
        told = {}
        check_member_name(archive, member.name)
        if not (member.isreg() or member.isdir()) or member.type == tarfile.GNUTYPE_SPARSE:
            raise bad(archive, f"member {member.name!r} is a link, a device or sparse")
        total = check_size(archive, member.name, member.size, total)
        last = repr(member.name)
        if member.isreg():
            yield member
    raise bad(archive, f"it is truncated or damaged after {last}")


def is_extension(member: tarfile.TarInfo) -> bool:
    """Return whether this is not a member itself, but a header that describes other members."""
    return member.type in TOLD + SKIPPED


def told_by(member: tarfile.TarInfo, file: BinaryIO, end: int) -> dict[str, str]:
    """Return the next member's `path` and `size`, if an extension header states them. Raises ValueError."""
    if member.size > min(MAX_TOLD, end - member.offset_data):
        raise ValueError(f"{member.size} bytes describe the next member")
    file.seek(member.offset_data)
    content = file.read(member.size)
    if member.type in SKIPPED:
        return {}
    if member.type == tarfile.GNUTYPE_LONGNAME:
        return {"path": content.partition(b"\0")[0].decode("utf-8", "surrogateescape")}
    told = pax(content)
    if any(key.startswith("GNU.sparse") for key in told):
        raise ValueError("it is sparse")
    return {key: told[key] for key in ("path", "size") if key in told}


def pax(content: bytes) -> dict[str, str]:
    """Return the records "LENGTH KEY=VALUE\\n" of a pax header; LENGTH counts the whole record. Raises ValueError."""
    records, rest = {}, content
    while rest.rstrip(b"\0"):
        length = int(rest[:8].partition(b" ")[0])
        key, equals, value = rest[:length].partition(b" ")[2].partition(b"=")
        if not (equals and value.endswith(b"\n")):  # this also refuses an empty record, which would never end the loop
            raise ValueError("a pax record has no end")
        records[key.decode()] = value[:-1].decode("utf-8", "surrogateescape")
        rest = rest[length:]
    return records


# --- zips -------------------------------------------------------------------------------------------------------


@contextmanager
def open_zip(archive: Path, file: IO[bytes] | None = None) -> Iterator[zipfile.ZipFile]:
    """Open a zip for the block; `file` is the archive if it is open already.

    Raises DataError if the zip's directory is damaged, or longer than MAX_DIRECTORY.
    """
    with ExitStack() as stack:
        with reading(archive, "its directory"):
            raw = file or stack.enter_context(archive.open("rb"))
            # before a ZipFile is made, which makes an object of each entry of the directory
            end = zipfile._EndRecData(raw)  # type: ignore[attr-defined]
            if end and end[zipfile._ECD_SIZE] > MAX_DIRECTORY:  # type: ignore[attr-defined]
                raise ValueError(f"it has more than {MAX_DIRECTORY} bytes")
            opened = stack.enter_context(zipfile.ZipFile(raw))
        yield opened


def zip_members(file: zipfile.ZipFile, archive: Path) -> list[zipfile.ZipInfo]:
    """Return the files of a zip in order.

    Raises DataError for an unsafe member. A member's CRC is checked when it is read.
    """
    total = 0
    for member in file.infolist():
        check_member_name(archive, member.filename)
        kind = stat.S_IFMT(member.external_attr >> 16)  # 0 if the zip was not made on Unix
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise bad(archive, f"member {member.filename!r} is a link or a device")
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):  # others cannot be read in part
            raise bad(archive, f"member {member.filename!r} is compressed by an unsupported method")
        total = check_size(archive, member.filename, member.file_size, total)
        if member.file_size > most_of(member.compress_size, member.file_size):
            packed = f"{member.compress_size} bytes unpack to {member.file_size}"
            raise bad(archive, f"member {member.filename!r} is too large ({packed})")
    check_apart(file, archive)
    return [member for member in file.infolist() if not member.is_dir()]


def check_apart(file: zipfile.ZipFile, archive: Path) -> None:
    """Raise DataError if members share bytes: with shared bytes, a small zip can hold any number of large members."""
    places = sorted((member.header_offset, member.compress_size) for member in file.infolist())
    for (offset, size), (after, _) in pairwise([*places, (file.start_dir, 0)]):
        if offset + size > after:
            raise bad(archive, f"its members overlap at byte {after}")


def unpacked_member(file: zipfile.ZipFile, name: str, size: int) -> bytes:
    """Return a member of a zip, at most `size` bytes of it.

    Without this bound, zipfile would unpack the whole member before cutting it.
    """
    with file.open(name) as stream:
        return stream.read(size)
