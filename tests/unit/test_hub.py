"""Data sets of the Hugging Face Hub: fetched from one on 127.0.0.1, read out of shards as `datasets` writes them."""

import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import planned, typed
from hub_server import Hub, hub_of
from PIL import Image
from public_forms import file_of, scene, shard
from pydantic import ValidationError

from atebm.archives import fetch as fetching
from atebm.archives import hub
from atebm.archives.catalogue import find
from atebm.archives.fetch import fetch
from atebm.config.sets import Parquet
from atebm.data import hub_sets
from atebm.data.content import Content, Places
from atebm.utils.errors import DataError
from atebm.utils.hub import hub_of as named

REPOSITORY, REVISION = "some-one/faces.256", "0123456789abcdef0123456789abcdef01234567"
LISTING = f"some-one--faces.256--{REVISION}.json"
NAMES = ("female", "male")
SHARDS = {"data/train-00000-of-00002": 5, "data/train-00001-of-00002": 2, "data/validation-00000-of-00001": 3}


@pytest.fixture
def pictures() -> list[Image.Image]:
    random = np.random.default_rng(0)
    return [scene(random, 48, 48) for _ in range(sum(SHARDS.values()))]


@pytest.fixture
def repository(tmp_path, pictures) -> Path:
    """What the Hub has."""
    rest = iter(range(len(pictures)))
    for name, n in SHARDS.items():
        numbers = [next(rest) for _ in range(n)]
        images = [file_of(pictures[i], "PNG") for i in numbers]
        shard(tmp_path / f"repository/{name}.parquet", images, [i % 2 for i in numbers], NAMES)
    return tmp_path / "repository"


@pytest.fixture
def running(repository, monkeypatch) -> Iterator[Hub]:
    monkeypatch.setattr(fetching, "BACKOFF", 0.001)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with hub_of(repository, REPOSITORY, REVISION) as server:
        yield server


def settings(**changes: object) -> Parquet:
    usual = {"reader": "parquet", "repository": REPOSITORY, "revision": REVISION, "size": 48, "resize": "lanczos"}
    return Parquet(**{**usual, "count": 10, **changes})


def content(folder: Path, **changes: object) -> Content:
    return hub_sets.content(settings(**changes), Places(folder, scratch=folder))


def images(found: Content, start: int = 0) -> np.ndarray:
    return np.concatenate(list(found.images(start, 1)))


# --- fetching ---------------------------------------------------------------------------------------------------------


def test_shards_are_fetched_verified_and_listed(running, repository, tmp_path, capsys):
    fetch(f"{REPOSITORY}@{REVISION}", url=running.url, folder=tmp_path / "archives")
    for name in SHARDS:
        there = tmp_path / "archives" / LISTING.removesuffix(".json") / f"{name}.parquet"
        assert there.read_bytes() == (repository / f"{name}.parquet").read_bytes()
    told = json.loads((tmp_path / "archives" / LISTING).read_text())
    assert told["verified"] and {path.removesuffix(".parquet") for path in told["shards"]} == set(SHARDS)
    assert "3 shards; each sha256 as stated by the Hub" in capsys.readouterr().out
    asked = len(running.asked)
    fetch(LISTING, folder=tmp_path / "archives")  # by the name that a rule has
    assert len(running.asked) == asked, "what is here was asked for again"


def test_a_shard_that_is_not_what_the_hub_states_is_refused(running, tmp_path, monkeypatch):
    honest = Hub.tree

    def other(self: Hub) -> list:
        return [entry | {"lfs": {"oid": "a" * 64}} if "lfs" in entry else entry for entry in honest(self)]

    monkeypatch.setattr(Hub, "tree", other)
    with pytest.raises(DataError, match=r"its sha256 is \w{64}, not a{64}"):
        fetch(LISTING, url=running.url, folder=tmp_path / "archives")
    assert not (tmp_path / "archives" / LISTING).exists()
    assert not list((tmp_path / "archives").rglob("*.parquet"))


def test_a_name_without_a_revision_is_answered_with_the_newest(running, tmp_path):
    with pytest.raises(DataError, match=rf"such as the newest one, {REVISION}. .* reader: parquet"):
        fetch(REPOSITORY, url=running.url, folder=tmp_path)


