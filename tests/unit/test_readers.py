"""Readers of archives against torchvision's and Pillow, on miniature archives in the true formats, and their faults."""

import gzip
import os
import pickle
import shutil
import struct
import tarfile
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import torch
import torchvision
from conftest import UNPACKED
from PIL import Image
from torchvision import transforms as theirs

from atebm.archives import members
from atebm.data.readers import arrays, images, pickles, transforms
from atebm.data.readers.tensors import saved_images
from atebm.data.writers import cifar, encoded, imagenet_devkit, imagenet_train, pixels, python2, python3, tar, zipped
from atebm.utils.errors import DataError

# --- pickles ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dump", [python2, python3])
@pytest.mark.parametrize("kind", [10, 100])
def test_cifar_is_what_torchvision_reads(tmp_path, unchecked, kind, dump):
    archive = cifar(tmp_path / "cifar.tar.gz", kind, dump=dump)
    shutil.unpack_archive(archive, tmp_path, **UNPACKED)
    reader = {10: unchecked.CIFAR10, 100: unchecked.CIFAR100}[kind]
    for split, count in (("train", 15 if kind == 10 else 3), ("held_out", 3)):
        with warnings.catch_warnings(action="ignore", category=DeprecationWarning):  # of numpy.core
            reference = reader(tmp_path, train=split == "train")
        read, labels, classes = pickles.cifar_pickles(archive, split, count)
        assert read.dtype == np.uint8 and np.array_equal(read, reference.data)
        assert labels.dtype == np.int64 and labels.tolist() == reference.targets
        assert classes == reference.classes


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_imagenet32_comes_batch_by_batch_in_their_numbers_order(tmp_path, protocol):
    planes = pixels(11, 2, 3, 32, 32)  # facts: rows are a red, a green and a blue plane
    contents = {
        f"train_data_batch_{i}": python3(
            {"data": planes[i].reshape(2, 3072), "labels": [i, 1000], "mean": np.zeros(3072)}, protocol
        )
        for i in (10, 2, 1)
    }
    archive = zipped(tmp_path / "Imagenet32_train.zip", contents)
    batches = list(pickles.imagenet32_zips(archive, 6))
    assert [labels.tolist() for _, labels in batches] == [[0, 999], [1, 999], [9, 999]]
    for (read, _), i in zip(batches, (1, 2, 10), strict=True):
        assert read.shape == (2, 32, 32, 3) and all(np.array_equal(read[..., c], planes[i][:, c]) for c in range(3))
    with pytest.raises(DataError, match=r"train.zip: it holds 6 images instead of 7; download it again"):
        list(pickles.imagenet32_zips(archive, 7))


def test_the_authors_source_images_are_the_bytes_that_they_were(tmp_path):
    path, images = tmp_path / "cifar_fid_imgs_50K.pt", pixels(5, 32, 32, 3)
    tensor = torch.tensor(images).permute(0, 3, 1, 2).float() / 255
    torch.save(tensor, path)
    assert np.array_equal(saved_images(path, 5), images)
    for wrong, sentence in (
        (tensor[:4], "it holds 4 images instead of 5"),
        (2 * tensor, "not all in"),
        (images.tolist(), "not a tensor of images"),
        (tensor * float("nan"), "not all in"),
    ):
        torch.save(wrong, path)
        with pytest.raises(DataError, match=sentence):
            saved_images(path, 5)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(DataError, match="cannot be read"):
        saved_images(path, 5)


