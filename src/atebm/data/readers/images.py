"""Archives of image files: zips (CelebA-HQ, AFHQ), tars (Places365, ImageNet's validation), ImageNet's tar of tars.

Each archive may also be an unpacked folder. Patterns are those of PurePosixPath.match, which match from the right:
"train/cat/*" is each file in a folder train/cat below any folders. Names are sorted folder by folder, as in
torchvision's ImageFolder. Images are RGB.
"""

import io
import zipfile
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import ExitStack
from functools import lru_cache
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import BinaryIO, NamedTuple

import numpy as np
import scipy.io
from numpy.typing import NDArray
from PIL import Image

from ...archives.members import (
    bad,
    check_count,
    gunzipped,
    is_image,
    open_zip,
    reading,
    tar_members,
    unpacked_member,
    zip_members,
)
from ...utils.errors import DataError
from .bitmaps import in_mode, open_bitmap
from .mats import checked


class Entry(NamedTuple):
    """The place of an image file, so that several processes can read different files of a tar at once."""

    name: str  # its name in the archive
    file: Path
    offset: int
    size: int


Entries = NDArray[np.void]  # (N,) with name (S, UTF-8), offset and size (<i8); a million take 0.05 GB


class Pictures(NamedTuple):
    """The image files of an archive, in the order of a set.

    `read` yields the images of some entries in order, as RGB, so that processes can share the work. It raises DataError
    if an image is damaged.
    """

    file: Path  # the archive, or the folder of an unpacked one
    entries: Entries
    read: Callable[[Path, Entries], Iterator[Image.Image]]

    def named(self) -> Iterator[tuple[str, Image.Image]]:
        return zip(names_of(self.entries), self.read(self.file, self.entries), strict=True)


def decode(data: bytes, archive: Path, name: str) -> Image.Image:
    """Return an image file's RGB pixels. Raises DataError if Pillow finds damage.

    If only the middle of a JPEG is damaged, libjpeg still makes a picture; only the archive's checksum reveals that.
    """
    with reading(archive, f"member {name!r}"), open_bitmap(io.BytesIO(data), ("JPEG", "PNG", "WEBP")) as picture:
        return in_mode(picture, "RGB")


def read_entry(entry: Entry) -> Image.Image:
    """Return the image of an entry, as RGB. Raises DataError if it is damaged."""
    with reading(entry.file, f"member {entry.name!r}"), entry.file.open("rb") as file:
        file.seek(entry.offset)
        data = file.read(entry.size)
    return decode(data, entry.file, entry.name)


def folder_labels(entries: Entries) -> tuple[NDArray[np.int64], list[str]]:
    """Return labels (N,) and their names: the sorted folders of the images, as in torchvision's ImageFolder."""
    found: dict[str, int] = {}  # folders in the order of their first images
    labels = np.fromiter(
        (found.setdefault(name.rpartition("/")[0] or ".", len(found)) for name in names_of(entries)), np.int64
    )
    classes = sorted(found)
    place = {folder: label for label, folder in enumerate(classes)}
    return np.array([place[folder] for folder in found], np.int64)[labels], classes


# --- entries ----------------------------------------------------------------------------------------------------

BLOCK = 4096  # entries converted to Python objects at once


def names_of(entries: Entries) -> Iterator[str]:
    for start in range(0, len(entries), BLOCK):
        yield from (name.decode() for name in entries["name"][start : start + BLOCK].tolist())


def entries_of(found: Iterable[tuple[str, int, int]]) -> Entries:
    """Return entries with name, offset and size, in the given order."""
    rest, blocks = iter(found), [_block(())]
    while block := list(islice(rest, BLOCK)):
        blocks.append(_block(block))
    return np.concatenate(blocks)


def _block(found: Collection[tuple[str, int, int]]) -> Entries:
    width = max((len(name.encode()) for name, _, _ in found), default=1)
    kinds = [("name", f"S{width}"), ("offset", "<i8"), ("size", "<i8")]
    return np.array([(name.encode(), offset, size) for name, offset, size in found], kinds)


