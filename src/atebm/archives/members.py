"""Members of archives: safe names and kinds, bounded sizes, and errors that say which archive and member is bad."""

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

# No data set of the paper comes near these; beyond them lies an archive that was made to fill memory or disks.
MAX_IMAGE = 2**26  # bytes of an image file; ImageNet's largest is a quarter of it
MAX_MEMBER = 2**30  # of any other member: ImageNet-32's pickles have 0.4 GB, ImageNet's inner tars less
MAX_DATABASE = 2**33  # of an lmdb, which goes to the disk: LSUN's churches have about 2.5 GB
MAX_TOTAL = 2**38  # of an archive's members together: ImageNet's training set has 138 GB
MAX_GZIP = 2**28  # of what a .gz unpacks to, all in memory: CIFAR's tars have 0.19 GB
MAX_RATIO = 100  # of unpacked bytes to packed ones: photographs and pixels come nowhere near
SMALL = 2**20  # bytes that anything may unpack to: tars of a few small files are nearly all zeros
MAX_NAME = 255  # characters of a member's name
MAX_TOLD = 2**14  # bytes of what a tar tells about its next member in a header of its own
MAX_DIRECTORY = 2**26  # bytes of a zip's directory: CelebAMask-HQ's, a mask for each part of a face, takes some 50 MB
CHUNK = 2**20  # bytes that are read or unpacked at once
MOST_SAID = 400  # characters of what an error quotes from a file

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")


def bad(archive: Path, what: str) -> DataError:
    said = what if len(what) <= MOST_SAID else f"{what[:MOST_SAID]}..."
    return DataError(f"{archive}: {' '.join(said.split())}; download it again from its official source.")


def most_of(packed: int, most: int) -> int:
    """Return how many bytes so many packed ones may unpack to, and no more than `most`."""
    return min(most, SMALL + MAX_RATIO * packed)


@contextmanager
def reading(archive: Path, what: str) -> Iterator[None]:
    """Turn what goes wrong in the block, which reads `what` from the archive, into a DataError about both.

    A want of memory is the machine's, and stays what it is: what a file says is compared with a bound before it counts.
    """
    try:
        yield
    except (UserError, MemoryError):
        raise
    except FileNotFoundError:
        raise DataError(f"{archive} is missing: fetch it first.") from None
    except Exception as error:  # parsers of damaged bytes raise nearly anything: pickle's documentation says so
        raise bad(archive, f"{what} cannot be read ({str(error) or type(error).__name__})") from error


def check_count(archive: Path, found: int, count: int) -> None:
    """Raise DataError unless as many images were found as must be there."""
    if found != count:
        raise bad(archive, f"it holds {found} images where {count} belong")


def is_image(name: str) -> bool:
    """Return whether a member is an image file, and none of the shadow files that macOS adds to archives."""
    path = PurePosixPath(name)
    return path.suffix.lower() in SUFFIXES and not path.name.startswith("._")


def check_member_name(archive: Path, name: str) -> None:
    """Raise DataError for absolute names and those that climb out of the archive, in POSIX's spelling or Windows'.

    Long ones are refused too: an index has room for the longest name at each of its entries.
    """
    if len(name) > MAX_NAME:
        raise bad(archive, f"the name of a member has {len(name)} characters, more than {MAX_NAME}")
    parts = name.replace("\\", "/").split("/")
    if not parts[0] or parts[0].endswith(":") or ".." in parts:
        raise bad(archive, f"member {name!r} points outside the archive")


def check_size(archive: Path, name: str, size: int, total: int) -> int:
    """Return `total`, the bytes of the members before, plus this member's.

    Raises DataError where either is too large.
    """
    if size > (MAX_IMAGE if is_image(name) else MAX_DATABASE if name.endswith(".mdb") else MAX_MEMBER):
        raise bad(archive, f"member {name!r} is too large ({size} bytes)")
    if total + size > MAX_TOTAL:
        raise bad(archive, f"its members up to {name!r} are too large ({total + size} bytes)")
    return total + size


def gunzipped(archive: Path) -> bytes:
    """Return all that a .gz unpacks to.

    Raises DataError where it is truncated, damaged, or larger than a .gz may become.
    """
    with reading(archive, "its gzip stream"), gzip.open(archive) as file:
        most = most_of(archive.stat().st_size, MAX_GZIP)
        content = file.read(most + 1)
    if len(content) > most:
        raise bad(archive, f"it unpacks to more than {most} bytes")
    return content


