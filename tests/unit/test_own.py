"""Your own images: what is said of a folder, the scale that is written for it, and the set that is made of it."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import REPOSITORY, checkout
from PIL import Image

from atebm.config.load import load
from atebm.config.sets import Folder
from atebm.data import own_images as module
from atebm.data.content import Places, content_of
from atebm.data.folder import changed, difference, digest, found_in, image_files, pixels
from atebm.data.own_images import describe_scale, looked_at, said, write_scale
from atebm.pipeline.plan import Plan
from atebm.utils.errors import ConfigError, DataError

N = 120


def pictures(folder: Path, n: int = N, colour: bool = False, size: tuple[int, int] = (12, 12)) -> Path:
    """Image files that all differ, some of them in a folder below."""
    random = np.random.default_rng(len(str(folder)) + n)
    for number in range(n):
        path = folder / ("below" if number % 3 == 0 else "") / f"{number:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        shape = (size[1], size[0], 3) if colour else (size[1], size[0])
        Image.fromarray(random.integers(256, size=shape, dtype=np.uint8)).save(path)
    return folder


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """A checkout; each test has a scale of another name there."""
    return checkout(tmp_path_factory.mktemp("own"))


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    return pictures(tmp_path_factory.mktemp("photos"))


def sets(root: Path, scale: str) -> dict[str, dict[str, Any]]:
    """The settings of the sets that are read from folders."""
    config, _ = load(root, [f"scale={scale}"])
    return {name: spec.model_dump() for name, spec in config.sets.items() if isinstance(spec, Folder)}


# --- what is refused --------------------------------------------------------------------------------------------


def test_a_missing_folder_and_too_few_images_are_sentences(root, tmp_path):
    with pytest.raises(DataError, match=r"there is no folder .*cats: name one with at least 100"):
        looked_at(tmp_path / "cats", root)
    pictures(tmp_path / "few", 99)
    (tmp_path / "few/.hidden.png").write_bytes(b"of another program")
    (tmp_path / "few/notes.txt").write_text("no image")
    with pytest.raises(DataError, match="few has 99 image files, but at least 100 are needed"):
        looked_at(tmp_path / "few", root)


def test_files_that_cannot_be_read_are_named_and_nothing_is_written(root, tmp_path):
    folder = pictures(tmp_path / "some")
    whole = (folder / "001.png").read_bytes()
    (folder / "001.png").write_bytes(whole[: len(whole) // 2])
    (folder / "002.png").write_bytes(b"no image")
    Image.fromarray(np.zeros((8, 8), np.uint16)).save(folder / "004.png")
    with pytest.raises(DataError, match="3 of 120 images") as caught:
        write_scale(folder, "damaged", root)
    assert [name for name in ("001.png", "002.png", "004.png") if name not in str(caught.value)] == []
    assert "more than 8 bits" in str(caught.value)
    assert not (root / "workflow/scales/damaged.yaml").exists()


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("My cats", "use at most 40 lower-case letters"),
        ("../cats", "use at most 40 lower-case letters"),
        ("cifar10", "config.yaml has this name in sets"),
        ("demo", "there is a scale with this name that `atebm own` did not write"),
    ],
)
def test_names_that_cannot_be_or_are_taken(root, photos, name, sentence):
    before = sorted((root / "workflow/scales").iterdir())
    with pytest.raises(ConfigError, match=sentence):
        write_scale(photos, name, root, replace=True)
    assert sorted((root / "workflow/scales").iterdir()) == before


def test_a_scale_is_replaced_only_when_asked_to(root, photos, tmp_path):
    write_scale(photos, "twice", root, size=8)
    before = (root / "workflow/scales/twice.yaml").read_text()
    with pytest.raises(
        ConfigError, match=r"twice.yaml exists already: choose another name, or overwrite it with --replace"
    ):
        write_scale(pictures(tmp_path / "others", 130), "twice", root)
    assert (root / "workflow/scales/twice.yaml").read_text() == before
    write_scale(tmp_path / "others", "twice", root, replace=True)
    assert sets(root, "twice")["twice"]["files"] == 130


def test_sizes_that_the_network_does_not_take(root, photos):
    with pytest.raises(ConfigError, match="--size 20: choose one of 8, 16, 32, 64"):
        write_scale(photos, "odd", root, size=20)


@pytest.mark.parametrize("how", ["the same folder", "copies under other names", "a link"])
def test_p_0_that_is_p_data_is_refused(root, photos, tmp_path, how):
    p_0 = tmp_path / "p_0"
    if how == "a link":
        p_0.symlink_to(photos)
    elif how == "copies under other names":
        p_0.mkdir()
        for number, path in enumerate(photos.rglob("*.png")):
            shutil.copy(path, p_0 / f"other_{number}.png")
    else:
        p_0 = photos
    with pytest.raises(DataError, match="has the same images as"):
        write_scale(photos, "equal", root, p_0=p_0)
    assert not (root / "workflow/scales/equal.yaml").exists()


def test_copies_and_shared_images_are_said(root, photos, tmp_path):
    few = pictures(tmp_path / "few", 5)
    copied = tmp_path / "copied"
    copied.mkdir()
    for number in range(110):
        shutil.copy(sorted(few.rglob("*.png"))[number % 5], copied / f"{number:03}.png")
    said = "\n".join(write_scale(copied, "copied", root).warnings)
    assert "has 5 different images in 110 files" in said and "11 of 11 held-out images are copies" in said
    others = pictures(tmp_path / "others", 130)
    shutil.copy(photos / "001.png", others / "mine.png")
    assert "1 images are also in p_0" in "\n".join(write_scale(photos, "overlap", root, p_0=others).warnings)
    assert write_scale(photos, "clean", root).warnings == ()


def test_what_was_left_out_of_a_folder_is_said_and_in_the_json(root, tmp_path):
    folder = pictures(tmp_path / "photos")
    (folder / "x.heic").write_text("picture of a phone")
    (folder / "linked").symlink_to(tmp_path)
    transparent = np.zeros((9, 9, 4), np.uint8)
    transparent[..., 0] = 255  # red, below full transparency
    Image.fromarray(transparent).save(folder / "hidden.png")
    made = write_scale(folder, "left_out", root)
    text = "\n".join(said(made)["warnings"])
    assert "1 .heic" in text and "1 linked folders" in text and "1 image with transparent parts" in text
    assert made.channels == 1, "the red is seen by nobody"


def test_a_folder_whose_name_is_no_text_is_a_sentence(root, tmp_path):
    folder = pictures(tmp_path / os.fsdecode(b"caf\xe9"))
    with pytest.raises(DataError, match=r"caf\\xe9: the name is not UTF-8"):
        write_scale(folder, "no_text", root)


# --- what is written --------------------------------------------------------------------------------------------


def test_the_scale_is_about_these_images_alone(root, photos):
    """No artifact of the paper is drawn, and nothing of its scale is computed."""
    made = write_scale(photos, "alone", root)
    plan = Plan(made.config)
    assert plan.artifacts == {} and {step.name for step in plan.known.values() if step.kind == "train"} == {"alone"}
    assert {step.kind for step in plan.steps.values()} == {
        *("data", "extractor", "features", "train", "sample", "attack", "detection", "overview"),
    }
    said_now = said(made)
    assert said_now["picture"] == plan.overviews[0].files[0] and said_now["picture"].endswith("samples.png")
    assert (said_now["trained_on"], said_now["held_out"]) == (108, 12)
    text = "\n".join(describe_scale(said_now))
    assert "120 images grey: 120 of 12x12" in text and "--config scale=alone" in text
    json.dumps(said_now)


@pytest.mark.parametrize("colour", [False, True])
def test_colour_is_found_and_every_set_has_it(root, tmp_path, colour):
    """One picture in colour among grey ones is enough."""
    folder = pictures(tmp_path / "photos")
    if colour:
        Image.fromarray(np.full((9, 9, 3), (200, 10, 10), np.uint8)).save(folder / "below/000.png")
    name = "in_colour" if colour else "in_grey"
    config = write_scale(folder, name, root).config
    assert {config.channels_of(images) for images in config.tasks[name].sets} == {3 if colour else 1}
    assert len(config.runs[name].network.mean) == (3 if colour else 1)


def test_p_0_of_ones_own_is_dealt_to_three_sets(root, photos, tmp_path):
    others = pictures(tmp_path / "others", 203)
    config = write_scale(photos, "with_p0", root, p_0=others).config
    task = config.tasks["with_p0"]
    parts = [config.sets[name] for name in (task.p_0, task.validation_sources, task.sources)]
    assert {part.folder for part in parts} == {str(others)}
    dealt = [number for part in parts for number in range(part.skip, part.skip + part.n)]
    assert dealt == list(range(203))


def test_other_images_have_other_digests(root, photos, tmp_path):
    made = [
        write_scale(photos, "first", root),
        write_scale(pictures(tmp_path / "more", 121), "first", root, replace=True),
    ]
    first, second = ({step.id for step in Plan(own.config).steps.values()} for own in made)
    shared = {id.rsplit("-", 1)[0] for id in first & second}
    assert "first" not in shared and "photographs" in shared


def test_odd_names_of_folders_are_kept(root, tmp_path):
    folder = pictures(tmp_path / 'my "photos": {#1}\n\\ ü \N{CAT FACE} \u2028\x85')
    write_scale(folder, "odd_folder", root)
    assert sets(root, "odd_folder")["odd_folder"]["folder"] == str(folder)


# --- the set ----------------------------------------------------------------------------------------------------


def test_every_image_is_in_one_set_as_pillow_reads_it(root, photos):
    write_scale(photos, "read", root, size=8)
    found = {name: content_of(settings, Places()) for name, settings in sets(root, "read").items()}
    images = {name: np.concatenate(list(content.images(0, 1))) for name, content in found.items()}
    assert {name: content.n for name, content in found.items()} == {"read": 108, "read_held_out": 12}
    expected = []
    for path in photos.rglob("*.png"):
        with Image.open(path) as picture:
            expected.append(np.asarray(picture.resize((8, 8), Image.Resampling.BILINEAR))[..., None].tobytes())
    assert sorted(image.tobytes() for part in images.values() for image in part) == sorted(expected)
    rest = np.concatenate(list(found["read"].images(100, 1)))
    assert np.array_equal(rest, images["read"][100:]), "a step that was killed goes on"


def test_pictures_are_upright_and_of_the_wanted_colour(tmp_path):
    image = np.zeros((20, 10, 3), np.uint8)
    image[:10] = (255, 0, 0)
    turned = Image.fromarray(np.rot90(image, 1))
    exif = turned.getexif()
    exif[0x0112] = 6  # to be turned by 90 degrees, clockwise
    turned.save(tmp_path / "phone.png", exif=exif)
    shown = pixels(tmp_path / "phone.png", 3, 10)
    assert shown.shape == (10, 10, 3) and shown[0, 5].tolist() == [255, 0, 0] and shown[-1, 5].tolist() == [0, 0, 0]
    assert pixels(tmp_path / "phone.png", 1, 10).shape == (10, 10, 1)


@pytest.mark.parametrize("how", ["added", "removed", "other bytes"])
def test_a_changed_folder_is_a_sentence(root, tmp_path, how):
    folder = pictures(tmp_path / "photos")
    name = f"changed_{how[:3]}"
    settings = sets(root, (write_scale(folder, name, root).name))[name]
    config, _ = load(root, [f"scale={name}"])
    assert changed(config, root) == []
    if how == "added":
        Image.new("L", (9, 9)).save(folder / "new.png")
    elif how == "removed":
        (folder / "001.png").unlink()
    else:  # as many
        content = bytearray((folder / "001.png").read_bytes())
        content[-20] ^= 1
        (folder / "001.png").write_bytes(content)
    with pytest.raises(DataError, match="`atebm own` registered"):
        content_of(settings, Places())
    if how != "other bytes":  # which a plan, that reads no image, cannot see
        (sentence,) = changed(config, root)
        assert f"{found_in(folder).files} images" in sentence and "but had 120" in sentence and "--replace" in sentence


def test_a_folder_that_is_gone_stops_only_who_reads_it(root, tmp_path):
    folder = pictures(tmp_path / "photos")
    settings = sets(root, write_scale(folder, "gone", root).name)["gone"]
    folder.rename(tmp_path / "elsewhere")
    assert changed(load(root, ["scale=gone"])[0], root) == []
    with pytest.raises(DataError, match="photos is missing: put it back"):
        content_of(settings, Places())


def test_the_digest_sees_names_and_contents(tmp_path):
    folder = pictures(tmp_path / "photos", 3)
    before = digest(folder)
    (folder / "001.png").rename(folder / "009.png")
    renamed = digest(folder)
    (folder / "009.png").write_bytes((folder / "002.png").read_bytes())
    assert len({before, renamed, digest(folder)}) == 3
    assert [path.name for path in image_files(folder)] == ["002.png", "009.png", "000.png"]


def test_the_recipe_is_scale_demos(root, photos):
    """What is said to be cast of it."""
    demo, _ = load(REPOSITORY, ["scale=demo"])
    own = write_scale(photos, "cast", root, size=16).config
    theirs, ours = demo.runs["cifar10"], own.runs["cast"]
    for key in ("objective", "step_size", "eps", "r1", "average", "optimizer", "augment", "in_attack"):
        assert getattr(theirs, key) == getattr(ours, key), key
    assert theirs.schedule.K_max == ours.schedule.K_max
    assert ours.batch_size <= module.LEAST and difference(str(photos), found_in(photos), root) is None


@pytest.mark.parametrize("name", ["no", "yes", "on", "off", "true", "false", "null", "nan", "inf", "infinity"])
def test_a_name_that_YAML_or_Snakemake_reads_as_a_value_is_refused(tmp_path, name):
    """Before the folder is looked at: the scale file could not be loaded, or not be asked for."""
    with pytest.raises(ConfigError, match=rf"--name {name}: YAML and Snakemake read it as a value"):
        write_scale(tmp_path, name, REPOSITORY)


@pytest.mark.parametrize("name", ["1e3", "x" * 41, "../evil", "a-b"])
def test_a_name_is_of_letters_digits_and_underscores(tmp_path, name):
    with pytest.raises(ConfigError, match=r"use at most 40 lower-case letters, digits and _"):
        write_scale(tmp_path, name, REPOSITORY)
