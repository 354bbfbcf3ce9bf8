"""Indexed sets from miniatures of ImageNet: every entry against torchvision's reader, and faults."""

import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import UNPACKED, planned, write_specs
from PIL import Image
from torchvision.datasets import ImageFolder

from atebm.config.sets import ImageIndex
from atebm.data.index import write_index
from atebm.data.writers import imagenet_devkit, imagenet_train, imagenet_val
from atebm.pipeline.job import Job
from atebm.pipeline.step import Step
from atebm.utils.errors import DataError


def job_of(folder: Path, split: str, count: int, archive: str = "imagenet") -> Job:
    settings = ImageIndex(reader="index", archive=archive, split=split, count=count)
    step = Step("index", "mine", settings.model_dump())
    write_specs(folder.parent, step)
    return Job(folder.parent / step.spec_file)


def indexed(folder: Path, split: str, count: int) -> tuple[np.ndarray, list[int], dict]:
    """Entries, labels and record that the `index` step leaves."""
    job = job_of(folder, split, count)
    write_index(job, folder)
    record = json.loads((job.folder / "set.json").read_text())
    entries = np.load(job.folder / "entries.npy", mmap_mode="r")
    assert entries.dtype.names == ("name", "offset", "size") and entries.dtype[0].kind == "S"
    assert entries.dtype[1] == entries.dtype[2] == np.dtype("<i8")
    assert record["n"] == len(entries) == count
    return entries, np.load(job.folder / "labels.npy").tolist(), record


def file_of(entry: np.void, record: dict, root: Path) -> bytes:
    """The bytes an entry points to, by the contract that set.json and entries.npy state."""
    path, name = root / record["archive"], entry["name"].decode()
    content = (path / name if path.is_dir() else path).read_bytes()
    return content[entry["offset"] : entry["offset"] + entry["size"]]


def assert_as_in_folder(entries: np.ndarray, labels: list[int], record: dict, root: Path, folder: Path) -> None:
    reference = ImageFolder(folder)
    assert labels == reference.targets and record["classes"] == reference.classes
    for entry, (path, _) in zip(entries, reference.samples, strict=True):
        assert Path(entry["name"].decode()).name == Path(path).name
        assert file_of(entry, record, root) == Path(path).read_bytes()


def test_the_training_set_is_what_torchvision_reads(folder, documented, unchecked):
    path = documented(imagenet_train(folder))
    entries, labels, record = indexed(folder, "train", 9)
    assert record["archive"] == "archives/ILSVRC2012_img_train.tar" and "unverified" not in record
    assert record["archives"].keys() == {path.name} and record["archives"][path.name].keys() == {"md5"}
    unchecked.imagenet.parse_train_archive(folder, folder=folder.parent / "out")
    assert_as_in_folder(entries, labels, record, folder.parent, folder.parent / "out")


def test_an_unpacked_training_set_is_counted_not_verified(folder, unchecked):
    """A link to a copy elsewhere, as people have it."""
    imagenet_train(folder)
    unchecked.imagenet.parse_train_archive(folder, folder=folder.parent / "elsewhere")
    (folder / "ILSVRC2012_img_train.tar").unlink()
    (folder / "ILSVRC2012_img_train").symlink_to(folder.parent / "elsewhere")
    entries, labels, record = indexed(folder, "train", 9)
    assert record["archive"] == "archives/ILSVRC2012_img_train" and record["archives"] == {}
    assert "ILSVRC2012_img_train is a folder" in record["unverified"]
    assert_as_in_folder(entries, labels, record, folder.parent, folder.parent / "elsewhere")
    with pytest.raises(DataError, match=r"set mine: .*img_train: it holds 9 images instead of 1281167"):
        write_index(job_of(folder, "train", 1281167), folder)


@pytest.mark.parametrize("layout", ["tar", "flat folder", "folder per class"])
def test_the_validation_set_has_the_devkits_labels(folder, documented, unchecked, layout):
    path, devkit = documented(imagenet_val(folder)), documented(imagenet_devkit(folder))
    unchecked.imagenet.parse_devkit_archive(folder)
    _, wnids = torch.load(folder / "meta.bin")
    val = folder / "ILSVRC2012_img_val"
    shutil.unpack_archive(path, folder.parent / "flat", **UNPACKED)
    if layout == "flat folder":
        (folder.parent / "flat").rename(val)
    elif layout == "folder per class":
        unchecked.imagenet.parse_val_archive(folder, folder="ILSVRC2012_img_val", wnids=wnids)
    entries, labels, record = indexed(folder, "held_out", 4)
    assert [record["classes"][label] for label in labels] == wnids == ["n03", "n02", "n01", "n03"]
    names = [Path(entry["name"].decode()).name for entry in entries]
    assert names == [f"ILSVRC2012_val_{i:08}.JPEG" for i in range(1, 5)]
    for entry in entries:
        Image.open(io.BytesIO(file_of(entry, record, folder.parent))).load()
    assert record["archives"].keys() == ({path.name, devkit.name} if layout == "tar" else {devkit.name})


def test_a_missing_imagenet_says_where_to_register(folder):
    sentence = r"set mine: .*/ILSVRC2012_img_train.tar is missing: .*Register at https://image-net.org.*fetch .* --from"
    with pytest.raises(DataError, match=sentence):
        write_index(job_of(folder, "train", 9), folder)


def test_a_truncated_archive_leaves_nothing(folder, documented):
    path = imagenet_train(folder)
    path.write_bytes(path.read_bytes()[:20000])
    documented(path)
    job = job_of(folder, "train", 9)
    with pytest.raises(DataError, match=r"set mine: .*train.tar: it is truncated or damaged after"):
        write_index(job, folder)
    assert not list(job.folder.glob("*")) and not list(job.folder.glob(".*"))


def test_another_archive_makes_no_index(folder):
    with pytest.raises(DataError, match="set mine: archive places365_small has no index; choose imagenet"):
        write_index(job_of(folder, "train", 9, "places365_small"), folder)


def test_the_256_pixel_tasks_are_planned_with_indices():
    plan = planned("paper")
    step = plan.data("imagenet")
    assert step.kind == "index" and step.files[0] == f"work/index/{step.id}/entries.npy"
    assert plan.train("celebahq256", 0).parents["p_0"] == step