def test_a_data_set_that_is_not_there_is_one_sentence(running, tmp_path):
    with pytest.raises(DataError, match=r"can't be read: the Hub does not have it, or only for users who log in"):
        fetch(f"no/body@{REVISION}", url=running.url, folder=tmp_path)


def test_paths_that_lead_out_of_the_folder_are_refused():
    told = [{"type": "file", "path": "../x.parquet", "size": 1, "lfs": {"oid": "a" * 64}}]
    with pytest.raises(DataError, match="points outside the archive"):
        hub.shards_told(told, LISTING)
    for answer in ([], [{"type": "file", "path": "README.md", "size": 1}]):
        with pytest.raises(DataError, match=r"there are no \.parquet files"):
            hub.shards_told(answer, LISTING)
    with pytest.raises(DataError, match="cannot be understood"):  # small files have no sha256 there
        hub.shards_told([{"type": "file", "path": "x.parquet", "size": 1}], LISTING)


def test_shards_of_a_folder_are_taken_and_nobody_vouches_for_them(repository, tmp_path):
    fetch(LISTING, given=repository, folder=tmp_path / "archives")
    found = content(tmp_path / "archives")
    assert "were not verified" in found.unverified and len(images(found)) == 10


# --- names and configuration ------------------------------------------------------------------------------------------


def test_a_list_is_known_by_its_name():
    assert settings().listing == LISTING and named(LISTING) == (REPOSITORY, REVISION)
    assert named("data512x512.zip") is None and named("a--b--1.json") is None
    (source,) = find(LISTING)
    assert source.access == "open" and REPOSITORY in source.terms


def test_celebahq_of_the_hub_is_a_documented_archive_that_its_set_names():
    spec = typed("paper").sets["celebahq256_hub"]
    (source,) = find("celebahq_hub")
    assert source.file == spec.listing and spec.pixels == spec.size == 256


@pytest.mark.parametrize("route", ["mask", "stargan", "hub"])
def test_one_key_chooses_where_celebahq_comes_from(route):
    usual, chosen = planned("paper"), planned("paper", sets={"celebahq256": {"like": f"celebahq256_{route}"}})
    theirs = chosen.config.sets[f"celebahq256_{route}"]
    assert chosen.config.sets["celebahq256"] == theirs and theirs.title != usual.config.sets["celebahq256"].title
    step = chosen.train("celebahq256", 0).parents["p_data"]
    assert step.settings == theirs.model_dump() and step.id != usual.train("celebahq256", 0).parents["p_data"].id
    assert chosen.data("afhqcat256").id == usual.data("afhqcat256").id


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"revision": "main"}, "revision"),
        ({"repository": "faces"}, "repository"),
        ({"only": ("cat",)}, "is missing: kinds and only"),
        ({"kinds": 2}, "is missing: kinds and only"),
    ],
)
def test_settings_that_pin_nothing_or_contradict_are_refused(changes, sentence):
    with pytest.raises(ValidationError, match=sentence):
        settings(**changes)


# --- reading ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def fetched(repository, tmp_path) -> Path:
    fetch(LISTING, given=repository, folder=tmp_path / "archives")
    return tmp_path / "archives"


def test_rows_are_read_in_the_order_of_shards(fetched, pictures):
    found = content(fetched, label="label", kinds=2, pixels=48)
    assert np.array_equal(images(found), [np.asarray(picture) for picture in pictures])
    assert np.array_equal(images(found, 7), [np.asarray(picture) for picture in pictures[7:]])
    labels, classes = found.labels()
    assert labels.tolist() == [i % 2 for i in range(10)] and classes == list(NAMES)
    assert set(found.archives) == {f"{name}.parquet" for name in SHARDS}
    assert all(len(known["sha256"]) == 64 for known in found.archives.values())


def test_some_shards_and_some_labels_are_read(fetched, pictures):
    found = content(fetched, files="train-*.parquet", label="label", kinds=2, only=("male",), count=3)
    assert np.array_equal(images(found), [np.asarray(pictures[i]) for i in (1, 3, 5)])
    assert found.labels()[0].tolist() == [1, 1, 1] and len(found.archives) == 2


