"""Sets prepared from miniature archives in the true formats: bytes against torchvision and Pillow, and faults."""

import errno
import gzip
import hashlib
import io
import json
import shutil
import subprocess
import sys
import tracemalloc
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
import torchvision
from conftest import UNPACKED, planned, typed, write_specs
from PIL import Image, ImageOps
from torchvision.datasets import ImageFolder

from atebm.archives import catalogue
from atebm.config.sets import Archive, TinyImages
from atebm.data import archive_sets, prepare
from atebm.data.content import Places
from atebm.data.writers import cifar, encoded, idx, lmdb_zip, pixels, python3, tar, zipped
from atebm.pipeline.job import Job
from atebm.pipeline.step import Step
from atebm.utils.errors import DataError


def prepared(folder: Path, archive: str, split: str, size: int, count: int) -> tuple[np.ndarray, np.ndarray, dict]:
    """Images, labels and record that the `data` step leaves."""
    job = job_of(folder, archive, split, size, count)
    prepare.write_set(job, folder)
    record = json.loads((job.folder / "set.json").read_text())
    images = np.load(job.folder / "images.npy", mmap_mode="r")
    assert images.dtype == np.uint8 and record["n"] == count == len(images)
    assert record["shape"] == list(images.shape[1:]) == [size, size, 1 if archive == "fashion_mnist" else 3]
    assert {path.name for path in job.folder.iterdir()} == {"images.npy", "labels.npy", "set.json"}
    labels = np.load(job.folder / "labels.npy")
    assert labels.dtype == np.int64
    return images, labels, record


def job_of(folder: Path, archive: str, split: str, size: int, count: int) -> Job:
    settings = {"reader": "archive", "archive": archive, "split": split, "size": size, "count": count}
    step = Step("data", "mine", Archive(**settings).model_dump())
    write_specs(folder.parent, step)
    return Job(folder.parent / step.spec_file)


FORMATS = ("JPEG", "WEBP", "JPEG", "PNG", "WEBP")


def picture(side: int | tuple[int, int], format: str = "JPEG") -> bytes:
    file = io.BytesIO()
    width, height = (side, side) if isinstance(side, int) else side
    Image.fromarray(pixels(height, width, 3)).save(file, format)
    return file.getvalue()


def resized(folder: Path, size: int, how: Image.Resampling) -> tuple[list[np.ndarray], list[int], list[str]]:
    """What torchvision and Pillow make of a folder of folders of images."""
    reference = ImageFolder(folder)
    images = [np.asarray(image.resize((size, size), how)) for image, _ in reference]
    return images, reference.targets, reference.classes


# --- bytes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [10, 100])
def test_cifar_is_what_torchvision_reads(folder, documented, unchecked, kind):
    path = documented(cifar(folder / f"cifar-{kind}-python.tar.gz", kind))
    shutil.unpack_archive(path, folder.parent, **UNPACKED)
    reader = {10: unchecked.CIFAR10, 100: unchecked.CIFAR100}[kind]
    for split, count in (("train", 15 if kind == 10 else 3), ("held_out", 3)):
        images, labels, record = prepared(folder, f"cifar{kind}", split, 32, count)
        with warnings.catch_warnings(action="ignore", category=DeprecationWarning):  # of numpy.core
            reference = reader(folder.parent, train=split == "train")
        assert np.array_equal(images, reference.data) and labels.tolist() == reference.targets
        assert record["classes"] == reference.classes
        assert record["archives"] == {path.name: {"md5": hashlib.md5(path.read_bytes()).hexdigest()}}


@pytest.mark.parametrize(("split", "name"), [("train", "train"), ("held_out", "test")])
def test_svhn_is_what_torchvision_reads(folder, documented, unchecked, split, name):
    path = folder / f"{name}_32x32.mat"
    labels = np.array([[10], [1], [9], [10], [5]], np.uint8)
    scipy.io.savemat(path, {"X": pixels(32, 32, 3, 5), "y": labels}, do_compression=True)
    documented(path)
    images, labels, record = prepared(folder, "svhn", split, 32, 5)
    reference = unchecked.SVHN(folder, name)
    assert np.array_equal(images.transpose(0, 3, 1, 2), reference.data) and labels.tolist() == reference.labels.tolist()
    assert record["archives"].keys() == {path.name} and record["classes"] == [str(digit) for digit in range(10)]


