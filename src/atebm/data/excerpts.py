"""The first images of true archives, in archives of the same form: what `atebm rehearse` reads where they are here."""

import io
import shutil
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path, PurePosixPath

from ..archives.members import is_image
from .miniatures import FEW, WNIDS

Counts = Mapping[str, int]  # images by split, train and held_out
DAMAGED = (tarfile.TarError, zipfile.BadZipFile, OSError, EOFError, ValueError)


def excerpt(true: Path, small: Path, counts: Counts) -> bool:
    """Write the first images of an archive to `small`, or all of a file that holds none; return whether that was done.

    `small` stays as it is where the true file is none of those that can be cut, or is damaged: its size or its members
    say so elsewhere.
    """
    if true.name not in CUT:
        return False
    made = small.with_name(f".{small.name}")
    try:
        CUT[true.name](true, made, counts.get("train", FEW), counts.get("held_out", FEW))
    except DAMAGED:
        made.unlink(missing_ok=True)
        return False
    made.replace(small)
    return True


def images_in(file: tarfile.TarFile) -> Iterator[tuple[tarfile.TarInfo, bytes]]:
    """Yield the image members of a tar, in its order."""
    for member in file:
        if is_image(member.name) and (opened := file.extractfile(member)):
            yield member, opened.read()


def add(file: tarfile.TarFile, member: tarfile.TarInfo, content: bytes) -> None:
    file.addfile(member, io.BytesIO(content))


def first_of_tar(true: Path, small: Path, n: int) -> None:
    with tarfile.open(true, "r:") as file, tarfile.open(small, "w") as out:
        left = n
        for member, content in islice(images_in(file), n):
            add(out, member, content)
            left -= 1
        if left:
            raise ValueError(f"{true} lacks {left} images")


def first_of_tars(true: Path, small: Path, n: int) -> None:
    """Write as many images of each of the first tars in ImageNet's, as a miniature has classes."""
    with tarfile.open(true, "r:") as file, tarfile.open(small, "w") as out:
        for inner in islice(file, len(WNIDS)):
            part = small.with_suffix(".part")
            with tarfile.open(fileobj=file.extractfile(inner), mode="r:") as images, tarfile.open(part, "w") as cut:
                for member, content in islice(images_in(images), n // len(WNIDS)):
                    add(cut, member, content)
            content = part.read_bytes()
            part.unlink()
            inner.size = len(content)
            add(out, inner, content)


def first_of_zip(true: Path, small: Path, wanted: Mapping[str, int]) -> None:
    """Write the first so many images of each pattern of names, which counts from the right."""
    with zipfile.ZipFile(true) as file, zipfile.ZipFile(small, "w") as out:
        for pattern, n in wanted.items():
            names = (name for name in file.namelist() if is_image(name) and PurePosixPath(name).match(pattern))
            chosen = list(islice(names, n))
            if len(chosen) < n:
                raise ValueError(f"{true} has {len(chosen)} images {pattern}")
            for name in chosen:
                out.writestr(name, file.read(name))


def copied(true: Path, small: Path, *_: int) -> None:
    shutil.copyfile(true, small)


# By file: the true one, what is written, and training and held-out images
CUT: dict[str, Callable[[Path, Path, int, int], None]] = {
    "train_256_places365standard.tar": lambda true, small, train, _: first_of_tar(true, small, train),
    "val_256.tar": lambda true, small, _, held_out: first_of_tar(true, small, held_out),
    "ILSVRC2012_img_train.tar": lambda true, small, train, _: first_of_tars(true, small, train),
    "data512x512.zip": lambda true, small, train, _: first_of_zip(true, small, {"data512x512/*": train}),
    "CelebAMask-HQ.zip": lambda true, small, train, _: first_of_zip(true, small, {"CelebA-HQ-img/*": train}),
    "celeba_hq.zip": lambda true, small, train, _: first_of_zip(true, small, {"train/*/*": train}),
    "afhq.zip": lambda true, small, train, held_out: first_of_zip(
        true, small, {"train/cat/*": train, "val/cat/*": held_out}
    ),
    "weights-inception-2015-12-05-6726825d.pth": copied,
    "fid_stats_cifar10_train.npz": copied,
}
