"""Indexed image sets: where each image file lies in an archive that is too large to become an array.

ImageNet's training images at 256 pixels would fill 252 GB. What reads an index decodes and crops them as it goes.
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

    entries.npy has name, offset and size of each image file, sorted folder by folder, in `archive` of set.json, which
    is a file or a folder below the checkout; in a folder, names are paths and offsets 0. Labels number `classes`.
    Raises DataError for an archive that is missing, damaged, not what it should be, or of another count.
    """
    settings = job.settings
    if settings["archive"] != "imagenet":
        raise DataError(f"set {job.spec['name']}: archive {settings['archive']} makes no index; imagenet does.")
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
    """Images, labels and wnids of ImageNet's training set, or of its validation set (`held_out`), and what was read.

    Where data/archives/ has a folder of an archive's name, such as ILSVRC2012_img_train, or a link to one, that folder
    is what is indexed. No checksum can tell whether it is whole: its images are counted, and the record says so.
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
    """Return whether a set's folder is an `index` step's, of image files, and no array's."""
    return folder.parent.name == "index"


def pictures_of(folder: Path) -> Pictures:
    """Return the image files of an `index` step's folder. Raises DataError where what it is an index of is gone."""
    record = record_of(folder)
    archive = folder.parents[2] / record["archive"]
    if not archive.exists():
        raise DataError(f"{archive} is missing: the set {record['set']} is an index of it. Put it back.")
    return Pictures(archive, np.load(folder / "entries.npy", mmap_mode="r"), read_bytes)