@pytest.mark.parametrize("archive", ["cifar10", "svhn"])
def test_small_images_are_enlarged_by_torchvisions_resize(folder, documented, archive):
    """As the authors' evaluation shows them to a 256x256 network."""
    documented(cifar(folder / "cifar-10-python.tar.gz", 10))
    contents = {"X": pixels(32, 32, 3, 3), "y": np.ones((3, 1), np.uint8)}
    scipy.io.savemat(folder / "test_32x32.mat", contents)
    documented(folder / "test_32x32.mat")
    small, labels, _ = prepared(folder, archive, "held_out", 32, 3)
    large, same, _ = prepared(folder, archive, "held_out", 256, 3)
    resize = torchvision.transforms.Resize((256, 256))
    assert np.array_equal(large, [np.asarray(resize(Image.fromarray(image))) for image in small])
    assert labels.tolist() == same.tolist()


def test_places_is_averaged_by_pillow(folder, documented):
    names = ("b/beach/2.jpg", "a/attic/1.jpg", "a-b/odd/3.jpg", "a/attic/0.jpg", "a/apartment/outdoor/4.jpg")
    contents = {f"data_256/{name}": picture(256) for name in names}
    documented(tar(folder / "train_256_places365standard.tar", contents))
    flat = folder.parent / "flat"
    for name, content in contents.items():  # a folder per class, which ImageFolder wants
        path = flat / Path(name).parent.as_posix().replace("/", "\1") / Path(name).name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    images, labels, record = prepared(folder, "places365_small", "train", 32, 5)
    expected, targets, classes = resized(flat, 32, Image.Resampling.BOX)
    assert record["classes"] == sorted(name.replace("\1", "/") for name in classes)
    assert [record["classes"][label] for label in labels] == [classes[target].replace("\1", "/") for target in targets]
    assert np.array_equal(images, expected)


def test_places_validation_has_one_label(folder, documented):
    contents = {f"val_256/Places365_val_{i:08}.jpg": picture(256) for i in (2, 1)}
    documented(tar(folder / "val_256.tar", contents))
    images, labels, record = prepared(folder, "places365_small", "held_out", 32, 2)
    for image, name in zip(images, sorted(contents), strict=True):
        assert np.array_equal(image, Image.open(io.BytesIO(contents[name])).resize((32, 32), Image.Resampling.BOX))
    assert labels.tolist() == [0, 0] and record["classes"] == ["val_256"]


def test_celebahq_is_resized_by_pillows_lanczos(folder, documented):
    contents = {f"data512x512/{i:05}.jpg": picture(512) for i in (10, 2, 0)}
    path = documented(zipped(folder / "data512x512.zip", contents))
    images, _, record = prepared(folder, "celebahq", "train", 256, 3)
    shutil.unpack_archive(path, folder.parent / "out")
    assert np.array_equal(images, resized(folder.parent / "out", 256, Image.Resampling.LANCZOS)[0])
    assert record["archives"] == {path.name: {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()}}


@pytest.mark.parametrize(("split", "inside", "count"), [("train", "train", 3), ("held_out", "val", 1)])
def test_afhqs_cats_are_resized_by_pillows_lanczos(folder, documented, split, inside, count):
    names = ("train/cat/2", "train/cat/1", "train/cat/0", "val/cat/0", "train/dog/0", "val/dog/0", "val/wild/0")
    path = documented(zipped(folder / "afhq.zip", {f"afhq/{name}.jpg": picture(512) for name in names}))
    images, labels, _ = prepared(folder, "afhq_v1_cat", split, 256, count)
    shutil.unpack_archive(path, folder.parent / "out")
    expected, targets, classes = resized(folder.parent / "out/afhq" / inside, 256, Image.Resampling.LANCZOS)
    cats = [image for image, target in zip(expected, targets, strict=True) if classes[target] == "cat"]
    assert np.array_equal(images, cats) and labels.tolist() == [0] * count