class Payload:
    """Unpickling it makes a folder."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("where", ["test_batch", "batches.meta"])
def test_a_payload_in_a_pickle_does_not_run(tmp_path, where):
    payload = python3({"data": Payload(tmp_path / "owned"), "labels": [], "label_names": []})
    archive = cifar(tmp_path / "cifar.tar.gz", 10, **{where: payload})
    with pytest.raises(DataError, match=rf"cifar.tar.gz: member cifar-10-batches-py/{where} .*run posix.mkdir"):
        pickles.cifar_pickles(archive, "held_out", 3)
    assert not (tmp_path / "owned").exists()
    pickle.loads(payload)
    assert (tmp_path / "owned").exists()  # so it would have run


def test_arrays_of_objects_and_payloads_in_a_zip_do_not_load(tmp_path):
    for value, why in ((np.array([None]), "arrays of 'O8'"), (Payload(tmp_path / "owned"), "run posix.mkdir")):
        archive = zipped(tmp_path / "val.zip", {"val_data": python3({"data": value, "labels": [1]})})
        with pytest.raises(DataError, match=f"val_data.*{why}"):
            list(pickles.imagenet32_zips(archive, 1))
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize(
    ("batch", "why"),
    [
        ({"data": pixels(3, 3072), "labels": [1, 2]}, r"its images are uint8 of shape \(3, 3072\), with 2 labels"),
        ({"data": pixels(3, 3072).astype(float), "labels": [1, 2, 3]}, "its images are float64 of shape"),
        ({"labels": [1, 2, 3]}, "'data'"),
        ([], "it is not a dict"),
    ],
)
def test_a_batch_of_another_form_is_one_sentence(tmp_path, batch, why):
    archive = cifar(tmp_path / "cifar.tar.gz", 10, test_batch=python3(batch))
    with pytest.raises(DataError, match=rf"cifar.tar.gz: member .*test_batch.* cannot be read \({why}.*\); download"):
        pickles.cifar_pickles(archive, "held_out", 3)


def test_a_label_without_a_name_and_another_count_are_one_sentence(tmp_path):
    batch = python3({"data": pixels(1, 3072), "labels": [10]})
    archive = cifar(tmp_path / "cifar.tar.gz", 10, test_batch=batch)
    with pytest.raises(DataError, match="some labels are not among its 10 classes"):
        pickles.cifar_pickles(archive, "held_out", 1)
    with pytest.raises(DataError, match="holds 15 images instead of 50000"):
        pickles.cifar_pickles(archive, "train", 50000)


# --- archives of images -----------------------------------------------------------------------------------------

# in no order; plain strings would sort "a-b/" before "a/"
FOLDERS = [f"set/train/{name}" for name in ("b/2.jpg", "a-b/1.JPEG", "a/3.png", "b/10.jpg", "a/1.jpg")]


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    kinds = [("JPEG", "RGB"), ("JPEG", "CMYK"), ("PNG", "RGBA"), ("JPEG", "L"), ("PNG", "RGB")]  # as in ImageNet
    others = {"set/val/a/9.jpg": encoded(), "set/train/list.txt": b"1", "__MACOSX/set/train/b/._2.jpg": b"1"}
    return {name: encoded(*kind) for name, kind in zip(FOLDERS, kinds, strict=True)} | others


def assert_as_in_folder(found: images.Pictures, folder: Path) -> None:
    named, entries = list(found.named()), found.entries
    reference = torchvision.datasets.ImageFolder(folder)
    assert [Path(name).name for name, _ in named] == [Path(path).name for path, _ in reference.samples]
    for (_, picture), (other, _) in zip(named, reference, strict=True):
        assert picture.mode == "RGB" and np.array_equal(picture, other)
    labels, classes = images.folder_labels(entries)
    assert labels.tolist() == reference.targets and [Path(name).name for name in classes] == reference.classes


@pytest.mark.parametrize(("make", "read"), [(zipped, images.zip_pictures), (tar, images.tar_pictures)])
def test_a_zip_or_tar_of_images_is_what_imagefolder_reads(tmp_path, files, make, read):
    archive = make(tmp_path / f"set.{read.__name__[:3]}", files)
    shutil.unpack_archive(archive, tmp_path / "out", **(UNPACKED if make is tar else {}))
    assert_as_in_folder(read(archive, "train/*/*", 5), tmp_path / "out/set/train")
    assert [name for name, _ in read(archive, "*.JPEG", 1).named()] == ["set/train/a-b/1.JPEG"]
    with pytest.raises(DataError, match=r"set\....: it holds 5 images instead of 5153"):
        read(archive, "train/*/*", 5153)


@pytest.fixture
def imagenet(tmp_path) -> Path:
    return imagenet_train(tmp_path)


def test_imagenets_training_set_is_what_torchvision_reads_from_tars_and_folders(tmp_path, unchecked, imagenet):
    unchecked.imagenet.parse_train_archive(tmp_path)
    packed, unpacked = (images.imagenet_train(path, 9) for path in (imagenet, tmp_path / "train"))
    assert_as_in_folder(packed, tmp_path / "train")
    for (name, picture), (other, copy) in zip(packed.named(), unpacked.named(), strict=True):
        assert name == other and np.array_equal(picture, copy)
    for path in (imagenet, tmp_path / "train"):
        with pytest.raises(DataError, match="holds 9 images instead of 1281167"):
            images.imagenet_train(path, 1281167)


@pytest.mark.parametrize(("kept", "after"), [(0.3, "the start"), (0.6, "'n02.tar'"), (0.95, "'n01.tar'")])
def test_a_truncated_tar_of_tars_is_one_sentence(imagenet, kept, after):
    imagenet.write_bytes(imagenet.read_bytes()[: int(kept * 3 * 10240)])
    with pytest.raises(DataError, match=rf"img_train.tar: it is truncated or damaged after {after}; download it again"):
        images.imagenet_train(imagenet, 9)


@pytest.mark.parametrize("last", [False, True])
def test_an_inner_tar_without_its_end_is_not_continued_in_the_outer(tmp_path, last):
    """What follows in the file is the next inner tar, or the end marker of the outer one."""
    inner = tar(tmp_path / "inner", {"a.JPEG": bytes(512)}).read_bytes()
    cut = {f"n0{int(last)}.tar": inner[:1024]}
    archive = tar(tmp_path / "train.tar", {"n00.tar": inner} | cut if last else cut | {"n01.tar": inner})
    with pytest.raises(DataError, match=r"train.tar: it is truncated or damaged after 'a.JPEG'"):
        images.imagenet_train(archive, 2)


def test_a_tar_of_something_else_is_not_imagenets(tmp_path):
    archive = tar(tmp_path / "train.tar", {"n01.JPEG": encoded()})
    with pytest.raises(DataError, match=r"train.tar: member 'n01.JPEG' is not the tar of a class"):
        images.imagenet_train(archive, 1)


def test_the_devkits_labels_are_what_torchvision_reads(tmp_path, unchecked):
    archive = imagenet_devkit(tmp_path)
    unchecked.imagenet.parse_devkit_archive(tmp_path)
    classes, reference = torch.load(tmp_path / "meta.bin")
    labels, wnids = images.imagenet_devkit(archive, 4)
    assert [wnids[label] for label in labels] == reference and wnids == sorted(classes)
    with pytest.raises(DataError, match="holds 4 images instead of 50000"):
        images.imagenet_devkit(archive, 50000)


# --- faults of archives -----------------------------------------------------------------------------------------

READERS = [(zipped, images.zip_pictures), (tar, images.tar_pictures)]


@pytest.mark.parametrize("name", ["../evil.jpg", "a/../../evil.jpg", "/evil.jpg", "..\\evil.jpg", "C:\\evil.jpg"])
@pytest.mark.parametrize(("make", "read"), READERS)
def test_a_member_outside_the_archive_is_refused(tmp_path, make, read, name):
    archive = make(tmp_path / "set", {"a/1.jpg": encoded(), name: encoded()})
    with pytest.raises(DataError, match=r"set: member '.*evil.jpg' points outside the archive; download it again"):
        read(archive, "a/*", 1)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_a_link_or_device_in_a_tar_is_refused(tmp_path, kind):
    member = tarfile.TarInfo("a/2.jpg")
    member.type, member.linkname = kind, "/etc/passwd"
    with tarfile.open(tmp_path / "set.tar", "w") as file:
        file.addfile(member)
    with pytest.raises(DataError, match=r"set.tar: member 'a/2.jpg' is a link, a device"):
        images.tar_pictures(tmp_path / "set.tar", "*", 0)


def test_a_link_in_a_zip_is_refused(tmp_path):
    member = zipfile.ZipInfo("a/2.jpg")
    member.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as file:
        file.writestr(member, "/etc/passwd")
    with pytest.raises(DataError, match=r"set.zip: member 'a/2.jpg' is a link"):
        images.zip_pictures(tmp_path / "set.zip", "*", 1)


@pytest.mark.parametrize(
    ("bound", "what"), [("MAX_IMAGE", "member 'a/2.jpg' is too"), ("MAX_TOTAL", "up to 'a/2.jpg'")]
)
@pytest.mark.parametrize(("make", "read"), READERS)
def test_a_member_or_archive_beyond_the_bounds_is_refused(tmp_path, monkeypatch, make, read, bound, what):
    archive = make(tmp_path / "set", {"a/1.jpg": bytes(500), "a/2.jpg": bytes(5000)})
    monkeypatch.setattr(members, bound, 5000 - (bound == "MAX_IMAGE"))
    with pytest.raises(DataError, match=f"set: .*{what}"):
        read(archive, "*", 2)


def test_a_gz_that_unpacks_to_more_than_the_bound_is_refused(tmp_path, monkeypatch):
    archive = cifar(tmp_path / "cifar.tar.gz", 10)
    monkeypatch.setattr(members, "MAX_GZIP", 10000)
    with pytest.raises(DataError, match=r"cifar.tar.gz: it unpacks to more than 10000 bytes"):
        pickles.cifar_pickles(archive, "held_out", 3)


@pytest.mark.parametrize("kept", [0.02, 0.5, 0.999])
def test_a_truncated_archive_is_one_sentence(tmp_path, kept):
    contents = {f"a/{i}.jpg": encoded() for i in range(8)}
    mat = tmp_path / "svhn.mat"
    scipy.io.savemat(mat, {"X": pixels(32, 32, 3, 4), "y": np.ones((4, 1), np.uint8)}, do_compression=True)
    np.save(tmp_path / "set.npy", pixels(4, 32, 32, 3))
    (tmp_path / "idx.gz").write_bytes(gzip.compress(struct.pack(">HBBI", 0, 8, 1, 2000) + pixels(2000).tobytes()))
    readers = {
        cifar(tmp_path / "cifar.tar.gz", 10): lambda path: pickles.cifar_pickles(path, "train", 15),
        zipped(tmp_path / "set.zip", contents): lambda path: list(images.zip_pictures(path, "*", 8).named()),
        tar(tmp_path / "set.tar", contents): lambda path: list(images.tar_pictures(path, "*", 8).named()),
        mat: lambda path: arrays.svhn_mat(path, 4),
        tmp_path / "set.npy": lambda path: arrays.npy_images(path, 4),
        tmp_path / "idx.gz": arrays.read_idx,
    }
    for path, read in readers.items():
        read(path)
        content = path.read_bytes().rstrip(b"\0") if path.suffix == ".tar" else path.read_bytes()
        path.write_bytes(content[: int(len(content) * kept)])
        with pytest.raises(DataError, match=rf"{path.name}: .*; download it again"):
            read(path)
        path.unlink()
        with pytest.raises(DataError, match=rf"{path.name} is missing"):
            read(path)


def test_a_tar_cut_between_two_members_is_one_sentence(tmp_path):
    """It looks whole to tarfile."""
    archive = tar(tmp_path / "set.tar", {"a/1.jpg": bytes(512), "a/2.jpg": bytes(512)})
    archive.write_bytes(archive.read_bytes()[:1024])
    with tarfile.open(archive) as file:
        assert file.getnames() == ["a/1.jpg"]
    with pytest.raises(DataError, match=r"set.tar: it is truncated or damaged after 'a/1.jpg'"):
        images.tar_pictures(archive, "*", 1)


@pytest.mark.parametrize(
    "damage", [lambda jpeg: jpeg[: len(jpeg) // 2], lambda jpeg: b"<html>" + jpeg, lambda jpeg: b""]
)
@pytest.mark.parametrize(("make", "read"), READERS)
def test_a_corrupt_jpeg_in_the_middle_is_named(tmp_path, make, read, damage):
    contents = {f"a/{i}.jpg": encoded() for i in range(3)}
    archive = make(tmp_path / "set", contents | {"a/1.jpg": damage(contents["a/1.jpg"])})
    named = read(archive, "*", 3).named()
    assert next(named)[0] == "a/0.jpg"
    with pytest.raises(DataError, match=r"set: member 'a/1.jpg' cannot be read \(.*\); download it again"):
        next(named)


def test_a_header_cut_off_from_its_long_name_is_one_sentence(tmp_path):
    whole = tar(tmp_path / "cifar.tar", {"a.jpg": bytes(512), "long" * 60: b"1"}).read_bytes()
    (tmp_path / "cifar.tar.gz").write_bytes(gzip.compress(whole[:2048]))
    with pytest.raises(DataError, match=r"cifar.tar.gz: it is truncated or damaged after 'a.jpg'; download it again"):
        pickles.cifar_pickles(tmp_path / "cifar.tar.gz", "train", 1)


def test_a_flipped_bit_in_a_zip_is_one_sentence(tmp_path):
    archive = zipped(tmp_path / "set.zip", {"a/1.jpg": encoded()})
    content = bytearray(archive.read_bytes())
    content[len(content) // 2] ^= 1
    archive.write_bytes(content)
    with pytest.raises(DataError, match=r"set.zip: member 'a/1.jpg' cannot be read"):
        list(images.zip_pictures(archive, "*", 1).named())


# --- arrays -----------------------------------------------------------------------------------------------------


def test_svhn_is_what_torchvision_reads(tmp_path, unchecked):
    path = tmp_path / "test_32x32.mat"
    labels = np.array([[10], [1], [9], [10], [5]], np.uint8)
    scipy.io.savemat(path, {"X": pixels(32, 32, 3, 5), "y": labels}, do_compression=True)
    reference = unchecked.SVHN(tmp_path, "test")
    read, labels, classes = arrays.svhn_mat(path, 5)
    assert read.shape == (5, 32, 32, 3) and labels.tolist() == reference.labels.tolist()
    assert all(np.array_equal(image, picture) for image, (picture, _) in zip(read, reference, strict=True))
    assert [classes[label] for label in labels] == ["0", "1", "9", "0", "5"]
    with pytest.raises(DataError, match="holds 5 images instead of 26032"):
        arrays.svhn_mat(path, 26032)


@pytest.mark.parametrize(
    "contents",
    [
        {"X": pixels(32, 32, 3, 4)},
        {"X": pixels(32, 32, 3), "y": np.ones((3, 1), np.uint8)},
        {"X": pixels(32, 32, 3, 4), "y": np.ones((3, 1), np.uint8)},
        {"X": pixels(32, 32, 3, 4), "y": np.zeros((4, 1), np.uint8)},
        {"X": np.zeros((32, 32, 3, 4)), "y": np.ones((4, 1), np.uint8)},
    ],
)
def test_a_mat_of_another_form_is_one_sentence(tmp_path, contents):
    scipy.io.savemat(tmp_path / "svhn.mat", contents)
    with pytest.raises(DataError, match=r"svhn.mat: .*[Xy].*; download it again"):
        arrays.svhn_mat(tmp_path / "svhn.mat", 4)


def test_a_npy_is_mapped_and_never_unpickled(tmp_path):
    path = tmp_path / "300K.npy"
    content = pixels(3, 32, 32, 3)
    np.save(path, content)
    read = arrays.npy_images(path, 3)
    assert isinstance(read, np.memmap) and np.array_equal(read, content)
    with pytest.raises(DataError, match="holds 3 images instead of 300000"):
        arrays.npy_images(path, 300000)
    for other in (np.array([Payload(tmp_path / "owned")]), content[..., 0], content.astype(float)):
        np.save(path, other)
        with pytest.raises(DataError, match=r"300K.npy: its array cannot be read \(.*\); download it again"):
            arrays.npy_images(path, 3)
    assert not (tmp_path / "owned").exists()


def test_idx_is_what_torchvision_reads(tmp_path):
    content = struct.pack(">HBBIII", 0, 8, 3, 2, 28, 28) + pixels(2, 28, 28).tobytes()
    (tmp_path / "idx").write_bytes(content)
    (tmp_path / "idx.gz").write_bytes(gzip.compress(content))
    reference = torchvision.datasets.mnist.read_image_file(str(tmp_path / "idx"))
    assert np.array_equal(arrays.read_idx(tmp_path / "idx.gz"), reference)
    for damaged in (b"<html>" + content, content[:-1], content[:2], b"\0\0\x0d" + content[3:]):
        (tmp_path / "idx.gz").write_bytes(gzip.compress(damaged))
        with pytest.raises(DataError, match=r"idx.gz: its array cannot be read"):
            arrays.read_idx(tmp_path / "idx.gz")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> tuple[Path, bytes]:
    path = tmp_path_factory.mktemp("tiny") / "tiny_images.bin"
    path.write_bytes(pixels(40, 3072).tobytes())
    return path, path.read_bytes()


def test_tiny_images_lie_column_by_column(tiny):
    path, content = tiny
    read = arrays.tiny_images_bin(path, np.array([7, 39, 7]), np.array([], np.int64), 0, 40)
    assert read.shape == (3, 32, 32, 3) and np.array_equal(read[0], read[2])
    for image, number in zip(read, (7, 39), strict=False):
        for row, column, channel in ((0, 0, 0), (5, 0, 0), (0, 5, 0), (31, 2, 1), (3, 30, 2)):
            assert image[row, column, channel] == content[number * 3072 + channel * 1024 + column * 32 + row]


def test_excluded_tiny_images_give_way_to_uniform_ones(tiny):
    path, _ = tiny
    excluded = np.arange(3, 33)
    everything = arrays.tiny_images_bin(path, np.arange(40), np.array([], np.int64), 0, 40)
    number_of = {image.tobytes(): number for number, image in enumerate(everything)}
    stand_ins = []
    for seed in range(10):
        read = arrays.tiny_images_bin(path, np.arange(40), excluded, seed, 40)
        numbers = [number_of[image.tobytes()] for image in read]
        assert all(numbers[i] == i for i in range(40) if i not in excluded)
        stand_ins += [numbers[i] for i in excluded]
        halves = [arrays.tiny_images_bin(path, half, excluded, seed, 40) for half in np.split(np.arange(40), [15])]
        assert np.array_equal(read, np.concatenate(halves))
    kept = sorted(set(range(40)) - set(excluded))
    counts = np.bincount(stand_ins, minlength=40)
    assert counts.sum() == counts[kept].sum() == 300
    assert counts[kept].min() >= 10 and counts[kept].max() <= 60  # 30 each, within 5 standard deviations or so


def test_tiny_images_of_another_size_or_index_are_refused(tiny):
    path, _ = tiny
    none = np.array([], np.int64)
    with pytest.raises(DataError, match=r"tiny_images.bin: .*122880 bytes, not 41 records of 3072"):
        arrays.tiny_images_bin(path, none, none, 0, 41)
    for index in (-1, 40):
        with pytest.raises(ValueError, match="no image"):
            arrays.tiny_images_bin(path, np.array([index]), none, 0, 40)


def test_exclusion_lists_unite_from_their_own_first_numbers(tmp_path):
    from_one, from_zero = tmp_path / "80mn_cifar_idxs.txt", tmp_path / "00M"
    from_one.write_text("1\n8\n40\n")
    from_zero.write_text("7\n3\n")
    assert arrays.excluded_ids({from_one: 1, from_zero: 0}, 40).tolist() == [0, 3, 7, 39]
    for line, why in (("0", "indices -1 to -1, but there are 40"), ("41", "indices 40 to 40"), ("cat", "cat")):
        from_one.write_text(line)
        with pytest.raises(DataError, match=f"80mn_cifar_idxs.txt: its lines cannot be read .*{why}"):
            arrays.excluded_ids({from_one: 1}, 40)
    from_zero.write_text("\n".join(map(str, range(40))))
    with pytest.raises(DataError, match="exclude 40 of 40 images"):
        arrays.excluded_ids({from_zero: 0}, 40)


# --- resizing ---------------------------------------------------------------------------------------------------


def test_celebahq_and_afhq_are_halved_by_lanczos():
    picture = Image.fromarray(pixels(512, 512, 3))
    assert np.array_equal(transforms.lanczos(picture, 256), picture.resize((256, 256), Image.Resampling.LANCZOS))


@pytest.mark.parametrize("shape", [(300, 400), (341, 256), (256, 341), (700, 301), (513, 770), (200, 256)])
def test_lsun_is_what_torchvision_makes(shape):
    picture = Image.fromarray(pixels(*shape, 3))
    bicubic = theirs.InterpolationMode.BICUBIC
    reference = theirs.Compose([theirs.Resize(256, bicubic), theirs.CenterCrop(256)])(picture)
    assert np.array_equal(transforms.lsun(picture, 256), reference)


def test_no_width_loses_a_row_to_rounding():
    for side in [side for side in range(257, 1000) if int(side * (256 / side)) < 256][:5]:
        white = Image.new("RGB", (side, side), "white")
        assert transforms.lsun(white, 256).min() == 255


@pytest.mark.parametrize("size", [32, 256])
def test_imagenets_validation_is_what_torchvision_makes(size):
    picture = Image.fromarray(pixels(333, 500, 3))
    assert np.array_equal(transforms.squash(picture, size), theirs.Resize((size, size))(picture))


def test_places_are_averages_of_blocks():
    picture = pixels(256, 256, 3)
    blocks = picture.astype(float).reshape(32, 8, 32, 8, 3).mean(axis=(1, 3))
    assert np.abs(transforms.area(Image.fromarray(picture), 32) - blocks).max() <= 0.5 + 0.5  # rounded twice
