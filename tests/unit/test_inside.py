"""Archives that no checksum is documented of: their members and pixels are looked at, and other forms are advised."""

import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from conftest import UNPACKED
from public_forms import afhq, celebahq, celebahq_stargan, celebamask_hq, church, file_of, places365, scene

from atebm.archives import catalogue
from atebm.archives.fetch import fetch
from atebm.archives.inside import wrong_inside
from atebm.config.sets import Archive
from atebm.data import archive_sets
from atebm.data.content import Content, Places
from atebm.data.writers import zipped
from atebm.utils.errors import DataError

RANDOM = np.random.default_rng(0)
MAKERS = {
    "data512x512.zip": celebahq,
    "CelebAMask-HQ.zip": celebamask_hq,
    "celeba_hq.zip": celebahq_stargan,
}


@pytest.fixture(scope="module")
def forms(tmp_path_factory) -> Path:
    """CelebA-HQ in its three archives, four faces each, and AFHQ."""
    folder = tmp_path_factory.mktemp("forms")
    for file, make in MAKERS.items():
        make(folder / file, RANDOM, 4)
    afhq(folder / "afhq.zip", RANDOM, 2, 1)
    return folder


@pytest.fixture(autouse=True)
def nothing_documented(monkeypatch):
    """Members and pixels alone tell: a miniature has other checksums than what it is a miniature of."""
    unknown = {"bytes": None, "md5": None, "sha256": None}
    known = tuple(source.model_copy(update=unknown) for source in catalogue.sources())
    monkeypatch.setattr(catalogue, "sources", lambda: known)


@pytest.mark.parametrize("file", [*MAKERS, "afhq.zip"])
def test_the_true_form_is_taken(forms, tmp_path, file):
    fetch(file, given=forms / file, folder=tmp_path)
    assert (tmp_path / file).exists()


@pytest.mark.parametrize("file", ["celeba_hq.zip", "CelebAMask-HQ.zip", "afhq.zip"])
def test_another_zip_under_celebahqs_name_is_told_what_it_is(forms, tmp_path, file):
    advice = rf"it has no members named data512x512/\*; it has .*It looks like {file}, .*atebm fetch {file} --from FILE"
    with pytest.raises(DataError, match=advice):
        fetch("data512x512.zip", given=forms / file, folder=tmp_path)
    assert not (tmp_path / "data512x512.zip").exists()


def test_faces_of_another_size_are_told_by_their_pixels(tmp_path):
    names = [f"data512x512/{i:05}.jpg" for i in range(5)]
    zipped(tmp_path / "own.zip", {name: file_of(scene(RANDOM, 256, 256)) for name in names})
    with pytest.raises(
        DataError, match=r"data512x512/00000.jpg in it is not an image of 512x512 pixels, but of 256x256"
    ):
        fetch("data512x512.zip", given=tmp_path / "own.zip", folder=tmp_path / "archives")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"no zip", "it is not a zip"),
        ({}, "it has no members named a/\\*; it has nothing"),
        ({"a/1.jpg": b"?"}, "not an image of 8x8"),
    ],
)
def test_what_is_no_zip_or_holds_nothing_is_told(tmp_path, content, said):
    path = tmp_path / "a.zip"
    path.write_bytes(content) if isinstance(content, bytes) else zipped(path, content)
    assert said.replace("\\", "") in (wrong_inside(path, ("a/*",), 8) or "")


def test_a_hostile_zip_is_told_by_its_fault(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr("../a/1.jpg", b"")
    assert "points outside the archive" in (wrong_inside(tmp_path / "a.zip", ("a/*",), 8) or "")


# --- unpacked ---------------------------------------------------------------------------------------------------------


def content(folder: Path, archive: str, count: int, split: str = "train", size: int = 256) -> Content:
    settings = {"reader": "archive", "archive": archive, "split": split, "size": size, "count": count}
    return archive_sets.content(Archive(**settings), Places(folder, scratch=folder))


def images(found: Content) -> np.ndarray:
    return np.concatenate(list(found.images(0, 1)))


@pytest.mark.parametrize(
    ("archive", "file", "count"),
    [
        ("celebahq", "data512x512.zip", 4),
        ("celebamask_hq", "CelebAMask-HQ.zip", 4),
        ("celebahq_stargan", "celeba_hq.zip", 4),
        ("afhq_v1_cat", "afhq.zip", 2),
    ],
)
def test_a_zip_and_its_folder_are_the_same_set(forms, tmp_path, archive, file, count):
    packed = content(forms, archive, count)
    shutil.unpack_archive(forms / file, tmp_path)
    unpacked = content(tmp_path, archive, count)
    assert np.array_equal(images(packed), images(unpacked)) and packed.labels()[0].tolist() == [*unpacked.labels()[0]]
    assert not packed.unverified and set(packed.archives) == {file}
    folder = file.removesuffix(".zip")
    assert unpacked.unverified.startswith(f"{folder} is a folder: its images were counted") and not unpacked.archives
    with pytest.raises(DataError, match=f"it holds {count} images instead of 30"):
        content(tmp_path, archive, 30)


def test_a_tar_and_its_folder_are_the_same_set(tmp_path):
    places365(tmp_path, RANDOM, 6, 2)
    packed = content(tmp_path, "places365_small", 6, size=32)
    expected = images(packed)
    shutil.unpack_archive(tmp_path / "train_256_places365standard.tar", tmp_path / "out", **UNPACKED)
    (tmp_path / "train_256_places365standard").symlink_to(tmp_path / "out/data_256")
    unpacked = content(tmp_path, "places365_small", 6, size=32)
    assert np.array_equal(images(unpacked), expected) and "unverified" not in packed.unverified
    assert unpacked.labels()[1] == ["a/airfield", "a/apartment_building/outdoor", "y/youth_hostel"]


@pytest.mark.parametrize("exported", [False, True])
def test_churches_unpacked_or_exported_are_the_same_set(tmp_path, exported):
    files = church(tmp_path / "church_outdoor_val_lmdb.zip", RANDOM, 5)
    packed = images(content(tmp_path, "lsun_church", 5, "held_out"))
    folder = tmp_path / "church_outdoor_val_lmdb"
    if exported:  # as LSUN's data.py: a folder for each of the first digits
        for key, data in files.items():
            path = folder / "/".join(key[:6]) / f"{key}.webp"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    else:
        shutil.unpack_archive(tmp_path / "church_outdoor_val_lmdb.zip", tmp_path)
    found = content(tmp_path, "lsun_church", 5, "held_out")
    assert np.array_equal(images(found), packed) and "church_outdoor_val_lmdb is a folder" in found.unverified


def test_a_folder_of_other_faces_is_refused(forms, tmp_path):
    shutil.unpack_archive(forms / "celeba_hq.zip", tmp_path)
    (tmp_path / "data512x512").symlink_to(tmp_path / "celeba_hq")
    with pytest.raises(DataError, match=r"data512x512: .* has 256x256 pixels instead of 512x512"):
        content(tmp_path, "celebahq", 4)