def by_name(entries: Entries) -> Entries:
    """Return the entries sorted folder by folder, as in torchvision's ImageFolder; the last of equal names counts.

    A plain sort of bytes would put "a-b/x" before "a/x".
    """
    keys = entries["name"].copy()
    letters = keys.view(np.uint8)
    letters[letters == ord("/")] = 0
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    last = np.append(keys[1:] != keys[:-1], True)[: len(keys)]
    return entries[order[last]]


# --- zips -------------------------------------------------------------------------------------------------------


def zip_pictures(archive: Path, pattern: str, count: int) -> Pictures:
    """Return a zip's members that match, sorted by name.

    Raises DataError for a damaged or unsafe archive, and for another count.
    """
    with open_zip(archive) as file, reading(archive, "its directory"):
        members = [member for member in zip_members(file, archive) if _matches(member.filename, pattern)]
        entries = entries_of((member.filename, member.header_offset, member.file_size) for member in members)
    return Pictures(archive, _counted(archive, entries, count), read_zip)


def read_zip(archive: Path, entries: Entries) -> Iterator[Image.Image]:
    """Yield the images of a zip's members."""
    with reading(archive, "its bytes"):
        found = archive.stat()
    _, file = kept_open(archive, found.st_size, found.st_mtime_ns)
    for name, size in zip(names_of(entries), entries["size"].tolist(), strict=True):
        with reading(archive, f"member {name!r}"):
            data = unpacked_member(file, name, size)
        yield decode(data, archive, name)


@lru_cache(maxsize=1)
def kept_open(archive: Path, size: int, modified: int) -> tuple[ExitStack, zipfile.ZipFile]:
    """Return an open zip, kept until another is opened: reading its directory takes seconds, too long for 64 images."""
    stack = ExitStack()
    return stack, stack.enter_context(open_zip(archive))


# --- tars and folders -------------------------------------------------------------------------------------------


def tar_pictures(archive: Path, pattern: str, count: int) -> Pictures:
    """Return an uncompressed tar's members that match, sorted by name; only headers are read.

    Raises DataError for a damaged or unsafe archive, and for another count.
    """
    with reading(archive, "its bytes"), archive.open("rb") as file:
        members = tar_members(file, archive, 0, archive.stat().st_size)
        entries = entries_of(
            (str(PurePosixPath(member.name)), member.offset_data, member.size)
            for member in members
            if _matches(member.name, pattern)
        )
    return Pictures(archive, _counted(archive, entries, count), read_bytes)


def pictures_in(path: Path, pattern: str, count: int) -> Pictures:
    """Return the images that match in a zip, a tar, or a folder in place of one, sorted by name.

    Raises DataError for a damaged or unsafe archive, and for another count.
    """
    if path.is_dir():
        pictures = folder_pictures(path, "**/*", count, pattern)
    else:
        pictures = (zip_pictures if path.suffix == ".zip" else tar_pictures)(path, pattern, count)
    return pictures


