"""Archives of image files: zips (CelebA-HQ, AFHQ), tars (Places365, ImageNet's validation), ImageNet's tar of tars.

Patterns are those of PurePosixPath.match and count from the right: "train/cat/*" is each file of a folder train/cat,
whatever folders lie above it. Names sort folder by folder, as in torchvision's ImageFolder. Images are RGB.
"""

import io
import zipfile
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
import scipy.io
from numpy.typing import NDArray
from PIL import Image

from .members import bad, by_folder, check_count, gunzipped, is_image, reading, tar_members, zip_members


class Entry(NamedTuple):
    """Where an image file lies, so that processes can read different ones of a tar at once."""

    name: str  # in the archive
    file: Path
    offset: int
    size: int


def decode(data: bytes, archive: Path, name: str) -> Image.Image:
    """An image file's RGB pixels. Raises DataError where they are damaged as far as Pillow can see.

    Of JPEGs whose middle alone is damaged libjpeg makes some picture; only the archive's checksum tells.
    """
    with reading(archive, f"member {name!r}"), Image.open(io.BytesIO(data), formats=("JPEG", "PNG")) as picture:
        return picture.convert("RGB")


def read(entry: Entry) -> Image.Image:
    """The image of an entry, as RGB. Raises DataError as `decode`."""
    with reading(entry.file, f"member {entry.name!r}"), entry.file.open("rb") as file:
        file.seek(entry.offset)
        data = file.read(entry.size)
    return decode(data, entry.file, entry.name)


def folder_labels(names: Sequence[str]) -> tuple[NDArray[np.int64], list[str]]:
    """Labels (N,) and their names: sorted folders of the images, as in torchvision's ImageFolder."""
    folders = [str(PurePosixPath(name).parent) for name in names]
    classes = sorted(set(folders))
    numbers = {folder: number for number, folder in enumerate(classes)}
    return np.array([numbers[folder] for folder in folders], np.int64), classes


# --- zips -------------------------------------------------------------------------------------------------------


def zip_images(archive: Path, pattern: str, count: int) -> Iterator[tuple[str, Image.Image]]:
    """Names and images of the members that match, sorted by name.

    Raises DataError for a damaged or unsafe archive, and, before the first image, for another count.
    """
    with reading(archive, "its directory"):
        file = zipfile.ZipFile(archive)
    with file:
        names = [member.filename for member in zip_members(file, archive)]
        names = _sorted(archive, [name for name in names if _matches(name, pattern)], count)
        for name in names:
            with reading(archive, f"member {name!r}"):
                data = file.read(name)
            yield name, decode(data, archive, name)


# --- tars -------------------------------------------------------------------------------------------------------


def tar_images(archive: Path, pattern: str, count: int) -> Iterator[tuple[str, Image.Image]]:
    """Names and images of a tar's members that match, sorted by name. Raises DataError as `zip_images`."""
    return ((entry.name, read(entry)) for entry in tar_index(archive, pattern, count))


def tar_index(archive: Path, pattern: str, count: int) -> list[Entry]:
    """Entries of an uncompressed tar's members that match, sorted by name; reads the headers alone."""
    with reading(archive, "its bytes"), archive.open("rb") as file:
        members = tar_members(file, archive, 0, archive.stat().st_size)
        entries = {
            str(PurePosixPath(member.name)): (member.offset_data, member.size)
            for member in members
            if _matches(member.name, pattern)
        }
    return [Entry(name, archive, *entries[name]) for name in _sorted(archive, entries, count)]


# --- ImageNet ---------------------------------------------------------------------------------------------------


def imagenet_train(path: Path, count: int) -> Iterator[tuple[str, Image.Image]]:
    """Names (wnid/file) and images of ImageNet's training set, sorted by name. Raises DataError as `zip_images`."""
    return ((entry.name, read(entry)) for entry in imagenet_train_index(path, count))


def imagenet_train_index(path: Path, count: int) -> list[Entry]:
    """Entries of ImageNet's training set, sorted by name: of the tar of a tar per wnid, or of a folder per wnid.

    Labels are those of `folder_labels`, as torchvision's: a wnid's place among the sorted ones.
    Raises DataError for a damaged or unsafe archive and for another count.
    """
    if path.is_dir():
        files = {f"{file.parent.name}/{file.name}": file for file in path.glob("*/*") if is_image(file.name)}
        return [Entry(name, files[name], 0, files[name].stat().st_size) for name in _sorted(path, files, count)]
    entries = {}
    with reading(path, "its bytes"), path.open("rb") as file:
        for inner in tar_members(file, path, 0, path.stat().st_size):
            wnid = PurePosixPath(inner.name)
            if wnid.suffix != ".tar":
                raise bad(path, f"member {inner.name!r} is not the tar of a class")
            for member in tar_members(file, path, inner.offset_data, inner.offset_data + inner.size):
                if is_image(member.name):
                    entries[f"{wnid.stem}/{PurePosixPath(member.name).name}"] = (member.offset_data, member.size)
    return [Entry(name, path, *entries[name]) for name in _sorted(path, entries, count)]


def imagenet_devkit(archive: Path, count: int) -> tuple[NDArray[np.int64], list[str]]:
    """Labels (count,) of ImageNet's validation images, sorted by name, and the wnids that they number, sorted.

    archive: ILSVRC2012_devkit_t12.tar.gz, whose own numbers of classes go by another order.
    Raises DataError where it is damaged, unsafe, or has another count of labels.
    """
    content = gunzipped(archive)
    members = {
        PurePosixPath(member.name).name: content[member.offset_data : member.offset_data + member.size]
        for member in tar_members(io.BytesIO(content), archive, 0, len(content))
    }
    with reading(archive, "member 'meta.mat'"):
        synsets = scipy.io.loadmat(io.BytesIO(members["meta.mat"]), variable_names=("synsets",), squeeze_me=True)
        leaves = [synset for synset in synsets["synsets"] if synset["num_children"] == 0]  # others are their unions
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


def _sorted(archive: Path, names: Collection[str], count: int) -> list[str]:
    check_count(archive, len(names), count)
    return sorted(names, key=by_folder)