@pytest.mark.parametrize(("split", "prefix", "n"), [("train", "train", 5), ("held_out", "t10k", 3)])
def test_fashion_mnist_is_what_torchvision_reads(folder, documented, split, prefix, n):
    raw = folder.parent / "FashionMNIST/raw"
    raw.mkdir(parents=True)
    for name, count in (("train", 5), ("t10k", 3)):
        labels = np.arange(10 - count, 10, dtype=np.uint8)
        for kind, array in (("images-idx3", pixels(count, 28, 28)), ("labels-idx1", labels)):
            path = documented(idx(folder / f"{name}-{kind}-ubyte.gz", array))
            (raw / path.stem).write_bytes(gzip.decompress(path.read_bytes()))
    reference = torchvision.datasets.FashionMNIST(folder.parent, train=split == "train")
    for size in (32, 16):
        images, labels, record = prepared(folder, "fashion_mnist", split, size, n)
        pictures = [ImageOps.expand(picture, 2, 0).resize((size, size), Image.BILINEAR) for picture, _ in reference]
        assert np.array_equal(images[..., 0], [np.asarray(picture) for picture in pictures])
        assert labels.tolist() == reference.targets.tolist() and len(record["classes"]) == 10
        files = {f"{prefix}-images-idx3-ubyte.gz", f"{prefix}-labels-idx1-ubyte.gz"}
        assert record["archives"].keys() == files


@pytest.mark.parametrize(("split", "part"), [("train", "train"), ("held_out", "val")])
def test_lsuns_churches_are_what_torchvision_reads(folder, documented, monkeypatch, split, part):
    sizes = [(256, 300), (300, 256), (200, 400), (256, 256), (513, 770)]
    contents = {
        f"{i:02x}abc": picture(size, format) for i, (size, format) in enumerate(zip(sizes, FORMATS, strict=True))
    }
    path = documented(lmdb_zip(folder / f"church_outdoor_{part}_lmdb.zip", contents))
    images, labels, record = prepared(folder, "lsun_church", split, 256, 5)
    shutil.unpack_archive(path, folder.parent / "out")
    monkeypatch.chdir(folder.parent)  # where torchvision writes a cache
    how = torchvision.transforms.InterpolationMode.BICUBIC
    crop = torchvision.transforms.Compose(
        [torchvision.transforms.Resize(256, how), torchvision.transforms.CenterCrop(256)]
    )
    reference = torchvision.datasets.LSUN(str(folder.parent / "out"), [f"church_outdoor_{part}"], crop)
    assert np.array_equal(images, [np.asarray(image) for image, _ in reference])
    assert labels.tolist() == [0] * 5 and record["classes"] == ["church_outdoor"]


def test_images_npy_has_the_bytes_of_numpys_save(folder, documented, monkeypatch):
    monkeypatch.setattr(prepare, "BLOCK", 2 * 3072)  # two images
    documented(cifar(folder / "cifar-10-python.tar.gz", 10))
    images, _, _ = prepared(folder, "cifar10", "held_out", 32, 3)
    expected = io.BytesIO()
    np.save(expected, np.array(images))
    assert Path(images.filename).read_bytes() == expected.getvalue()


def test_a_streamed_set_is_never_in_memory(folder, documented):
    """Python holds a few images and all names. What Pillow decodes into is not counted, but is one picture's."""
    n, size = 40, 128
    contents = {f"data_256/a/{i:03}.jpg": picture(256) for i in range(n)}
    documented(tar(folder / "train_256_places365standard.tar", contents))
    job = job_of(folder, "places365_small", "train", size, n)
    tracemalloc.start()
    prepare.write_set(job, folder)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (job.folder / "images.npy").stat().st_size > n * size**2 * 3 > 4 * peak


def test_a_job_needs_no_http_client():
    """Its conda environment has none."""
    code = "import sys; sys.modules |= dict.fromkeys(('requests', 'urllib3')); import atebm.data.prepare"
    subprocess.run([sys.executable, "-c", code], check=True)


# --- faults -----------------------------------------------------------------------------------------------------


def assert_refused(job: Job, folder: Path, match: str) -> None:
    with pytest.raises(DataError, match=match):
        prepare.write_set(job, folder)
    assert not list(job.folder.glob("*")) and not list(job.folder.glob(".*"))  # nor under a temporary name


