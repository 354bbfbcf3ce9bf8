"""The `data` step: a prepared image set, as a uint8 NHWC array with an integer label per image.

Readers make the sets; config/sets.py names each set's reader.
"""

import hashlib
import math
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ..archives.catalogue import ARCHIVES
from ..pipeline.job import Job, record_file
from ..utils.errors import DataError
from ..utils.files import atomic, room
from ..utils.hashing import canonical, sha256
from ..utils.progress import progress
from .content import Content, Places, content_of

BLOCK = 1 << 22  # bytes of images written at once


def write_set(job: Job, archives: Path = ARCHIVES, workers: int = 1) -> None:
    """Make the `data` step: images.npy, labels.npy and set.json, which names the archive files that were read.

    A killed step resumes where it stopped. Raises the DataErrors of the set's reader, and leaves no half-written file
    in the step's folder.
    """
    name = job.spec["name"]
    parts = {role: job.parent(role) for role in job.spec["parents"]}  # the set of which this one is a part, if any
    try:
        content = content_of(job.settings, Places(archives=archives, scratch=job.checkpoints, **parts))
        origin: dict[str, Any] = {"archives": content.archives} if content.archives else {}
        origin |= {"unverified": content.unverified} if content.unverified else {}
        part = write_images(job, content, origin, workers)
        labels, classes = content.labels()
        with atomic(job.folder / "labels.npy") as temporary:
            np.save(temporary, labels)
        part.replace(job.folder / "images.npy")
    except DataError as error:
        raise DataError(f"set {name}: {error}") from error
    job.finish({"set": name, "n": content.n, "shape": list(content.shape), "classes": classes, **origin})


def write_images(job: Job, content: Content, origin: dict[str, Any], workers: int) -> Path:
    """Write all images of the set (n, H, W, C) to a .npy, with the same bytes as `np.save`, and return its path.

    The file is in the step's folder of checkpoints, and its name has a digest of its sources: a killed step resumes
    with it, unless the sources have changed. At most a few items of content.images are in memory. numpy's open_memmap
    is not used, since on a full disk a mapped file kills the process with SIGBUS, while writing raises an error. Raises
    DataError if the number of images is wrong.
    """
    part = job.checkpoints / f"images-{made_from(job, origin)}.npy"
    part.parent.mkdir(parents=True, exist_ok=True)
    for other in set(part.parent.glob("images-*.npy")) - {part}:
        other.unlink()
    part.touch()
    job.folder.mkdir(parents=True, exist_ok=True)
    shape = (content.n, *content.shape)
    step = max(1, BLOCK // math.prod(content.shape))
    with (
        room(job.folder / "images.npy", math.prod(shape), "It resumes where it stopped.", there=part.stat().st_size),
        part.open("ab") as file,
    ):
        done = resume(file, shape)
        with progress(f"set {job.spec['name']}", content.n, done) as report:
            for images in content.images(done, workers):
                for start in range(0, len(images), step):
                    block = images[start : start + step]
                    file.write(np.ascontiguousarray(block).data)
                    done += len(block)
                    report(done)
    if done != content.n:
        part.unlink()
        raise DataError(f"{done} images were found instead of {content.n}.")
    return part


def resume(file: BinaryIO, shape: tuple[int, ...]) -> int:
    """Return how many whole images a partial .npy has, and cut off the rest; an empty file gets its header."""
    header = BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": shape})
    start, image = header.tell(), math.prod(shape[1:])
    done = (file.tell() - start) // image
    if not 0 <= done <= shape[0]:
        file.truncate(0)
        file.write(header.getvalue())
        return 0
    file.truncate(start + done * image)
    return done


def made_from(job: Job, origin: dict[str, Any]) -> str:
    """Return a digest of the archives' checksums and of the parents' records."""
    parents = {role: sha256(record_file(job.parent(role))) for role in job.spec["parents"]}
    return hashlib.sha256(canonical([origin, parents]).encode()).hexdigest()[:12]
