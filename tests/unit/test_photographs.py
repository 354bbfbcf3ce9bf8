"""The embedded photographs: a complete table, files that are what it says, and no scene twice."""

import csv
import re
import shutil
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from conftest import REPOSITORY, made
from numpy.typing import NDArray
from PIL import Image, ImageOps
from scipy.fft import dctn

from atebm.data.embedded import load_photograph
from atebm.maintenance.docs import PHOTOGRAPHS, attributions
from atebm.utils.errors import DataError
from atebm.utils.files import markers
from atebm.utils.hashing import sha256

FOLDER = REPOSITORY / "data/embedded"
INDEX = FOLDER / "photographs.csv"
LICENCES = {
    "CC BY 4.0": "https://creativecommons.org/licenses/by/4.0/",
    "CC BY-SA 3.0": "https://creativecommons.org/licenses/by-sa/3.0/",
    "CC BY-SA 4.0": "https://creativecommons.org/licenses/by-sa/4.0/",
    "CC0 1.0": "https://creativecommons.org/publicdomain/zero/1.0/",
}
UNLIKE = 16  # bits of 63, in which two photographs differ at least
CROPS = {"n": 20, "seed": 0, "size": 16, "crop_min": 48, "crop_max": 300, "min_std": 16}


def rows_of(index: Path) -> list[dict[str, str]]:
    with index.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


ROWS = rows_of(INDEX)
EMBEDDED = [row for row in ROWS if not row["package"]]
by_name = pytest.mark.parametrize("row", EMBEDDED, ids=[row["name"] for row in EMBEDDED])


def test_each_name_is_there_once_and_has_a_licence():
    names = [row["name"] for row in ROWS]
    assert len(set(names)) == len(names)
    assert all(row["licence"] and row["distribution"] and row["version"] and row["file"] for row in ROWS)


def test_each_embedded_file_has_its_row_and_each_row_its_file():
    here = {str(path.relative_to(FOLDER)) for path in (FOLDER / "photographs").iterdir()}
    assert here == {row["file"] for row in EMBEDDED} | {"photographs/README.md"}


def test_the_embedded_files_are_small():
    sizes = [(FOLDER / row["file"]).stat().st_size for row in EMBEDDED]
    assert sizes and sum(sizes) <= 3e6 and max(sizes) <= 200e3


@by_name
def test_a_row_is_complete_and_its_file_says_the_same(row):
    assert not [key for key, value in row.items() if key != "package" and not value.strip()]
    assert LICENCES[row["licence"]] == row["licence_url"]
    path = FOLDER / row["file"]
    assert sha256(path) == row["sha256"]
    with Image.open(path) as picture:
        assert picture.mode == "RGB" and max(picture.size) == 640
        assert min(picture.size) >= 300, "crop_max of scale demo"
        assert f"scaled down to {picture.width}x{picture.height};" in row["changes"]
        said = '"{title}" by {author}, {year}, {licence}, {licence_url}; scaled down'.format(**row)
        assert picture.info["comment"].decode() == said
        assert not picture.getexif() and not {"exif", "icc_profile", "xmp"} & set(picture.info)
        original = [int(length) for length in row["original_size"].split("x")]
        small = [640 * length / max(original) for length in original]
        assert np.abs(np.subtract(small, picture.size)).max() <= 0.5


def test_the_readme_attributes_each_file():
    text = (REPOSITORY / PHOTOGRAPHS).read_text(encoding="utf-8")
    begin, end = markers("photographs")
    assert f"{begin}\n{attributions(INDEX)}\n{end}" in text, "run: make docs"
    for row in EMBEDDED:
        (line,) = (line for line in text.splitlines() if f"]({Path(row['file']).name})" in line)
        keys = ("title", "author", "year", "licence", "licence_url", "original", "distribution", "version", "changes")
        assert all(row[key] in line for key in keys)
    assert f"These {len(EMBEDDED)} photographs" in text and "Apache-2.0" in text and "same\nCC BY-SA version" in text


# --- the reader -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("reader", "channels"), [("photographs", 1), ("colour_photographs", 3)])
def test_embedded_photographs_are_read_beside_those_of_packages(reader, channels):
    settings = {**CROPS, "reader": reader, "photographs": ("astronaut", "fig")}
    images, labels, names = made(settings)
    assert images.shape == (20, 16, 16, channels) and names == ["astronaut", "fig"] and set(labels) == {0, 1}
    if channels == 3:
        red, green = images[labels == 1][..., 0].mean(), images[labels == 1][..., 1].mean()
        assert red > 1.2 * green, "the bowl is red"


@pytest.fixture
def embedded(tmp_path):
    """A copy of data/embedded that a test may damage."""
    return shutil.copytree(FOLDER, tmp_path / "embedded")


def test_an_altered_or_missing_photograph_is_one_sentence(embedded):
    settings = {**CROPS, "reader": "photographs", "photographs": ("fig",)}
    path = embedded / "photographs/fig.jpg"
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.write_bytes(content)
    remedy = r": restore it with 'git checkout -- photographs/fig\.jpg' in data/embedded\.$"
    with pytest.raises(DataError, match=rf"^\S+fig\.jpg is damaged \(.*\){remedy}"):
        made(settings, embedded)
    path.unlink()
    with pytest.raises(DataError, match=rf"^\S+fig\.jpg is missing{remedy}"):
        made(settings, embedded)


# --- no scene twice ---------------------------------------------------------------------------------------------------


def hash_of(picture: Image.Image) -> NDArray[np.bool_]:
    """Perceptual hash: which of the 63 lowest frequencies of a 32x32 version, but its mean, are above their median."""
    small = np.asarray(picture.convert("L").resize((32, 32), Image.Resampling.BOX), float)
    lowest = dctn(small, norm="ortho")[:8, :8].ravel()[1:]
    return lowest > np.median(lowest)


def alike(pictures: dict[str, Image.Image], bits: int) -> Iterator[tuple[str, str]]:
    """Pairs whose hashes, as they are or with one mirrored, differ in fewer than `bits` of 63."""
    hashes = {name: (hash_of(picture), hash_of(ImageOps.mirror(picture))) for name, picture in pictures.items()}
    for (one, (plain, _)), (other, both) in combinations(hashes.items(), 2):
        if min(np.count_nonzero(plain != hash) for hash in both) < bits:
            yield one, other


@pytest.fixture(scope="module")
def pictures() -> dict[str, Image.Image]:
    return {row["name"]: load_photograph(INDEX, row["name"]) for row in ROWS}


def test_no_two_photographs_show_the_same_scene(pictures):
    assert list(alike(pictures, UNLIKE)) == []


@pytest.mark.parametrize("name", [row["name"] for row in ROWS])
def test_a_copy_would_be_found(pictures, name):
    """Even if it is mirrored, smaller, brighter, and without a margin of 1 percent a side."""
    picture = pictures[name]
    right, low = picture.size
    copy = picture.crop((int(0.01 * right), int(0.01 * low), int(0.99 * right), int(0.99 * low)))
    copy = ImageOps.mirror(copy.resize((300, 200))).point(lambda grey: min(grey + 20, 255))
    assert list(alike({name: picture, "copy": copy}, UNLIKE)) == [(name, "copy")]


def test_the_readme_says_how_unlike_they_are(pictures):
    text = (REPOSITORY / PHOTOGRAPHS).read_text(encoding="utf-8")
    (least,) = map(int, re.findall(r"differ in at least (\d+) bits", text))
    assert list(alike(pictures, least)) == [] and list(alike(pictures, least + 1)) != []
    assert f"two of the {len(ROWS)} files; a test demands {UNLIKE}" in text