def test_another_count_is_one_sentence(folder, documented):
    path = documented(cifar(folder / "cifar-10-python.tar.gz", 10))
    sentence = rf"^set mine: {path}: it holds 3 images instead of 10000; .*\.$"
    assert_refused(job_of(folder, "cifar10", "held_out", 32, 10000), folder, sentence)
    documented(zipped(folder / "afhq.zip", {f"afhq/train/cat/{i}.jpg": encoded() for i in range(3)}))
    sentence = r"^set mine: .*afhq.zip: it holds 3 images instead of 5153"
    assert_refused(job_of(folder, "afhq_v1_cat", "train", 256, 5153), folder, sentence)


@pytest.mark.parametrize("extra", [-1, 1])
def test_a_reader_that_yields_another_count_leaves_nothing(folder, documented, monkeypatch, extra):
    """Readers check their counts themselves; a header that says another one than the file has would be no .npy."""
    documented(cifar(folder / "cifar-10-python.tar.gz", 10))
    labels = np.zeros(3, np.int64), ["a"]
    wrong = archive_sets.Content(3, (32, 32, 3), lambda *_: [pixels(3 + extra, 32, 32, 3)], lambda: labels)
    monkeypatch.setattr(prepare, "content_of", lambda *_: wrong)
    sentence = f"^set mine: {3 + extra} images were found instead of 3"
    assert_refused(job_of(folder, "cifar10", "held_out", 32, 3), folder, sentence)


@pytest.mark.parametrize(
    ("archive", "split", "file"),
    [
        ("svhn", "train", "train_32x32.mat"),
        ("celebahq", "train", "data512x512.zip"),
        ("svhn", "held_out", "test_32x32.mat"),
    ],
)
def test_a_missing_file_is_one_sentence(folder, archive, split, file):
    sentence = f"^set mine: {folder / file} is missing: .*python -m atebm fetch {file}"
    assert_refused(job_of(folder, archive, split, 32, 3), folder, sentence)
    assert catalogue.find(file)  # the command knows it


def test_a_file_that_is_not_the_documented_one_is_not_read(folder, monkeypatch):
    path = cifar(folder / "cifar-10-python.tar.gz", 10)
    assert_refused(job_of(folder, "cifar10", "held_out", 32, 3), folder, "it has .* bytes, not 170,498,071. Remove it")
    (source,) = catalogue.find("cifar10")
    monkeypatch.setattr(catalogue, "find", lambda _: (source.model_copy(update={"bytes": path.stat().st_size}),))
    assert_refused(job_of(folder, "cifar10", "held_out", 32, 3), folder, "its md5 is .*, not c58f30.*Remove it, then:")


@pytest.mark.parametrize(("file", "archive"), [("val_256.tar", "places365_small"), ("data512x512.zip", "celebahq")])
def test_a_corrupt_member_leaves_nothing(folder, documented, file, archive):
    contents = {f"a/{i}.jpg": picture(64) for i in range(3)}
    contents["a/1.jpg"] = contents["a/1.jpg"][:400]
    documented((tar if file.endswith("tar") else zipped)(folder / file, contents))
    split = "held_out" if file.endswith("tar") else "train"
    sentence = rf"^set mine: .*{file}: member 'a/1.jpg' cannot be read"
    assert_refused(job_of(folder, archive, split, 32, 3), folder, sentence)


def test_a_full_disk_is_one_sentence(folder, documented, monkeypatch):
    documented(cifar(folder / "cifar-10-python.tar.gz", 10))

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np.lib.format, "write_array_header_1_0", full)
    sentence = r"^set mine: the disk of .* is full: images.npy needs 9,216 bytes"
    assert_refused(job_of(folder, "cifar10", "held_out", 32, 3), folder, sentence)


def test_labels_that_are_not_those_of_the_images_are_refused(folder, documented):
    documented(idx(folder / "train-images-idx3-ubyte.gz", pixels(3, 28, 28)))
    documented(idx(folder / "train-labels-idx1-ubyte.gz", np.zeros(2, np.uint8)))
    sentence = r"^set mine: .*train-labels-idx1-ubyte.gz: its labels, of shape \(2,\), do not fit the images"
    assert_refused(job_of(folder, "fashion_mnist", "train", 32, 3), folder, sentence)