def test_images_are_resized_as_told(fetched, pictures):
    for name, how in (("area", Image.Resampling.BOX), ("bilinear", Image.Resampling.BILINEAR)):
        expected = [np.asarray(picture.resize((16, 16), how)) for picture in pictures]
        assert np.array_equal(images(content(fetched, size=16, resize=name)), expected)


def test_the_bytes_are_the_same_from_several_processes(tmp_path):
    random = np.random.default_rng(1)
    files = [file_of(scene(random, 16, 16), "PNG") for _ in range(70)]
    shard(tmp_path / "from/a.parquet", files)
    fetch(LISTING, given=tmp_path / "from", folder=tmp_path)
    found = content(tmp_path, count=70, size=16)
    expected = [np.asarray(Image.open(io.BytesIO(data))) for data in files]
    assert np.array_equal(np.concatenate(list(found.images(0, 2))), expected)


def test_a_column_of_bytes_alone_is_read_too(tmp_path, pictures):
    files = [file_of(picture, "WEBP") for picture in pictures[:2]]
    (tmp_path / "from").mkdir()
    pq.write_table(pa.table({"n": [1, 2], "jpg": pa.array(files, pa.large_binary())}), tmp_path / "from/a.parquet")
    fetch(LISTING, given=tmp_path / "from", folder=tmp_path)
    assert len(images(content(tmp_path, count=2))) == 2
    with pytest.raises(DataError, match=r"it has columns n, jpg; columns of images: jpg"):
        content(tmp_path, count=2, image="image")
    with pytest.raises(DataError, match=r"does not name the labels of column 'n'"):
        content(tmp_path, count=2, label="n")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"count": 11}, "it holds 10 images instead of 11"),
        ({"files": "test-*.parquet"}, "no shard is named test-.*; there are: data/train-00000-of-00002.parquet"),
        ({"label": "label", "kinds": 3}, "column label has 2 different labels, not 3"),
        ({"label": "label", "kinds": 2, "only": ("cat",)}, "there is no label 'cat'; it has: female, male"),
    ],
)
def test_what_is_not_as_told_is_one_sentence(fetched, changes, sentence):
    with pytest.raises(DataError, match=sentence):
        content(fetched, **changes)


def test_an_image_of_another_side_is_refused(fetched):
    with pytest.raises(DataError, match="an image has 48x48 pixels instead of 64x64"):
        images(content(fetched, pixels=64))


@pytest.mark.parametrize("damage", ["missing", "altered", "no parquet", "no list"])
def test_damage_is_one_sentence(fetched, damage):
    path = fetched / LISTING.removesuffix(".json") / "data/train-00000-of-00002.parquet"
    data = path.read_bytes()
    path.unlink()  # a link to the test's own
    if damage == "altered":
        path.write_bytes(data[:-9] + bytes([data[-9] ^ 1]) + data[-8:])
    if damage == "no list":
        (fetched / LISTING).write_text("{}")
    if damage == "no parquet":
        path.write_bytes(b"PAR1" + bytes(100))
        (fetched / LISTING).unlink()
        path.rename(path.parent.parent / "a.parquet")
        fetch(LISTING, given=path.parent.parent, folder=fetched / "again")
        with pytest.raises(DataError, match=r"a\.parquet: its footer cannot be read"):
            content(fetched / "again")
        return
    sentence = {"missing": "is missing. Remove", "altered": "its sha256 is", "no list": "is not a list of shards"}[
        damage
    ]
    with pytest.raises(DataError, match=sentence):
        content(fetched)


def test_names_of_files_without_the_files_are_refused(tmp_path):
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    (tmp_path / "from").mkdir()
    rows = pa.array([{"bytes": None, "path": "/a.png"}], kind)
    pq.write_table(pa.table({"image": rows}), tmp_path / "from/a.parquet")
    fetch(LISTING, given=tmp_path / "from", folder=tmp_path)
    with pytest.raises(DataError, match=r"row 0 cannot be read \(it has only the name of an image file, not its bytes"):
        images(content(tmp_path, count=1))