def check_side(pictures: Pictures, pixels: int) -> None:
    """Raise DataError unless the first, the middle and the last picture have `pixels` x `pixels`."""
    some = pictures.entries[[0, len(pictures.entries) // 2, -1]]
    for name, picture in pictures._replace(entries=some).named():
        if picture.size != (pixels, pixels):
            width, height = picture.size
            raise DataError(f"{pictures.file}: {name} has {width}x{height} pixels instead of {pixels}x{pixels}.")


def folder_pictures(folder: Path, pattern: str, count: int, below: str = "*") -> Pictures:
    """Return the image files of a folder that match a pattern of Path.glob, and `below` from the right, sorted by name.

    Raises DataError for another count.
    """
    files = (path for path in folder.glob(pattern) if _matches(path.relative_to(folder).as_posix(), below))
    entries = entries_of((path.relative_to(folder).as_posix(), 0, path.stat().st_size) for path in files)
    return Pictures(folder, _counted(folder, entries, count), read_bytes)


def read_bytes(archive: Path, entries: Entries) -> Iterator[Image.Image]:
    """Yield images that are stored uncompressed in a file, such as a tar, or as files in a folder."""
    if archive.is_dir():
        for name, size in zip(names_of(entries), entries["size"].tolist(), strict=True):
            yield read_entry(Entry(name, archive / name, 0, size))
        return
    with reading(archive, "its bytes"):
        file = archive.open("rb")
    with file:
        for raw, offset, size in entries.tolist():
            name = raw.decode()
            with reading(archive, f"member {name!r}"):
                file.seek(offset)
                data = file.read(size)
            yield decode(data, archive, name)


# --- ImageNet ---------------------------------------------------------------------------------------------------


def imagenet_train(path: Path, count: int) -> Pictures:
    """Return ImageNet's training set, as wnid/file sorted by name, from its tar with a tar per wnid, or from folders.

    `folder_labels` gives its labels, as in torchvision: a wnid's place among the sorted wnids. Raises DataError for a
    damaged or unsafe archive, and for another count.
    """
    if path.is_dir():
        return folder_pictures(path, "*/*", count)
    with reading(path, "its bytes"), path.open("rb") as file:
        entries = entries_of(_tars_in_a_tar(file, path))
    return Pictures(path, _counted(path, entries, count), read_bytes)


def _tars_in_a_tar(file: BinaryIO, path: Path) -> Iterator[tuple[str, int, int]]:
    for inner in tar_members(file, path, 0, path.stat().st_size):
        wnid = PurePosixPath(inner.name)
        if wnid.suffix != ".tar":
            raise bad(path, f"member {inner.name!r} is not the tar of a class")
        for member in tar_members(file, path, inner.offset_data, inner.offset_data + inner.size):
            if is_image(member.name):
                yield f"{wnid.stem}/{PurePosixPath(member.name).name}", member.offset_data, member.size


def imagenet_val(path: Path, count: int) -> Pictures:
    """Return ImageNet's validation set, sorted by file name, in the order of the labels of `imagenet_devkit`.

    path: its tar, or a folder with its files, possibly in a folder per class. Raises DataError for a damaged or unsafe
    archive, and for another count.
    """
    if not path.is_dir():
        return tar_pictures(path, "*", count)
    pictures = folder_pictures(path, "**/*", count)
    order = np.argsort([name.rpartition("/")[2] for name in names_of(pictures.entries)])
    return pictures._replace(entries=pictures.entries[order])


MAX_META = 2**24  # bytes that the devkit's meta.mat may unpack to; the original takes at most 3 MB


def imagenet_devkit(archive: Path, count: int) -> tuple[NDArray[np.int64], list[str]]:
    """Return the labels (count,) of ImageNet's validation images, sorted by name, and the sorted wnids that they index.

    archive: ILSVRC2012_devkit_t12.tar.gz, which numbers the classes in another order. Raises DataError if it is
    damaged, unsafe, or has another count of labels.
    """
    content = gunzipped(archive)
    members = {
        PurePosixPath(member.name).name: content[member.offset_data : member.offset_data + member.size]
        for member in tar_members(io.BytesIO(content), archive, 0, len(content))
    }
    with reading(archive, "member 'meta.mat'"):
        file = checked(members["meta.mat"], MAX_META)
        synsets = scipy.io.loadmat(file, variable_names=("synsets",), squeeze_me=True)
        leaves = [synset for synset in synsets["synsets"] if synset["num_children"] == 0]  # others are unions of these
        wnid_of = {int(synset["ILSVRC2012_ID"]): str(synset["WNID"]) for synset in leaves}
    wnids = sorted(wnid_of.values())
    with reading(archive, "member 'ILSVRC2012_validation_ground_truth.txt'"):
        numbers = [int(line) for line in members["ILSVRC2012_validation_ground_truth.txt"].split()]
        label_of = {number: wnids.index(wnid) for number, wnid in wnid_of.items()}
        labels = np.array([label_of[number] for number in numbers], np.int64)
    check_count(archive, len(labels), count)
    return labels, wnids


# --- shared -----------------------------------------------------------------------------------------------------


def _matches(name: str, pattern: str) -> bool:
    return is_image(name) and PurePosixPath(name).match(pattern)


def _counted(archive: Path, entries: Entries, count: int) -> Entries:
    """Return the entries sorted by name. Raises DataError for another count."""
    entries = by_name(entries)
    check_count(archive, len(entries), count)
    return entries