# --- config.yaml ------------------------------------------------------------------------------------------------


def test_every_archive_of_the_paper_is_prepared(folder):
    for name, settings in typed("paper").sets.items():
        if isinstance(settings, Archive):
            with pytest.raises(DataError, match=r"is missing: .*python -m atebm fetch "):
                archive_sets.content(settings, Places(folder, scratch=folder))
            assert catalogue.find(settings.archive), name


def test_an_archive_or_split_that_makes_no_set_is_one_sentence(folder):
    sentence = "^set mine: archive cifar cannot be read as a set; choose one of cifar10, cifar100, svhn"
    assert_refused(job_of(folder, "cifar", "train", 32, 3), folder, sentence)
    sentence = "^set mine: archive celebahq has no split held_out; it has: train"
    assert_refused(job_of(folder, "celebahq", "held_out", 256, 3), folder, sentence)


# --- LSUN's database --------------------------------------------------------------------------------------------


def church(folder: Path, count: int = 40) -> Job:
    return job_of(folder, "lsun_church", "held_out", 16, count)


@pytest.fixture
def churches(folder, documented) -> Path:
    contents = {f"{i:03x}": picture(48) for i in range(40)}
    return documented(lmdb_zip(folder / "church_outdoor_val_lmdb.zip", contents))


def test_another_count_of_churches_is_one_sentence(folder, churches):
    sentence = r"set mine: .*church_outdoor_val_lmdb.zip: it holds 40 images instead of 300"
    assert_refused(church(folder, 300), folder, sentence)
    assert not [path for path in church(folder).work.rglob("*") if path.stat().st_size > 10**4]


def damaged(path: Path, damage: Callable[[bytes], bytes]) -> None:
    """Another database in a zip that is whole."""
    with zipfile.ZipFile(path) as file:
        contents = {name: file.read(name) for name in file.namelist()}
    zipped(path, {name: damage(data) if name.endswith("data.mdb") else data for name, data in contents.items()})


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[:5000],
        lambda data: data[: len(data) // 2],  # beyond the end of a mapped file a process is ended
        lambda data: bytes(len(data)),
        lambda data: data[:8192] + bytes(len(data) - 8192),
        lambda data: data[:8192] + pixels(len(data) - 8192).tobytes(),
        lambda data: b"<html>" + data,
    ],
)
def test_a_damaged_database_is_one_sentence(folder, documented, churches, damage):
    damaged(churches, damage)
    documented(churches)
    job = church(folder)
    assert_refused(job, folder, r"^set mine: .*church_outdoor_val_lmdb.zip: .*download it again from its official sour")
    assert not [path for path in job.checkpoints.iterdir() if not path.name.startswith("images-")]


def test_a_damaged_church_is_named(folder, documented):
    contents = {f"{i:03x}": picture(48) for i in range(40)}
    documented(lmdb_zip(folder / "church_outdoor_val_lmdb.zip", contents | {"00a": b"<html>"}))
    assert_refused(church(folder), folder, r"^set mine: .*_val_lmdb.zip: member '00a' cannot be read")


