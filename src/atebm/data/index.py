"""Indexed image sets: the place of each image file in an archive that is too large for an array.

ImageNet's training images at 256 pixels would take 252 GB. Readers of an index decode and crop images as needed.
"""

import os
from pathlib import Path

import numpy as np

from ..archives.catalogue import ARCHIVES, UNVERIFIED, files_of, unpacked_folder
from ..archives.verify import verify_file
from ..pipeline.job import Job, record_of
from ..utils.errors import DataError
from ..utils.files import atomic
from .content import Labels
from .readers.images import Pictures, folder_labels, imagenet_devkit, imagenet_train, imagenet_val, read_bytes


def write_index(job: Job, archives: Path = ARCHIVES) -> None:
    """Make the `index` step: entries.npy, labels.npy and set.json.

    entries.npy has the name, offset and size of each image file, sorted folder by folder, in the file or folder that
    set.json calls `archive`, relative to the checkout. In a folder, names are paths and offsets are 0. Labels are
    indices of `classes`. Raises DataError if the archive is missing, damaged, another one, or has another count.
    """
    settings = job.settings
    if settings["archive"] != "imagenet":
        raise DataError(f"set {job.spec['name']}: archive {settings['archive']} has no index; choose imagenet.")
    try:
        pictures, labels, classes, origin = imagenet(settings["split"], settings["count"], archives)
    except DataError as error:
        raise DataError(f"set {job.spec['name']}: {error}") from error
    for name, array in (("entries.npy", pictures.entries), ("labels.npy", labels)):
        with atomic(job.folder / name) as temporary:
            np.save(temporary, array, allow_pickle=False)
    where = os.path.relpath(pictures.file, job.work.parent)
    job.finish({"set": job.spec["name"], "n": len(labels), "classes": classes, "archive": where, **origin})


def imagenet(split: str, count: int, archives: Path) -> tuple[Pictures, Labels, list[str], dict[str, object]]:
    """Return images, labels and wnids of ImageNet's training set or validation set (`held_out`), and their origin.

    If data/archives/ has a folder with an archive's name, such as ILSVRC2012_img_train, or a link to one, that folder
    is indexed. No checksum can verify it: its images are counted, and the record says so.
    """
    path, *devkit = (archives / file for file in files_of("imagenet", split))
    origin: dict[str, object] = {}
    checksums = {}
    if unpacked_folder(path):
        path = path.with_suffix("")
        origin["unverified"] = UNVERIFIED.format(folder=path.name)
    else:
        checksums[path.name] = verify_file(path)
    if split == "train":
        pictures = imagenet_train(path, count)
        labels, classes = folder_labels(pictures.entries)
    else:
        checksums[devkit[0].name] = verify_file(devkit[0])
        labels, classes = imagenet_devkit(devkit[0], count)
        pictures = imagenet_val(path, count)
    return pictures, labels, classes, origin | {"archives": checksums}


def is_index(folder: Path) -> bool:
    """Return whether a set's folder is that of an `index` step, with image files instead of an array."""
    return folder.parent.name == "index"


def pictures_of(folder: Path) -> Pictures:
    """Return the image files of an `index` step. Raises DataError if the indexed archive is gone."""
    record = record_of(folder)
    archive = folder.parents[2] / record["archive"]
    if not archive.exists():
        raise DataError(f"{archive} is missing, but the set {record['set']} is an index of it: put it back.")
    return Pictures(archive, np.load(folder / "entries.npy", mmap_mode="r"), read_bytes)