# --- tars -------------------------------------------------------------------------------------------------------

BLOCK = tarfile.BLOCKSIZE
TOLD = (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME)  # headers about the member that comes next
SKIPPED = (tarfile.XGLTYPE, tarfile.GNUTYPE_LONGLINK)  # such as a comment, or where a link leads


def tar_members(file: BinaryIO, archive: Path, start: int, end: int) -> Iterator[tarfile.TarInfo]:
    """Yield the files, in their order, of the uncompressed tar in bytes [start, end) of `file`.

    Their `offset_data` count from the start of `file`, so that members of a tar inside a tar can be read from the
    outer one. Raises DataError for unsafe members, and for a tar without its end marker, which is a truncated one.
    Each header takes the reader at least a block further. tarfile has parsed the block, but does not walk from one to
    the next: it believes a negative size, keeps every header, and matches long ones in quadratic time.
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
        with reading(archive, f"what follows {last}"):
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
    """Return whether it is no member, but a header that tells something about others."""
    return member.type in TOLD + SKIPPED


def told_by(member: tarfile.TarInfo, file: BinaryIO, end: int) -> dict[str, str]:
    """Return `path` and `size` of the member that comes next, as far as an extension tells them. Raises ValueError."""
    if member.size > min(MAX_TOLD, end - member.offset_data):
        raise ValueError(f"{member.size} bytes that tell about the next member")
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
    """Return the records "LENGTH KEY=VALUE\\n" of a pax header, LENGTH being the record's own. Raises ValueError."""
    records, rest = {}, content
    while rest.rstrip(b"\0"):
        length = int(rest[:8].partition(b" ")[0])
        key, equals, value = rest[:length].partition(b" ")[2].partition(b"=")
        if not (equals and value.endswith(b"\n")):  # so a record is never empty
            raise ValueError("a pax record without its end")
        records[key.decode()] = value[:-1].decode("utf-8", "surrogateescape")
        rest = rest[length:]
    return records


# --- zips -------------------------------------------------------------------------------------------------------


@contextmanager
def open_zip(archive: Path, file: IO[bytes] | None = None) -> Iterator[zipfile.ZipFile]:
    """Give a zip, for the block; `file` is the archive where that is open already.

    Raises DataError where its directory is damaged, or longer than MAX_DIRECTORY.
    """
    with ExitStack() as stack:
        with reading(archive, "its directory"):
            raw = file or stack.enter_context(archive.open("rb"))
            end = zipfile._EndRecData(raw)  # type: ignore[attr-defined] # a ZipFile makes objects of all that it covers
            if end and end[zipfile._ECD_SIZE] > MAX_DIRECTORY:  # type: ignore[attr-defined]
                raise ValueError(f"it has more than {MAX_DIRECTORY} bytes")
            opened = stack.enter_context(zipfile.ZipFile(raw))
        yield opened


def zip_members(file: zipfile.ZipFile, archive: Path) -> list[zipfile.ZipInfo]:
    """Return the files of a zip in its order.

    Raises DataError for unsafe members. A member's CRC is checked by reading it.
    """
    total = 0
    for member in file.infolist():
        check_member_name(archive, member.filename)
        kind = stat.S_IFMT(member.external_attr >> 16)  # 0 where the zip was made on another system than Unix
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise bad(archive, f"member {member.filename!r} is a link or a device")
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):  # of others none can read a part
            raise bad(archive, f"member {member.filename!r} is packed in a way that is not read here")
        total = check_size(archive, member.filename, member.file_size, total)
        if member.file_size > most_of(member.compress_size, member.file_size):
            packed = f"{member.compress_size} bytes, packed, become {member.file_size}"
            raise bad(archive, f"member {member.filename!r} is too large ({packed})")
    check_apart(file, archive)
    return [member for member in file.infolist() if not member.is_dir()]


def check_apart(file: zipfile.ZipFile, archive: Path) -> None:
    """Raise DataError where members share bytes: so a small zip can hold any number of large ones."""
    places = sorted((member.header_offset, member.compress_size) for member in file.infolist())
    for (offset, size), (after, _) in pairwise([*places, (file.start_dir, 0)]):
        if offset + size > after:
            raise bad(archive, f"its members overlap at byte {after}")


def unpacked_member(file: zipfile.ZipFile, name: str, size: int) -> bytes:
    """Return a member of a zip, of at most `size` bytes.

    Without a bound zipfile unpacks whatever is there before it cuts.
    """
    with file.open(name) as stream:
        return stream.read(size)