def test_a_zip_without_a_database_or_with_a_flipped_bit_is_one_sentence(folder, documented, churches):
    content = bytearray(churches.read_bytes())
    content[len(content) // 2] ^= 1
    churches.write_bytes(content)
    documented(churches)
    assert_refused(church(folder), folder, r"set mine: .*lmdb.zip: member 'church_outdoor_val_lmdb/data.mdb' cannot")
    documented(zipped(churches, {"church_outdoor_val_lmdb/lock.mdb": b""}))
    assert_refused(church(folder), folder, r"set mine: .*lmdb.zip: it has 0 members named data.mdb instead of one")


def test_a_disk_that_is_too_full_for_the_database_is_one_sentence(folder, churches, monkeypatch):
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfileobj", full)
    assert_refused(church(folder), folder, r"^set mine: the disk of .* is full: data.mdb needs [\d,]+ bytes. Make room")


# --- other p_0 of CIFAR-10 --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("split", "names"), [("train", (10, 2, 1)), ("held_out", ())])
def test_imagenet32_is_its_batches_in_order(folder, documented, monkeypatch, split, names):
    monkeypatch.setattr(prepare, "BLOCK", 3072)  # one image
    batches = {f"train_data_batch_{i}": i for i in names} or {"val_data": 0}
    planes = pixels(11, 2, 3, 32, 32)
    data = {name: {"data": planes[i].reshape(2, 3072), "labels": [1000, i + 1]} for name, i in batches.items()}
    path = folder / f"Imagenet32_{'train' if names else 'val'}.zip"
    documented(zipped(path, {name: python3(batch) for name, batch in data.items()}))
    images, labels, record = prepared(folder, "imagenet32", split, 32, 2 * len(batches))
    order = sorted(batches.values())
    assert np.array_equal(images, planes[order].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
    assert labels.tolist() == [label for i in order for label in (999, i)]
    assert record["classes"] == [str(number) for number in range(1, 1001)]


def test_300k_random_images_are_their_array(folder, documented):
    content = pixels(5, 32, 32, 3)
    np.save(folder / "300K_random_images.npy", content)
    documented(folder / "300K_random_images.npy")
    images, labels, record = prepared(folder, "random_images_300k", "train", 32, 5)
    assert np.array_equal(images, content) and labels.tolist() == [0] * 5 and len(record["classes"]) == 1


def test_tiny_images_are_drawn_without_those_of_the_lists(folder, documented, monkeypatch):
    monkeypatch.setattr(archive_sets, "TINY_IMAGES", 300)
    monkeypatch.setattr(archive_sets, "TINY_BLOCK", 7)
    records = pixels(300, 3, 32, 32)  # planes, column by column
    (folder / "tiny_images.bin").write_bytes(records.tobytes())
    (folder / "80mn_cifar_idxs.txt").write_text("".join(f"{i}\n" for i in range(1, 51)))  # from 1: 0 to 49
    lists = {"exclude_cifar/00M": b"50\n51\n", "exclude_cifar/01M": b"".join(b"%d\n" % i for i in range(52, 100))}
    tar(folder / "exclude_cifar.tar", lists)
    for name in ("tiny_images.bin", "80mn_cifar_idxs.txt", "exclude_cifar.tar"):
        documented(folder / name)
    step = Step("data", "mine", TinyImages(reader="tiny_images", n=200, seed=0).model_dump())
    write_specs(folder.parent, step)
    job = Job(folder.parent / step.spec_file)
    prepare.write_set(job, folder)
    number_of = {record.transpose(2, 1, 0).tobytes(): number for number, record in enumerate(records)}
    found = [number_of[image.tobytes()] for image in np.load(job.folder / "images.npy")]
    assert len(found) == 200 and min(found) == 100
    assert np.bincount(found).max() > 1  # stand-ins for what the lists exclude
    assert json.loads((job.folder / "set.json").read_text())["archives"].keys() == {
        "tiny_images.bin",
        "80mn_cifar_idxs.txt",
        "exclude_cifar.tar",
    }


def test_a_p_0_can_be_chosen_by_its_task():
    plan = planned("paper", runs={"cifar10": {"task": "cifar10_p0_imagenet32"}})
    parents = plan.train("cifar10", 0).parents
    assert parents["p_0"].name == "imagenet32" and parents["p_data"].name == "cifar10"
    assert parents["validation_sources"].parents["of"].name == "imagenet32_val"
    assert plan.sample("cifar10", 0, "best").parents["sources"].parents["of"] == parents["p_0"]
    assert plan.train("cifar10_K_fifth", 0).parents["p_0"] == parents["p_0"]  # variants follow
    assert ("data", parents["p_0"].id) in plan.sets
    assert not {"imagenet32", "tiny_images"} & {id.rsplit("-", 1)[0] for _, id in planned("paper").sets}


def test_sources_and_validation_sources_are_disjoint():
    for name in ("random_images_300k", "tiny_images"):
        sets = typed("paper").sets
        catalogue, validation = sets[f"{name}_sources"], sets[f"{name}_val_sources"]
        assert catalogue.seed == validation.seed and validation.skip >= catalogue.skip + catalogue.n
