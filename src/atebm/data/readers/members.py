"""Members of archives: safe names and kinds, bounded sizes, and errors that say which archive and member is bad."""

import gzip
import stat
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from ...errors import DataError, UserError

# No data set of the paper comes near these; beyond them lies an archive that was made to fill memory or disks.
MAX_IMAGE = 2**26  # bytes of an image file; ImageNet's largest is a quarter of it
MAX_MEMBER = 2**30  # of any other member: ImageNet-32's pickles have 0.4 GB, ImageNet's inner tars less
MAX_DATABASE = 2**33  # of an lmdb, which goes to the disk: LSUN's churches have about 2.5 GB
MAX_TOTAL = 2**38  # of an archive's members together: ImageNet's training set has 138 GB
MAX_GZIP = 2**28  # of what a .gz unpacks to, all in memory: CIFAR's tars have 0.19 GB

SUFFIXES = (".jpg", ".jpeg", ".png")


def bad(archive: Path, what: str) -> DataError:
    return DataError(f"{archive}: {what}; download it again from its official source.")


@contextmanager
def reading(archive: Path, what: str) -> Iterator[None]:
    """Turn what goes wrong in the block, which reads `what` from the archive, into a DataError about both."""
    try:
        yield
    except UserError:
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
    """Whether a member is an image file, and none of the shadow files that macOS adds to archives."""
    path = PurePosixPath(name)
    return path.suffix.lower() in SUFFIXES and not path.name.startswith("._")


def check_name(archive: Path, name: str) -> None:
    """Raise DataError for absolute names and those that climb out of the archive, in POSIX's spelling or Windows'."""
    parts = name.replace("\\", "/").split("/")
    if not parts[0] or parts[0].endswith(":") or ".." in parts:
        raise bad(archive, f"member {name!r} points outside the archive")


def check_size(archive: Path, name: str, size: int, total: int) -> int:
    """`total`, the bytes of the members before, plus this member's; raises DataError where either is too large."""
    if size > (MAX_IMAGE if is_image(name) else MAX_DATABASE if name.endswith(".mdb") else MAX_MEMBER):
        raise bad(archive, f"member {name!r} is too large ({size} bytes)")
    if total + size > MAX_TOTAL:
        raise bad(archive, f"its members up to {name!r} are too large ({total + size} bytes)")
    return total + size


def gunzipped(archive: Path) -> bytes:
    """All that a .gz unpacks to. Raises DataError where it is truncated, damaged, or larger than MAX_GZIP."""
    with reading(archive, "its gzip stream"), gzip.open(archive) as file:
        content = file.read(MAX_GZIP + 1)
    if len(content) > MAX_GZIP:
        raise bad(archive, f"it unpacks to more than {MAX_GZIP} bytes")
    return content


def tar_members(file: BinaryIO, archive: Path, start: int, end: int) -> Iterator[tarfile.TarInfo]:
    """The files, in their order, of the uncompressed tar in bytes [start, end) of `file`.

    Their `offset_data` count from the start of `file`, so that members of a tar inside a tar can be read from the
    outer one. Raises DataError for unsafe members, and for a tar without its end marker, which is a truncated one.
    """
    file.seek(start)
    with reading(archive, "its first header"):
        tar = tarfile.open(fileobj=file, mode="r:")  # noqa: SIM115 (`file` is the caller's to close)
    total = 0
    last = "the start"
    while True:
        with reading(archive, f"what follows {last}"):
            member = tar.next()
        if member is None or tar.offset > end:  # of an inner tar that is cut, the outer one's headers come next
            break
        tar.members.clear()  # type: ignore[attr-defined] # it would keep each header: 2 GB for Places
        check_name(archive, member.name)
        if not (member.isreg() or member.isdir()) or member.issparse():
            raise bad(archive, f"member {member.name!r} is a link, a device or sparse")
        total = check_size(archive, member.name, member.size, total)
        last = repr(member.name)
        if member.isreg():
            yield member
    # tarfile takes a damaged header for the end
    file.seek(tar.offset)
    if tar.offset + tarfile.BLOCKSIZE > end or file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise bad(archive, f"it is truncated or damaged after {last}")


def zip_members(file: zipfile.ZipFile, archive: Path) -> list[zipfile.ZipInfo]:
    """The files of a zip in its order. Raises DataError for unsafe members. A member's CRC is checked by reading it."""
    total = 0
    for member in file.infolist():
        check_name(archive, member.filename)
        kind = stat.S_IFMT(member.external_attr >> 16)  # 0 where the zip was made on another system than Unix
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise bad(archive, f"member {member.filename!r} is a link or a device")
        total = check_size(archive, member.filename, member.file_size, total)
    return [member for member in file.infolist() if not member.is_dir()]
