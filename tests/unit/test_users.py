"""What users' images, names, folders and numbers do to `atebm score`, `atebm apply` and to the Python API."""

import json
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import run
from PIL import Image
from users import RUN, SIDE, Finished, called, image, pretend

from atebm.cli.fork_server import SERVER
from atebm.data.pictures import FRAMES, TRANSPARENT, TURNED, Notes, open_picture, pixels
from atebm.data.readers.bitmaps import FORMATS, SUFFIXES
from atebm.data.walk import walk
from atebm.inference import model as api
from atebm.inference.outputs import SHEET, labels
from atebm.utils.bounds import positive_number, whole_number
from atebm.utils.errors import DataError, shown


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    return pretend(tmp_path_factory.mktemp("users"))


@pytest.fixture
def atebm(root, monkeypatch, capsys) -> Callable[..., Finished]:
    """`atebm` in that checkout."""
    monkeypatch.chdir(root)
    return partial(called, capsys, monkeypatch)


def files_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*")) if folder.exists() else []


# --- names of what is made ----------------------------------------------------------------------------------------


def test_images_of_one_name_in_two_folders_are_all_written(atebm, tmp_path):
    for folder in "AB":
        for number in range(2):
            image(tmp_path / folder / f"IMG_{number:04}.jpg", seed=number + ord(folder))
    made = atebm("apply", "sample", tmp_path / "A", tmp_path / "B", "--run", RUN, "--steps", 1, "-o", tmp_path / "OUT")
    assert made.code == 0 and "4 files written, after 1 step; mean energy" in made.out, made
    expected = [f"{folder}_IMG_000{number}.png" for folder in "AB" for number in range(2)]
    assert files_in(tmp_path / "OUT") == [*expected, SHEET]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["a.png", "b.png"], ["a", "b"]),
        (["a.png", "a.jpg"], ["a.png", "a.jpg"]),
        (["x/a.png", "y/a.png", "y/b.png"], ["x_a", "y_a", "b"]),
        (["x/a.png", "y/A.PNG"], ["x_a", "y_A"]),  # one file on a disk that ignores case
        (["1/x/a.png", "2/x/a.png"], ["1_x_a", "2_x_a"]),
        (["x/a.png", "x/a.jpg", "y/a.png"], ["x_a.png", "x_a.jpg", "y_a.png"]),
        (["a.png", "./a.png", "x/../a.png"], ["a", "a", "a"]),  # one image
        (["/a.png", "/x/a.png"], ["a", "x_a"]),
    ],
)
def test_labels_tell_files_apart(names, expected):
    assert labels([Path(name) for name in names]) == expected


@pytest.mark.parametrize(
    ("verb", "names"),
    [
        ("sample", ["a.png", "a.png"]),
        ("sample", ["a.png", "A.PNG"]),
        ("sample", ["x_a.png", "x/a.png", "y/a.png"]),
        ("trajectory", ["a.png", "./a.png"]),
        ("interpolate", ["a.png", "b.png", "a.png", "b.png"]),
    ],
)
def test_what_would_be_written_twice_is_refused_before_the_work(atebm, tmp_path, verb, names, monkeypatch):
    monkeypatch.setattr("atebm.inference.apply.climb", lambda *_: pytest.fail("work"))
    paths = [image(tmp_path / name) for name in names]
    made = atebm("apply", verb, *paths, "--run", RUN, "--steps", 1, "-o", tmp_path / "OUT")
    assert made.code == 1 and "would be written twice" in made.err and made.err.count("\n") == 1, made
    assert not (tmp_path / "OUT").exists()


def test_a_trajectory_is_refused_where_one_of_its_steps_is_there(atebm, tmp_path, monkeypatch):
    monkeypatch.setattr("atebm.inference.apply.climb", lambda *_: pytest.fail("work"))
    image(tmp_path / "OUT/a_002.png")
    options = ("--run", RUN, "-o", tmp_path / "OUT")
    assert "a_002.png exists" in atebm("apply", "trajectory", image(tmp_path / "a.png"), "--steps", 2, *options).err


def test_the_count_is_of_what_was_written(atebm, tmp_path):
    options = ("--run", RUN, "--steps", 2, "-o", tmp_path / "OUT")
    made = atebm("apply", "trajectory", image(tmp_path / "a.png"), image(tmp_path / "b.png"), *options)
    assert made.code == 0 and f"{len(files_in(tmp_path / 'OUT')) - 1} files written" in made.out
    expected = [name for end in "ab" for name in (f"{end}.gif", *(f"{end}_00{step}.png" for step in range(3)))]
    assert files_in(tmp_path / "OUT") == sorted([*expected, SHEET])


@pytest.mark.parametrize("out", ["file", "file/below", "o" * 300, "dangling"])
def test_a_folder_that_cannot_be_is_refused_before_the_work(atebm, tmp_path, out, monkeypatch):
    monkeypatch.setattr("atebm.inference.apply.climb", lambda *_: pytest.fail("work"))
    (tmp_path / "file").write_text("mine")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    made = atebm("apply", "sample", image(tmp_path / "a.png"), "--run", RUN, "-o", tmp_path / out)
    assert made.code == 1 and made.err.startswith("error: ") and made.err.count("\n") == 1, made
    assert (tmp_path / "file").read_text() == "mine"


def test_a_name_that_is_too_long_with_what_is_added_is_refused_before_the_work(atebm, tmp_path, monkeypatch):
    long, shorter = image(tmp_path / f"{'n' * 246}.png"), image(tmp_path / f"{'m' * 235}.png")
    options = ("--run", RUN, "--steps", 1, "-o", tmp_path / "OUT")
    assert atebm("apply", "sample", shorter, *options).code == 0
    monkeypatch.setattr("atebm.inference.apply.climb", lambda *_: pytest.fail("work"))
    made = atebm("apply", "sample", long, *options)
    assert made.code == 1 and "the name has" in made.err and "rename the image" in made.err


STRANGE = [b"caf\xe9.png", b"a\tb.png", b"a\nb.png", b"a\\tb.png", b"\x1b[31mred.png", "\u2028.png".encode()]


def test_strange_names_are_one_line_each_and_made_of_as_they_are(atebm, tmp_path):
    paths = [image(tmp_path / os.fsdecode(name), seed) for seed, name in enumerate(STRANGE)]
    table = atebm("score", *paths, "--run", RUN)
    rows = [line.split("\t") for line in table.out.splitlines()]
    assert table.code == 0 and [len(row) for row in rows] == [4] * (1 + len(STRANGE)), table
    assert len({row[3] for row in rows}) == 1 + len(STRANGE) and "\x1b" not in table.out
    assert (
        rows[1][3].endswith(r"caf\xe9.png") and rows[2][3].endswith(r"a\tb.png") and rows[4][3].endswith(r"a\\tb.png")
    )
    facts = json.loads(atebm("score", *paths, "--run", RUN, "--json").out)
    assert [Path(row["image"]) for row in facts] == paths
    made = atebm("apply", "sample", *paths, "--run", RUN, "--steps", 1, "-o", tmp_path / "OUT")
    assert made.code == 0 and sorted(os.fsencode(path.name) for path in (tmp_path / "OUT").iterdir()) == sorted(
        [*STRANGE, SHEET.encode()]
    )


@pytest.mark.parametrize("server", [True, False], ids=["served", "alone"])
def test_a_terminal_without_the_letters_of_a_name_shows_them_escaped(root, tmp_path, server, monkeypatch):
    """In a job of `atebm warm`, whose stream was made for a file, and in a process of its own."""
    if not server:
        monkeypatch.delenv(SERVER, raising=False)
    path = image(tmp_path / "größe.png")
    for locale in ({"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, {}):
        name = os.fsdecode(b"caf\xe9.png") if not locale else path.name
        image(tmp_path / name)
        found = run(root, sys.executable, "-m", "atebm", "score", str(tmp_path / name), "--run", RUN, **locale)
        assert found.returncode == 0 and "Traceback" not in found.stderr, found
        assert server or not locale or found.stdout.isascii()


# --- what a viewer hides ------------------------------------------------------------------------------------------


def with_alpha(path: Path, below: int, mode: str) -> Path:
    """A picture whose right half is transparent, over some grey that nobody sees."""
    rgba = np.zeros((SIDE, SIDE, 4), np.uint8)
    rgba[:, :4] = (90, 90, 90, 255)
    rgba[:, 4:] = (below, below, below, 0)
    picture = Image.fromarray(rgba)
    if mode == "P":
        palette = Image.new("P", (SIDE, SIDE))
        palette.putpalette([90, 90, 90, below, below, below])
        palette.paste(1, (4, 0, SIDE, SIDE))
        palette.save(path, transparency=1)
    elif mode == "tRNS":
        picture.convert("RGB").save(path, transparency=(below, below, below))
    else:
        picture.convert(mode).save(path)
    return path


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "tRNS"])
@pytest.mark.parametrize("channels", [1, 3])
def test_two_pictures_that_look_alike_are_the_same_pixels(tmp_path, mode, channels):
    notes = Notes()
    black, white = (with_alpha(tmp_path / f"{below}.png", below, mode) for below in (0, 255))
    seen = [pixels(path, channels, SIDE, notes) for path in (black, white)]
    assert np.array_equal(*seen) and seen[0][0, 0].tolist() == [90] * channels
    assert (seen[0][:, 4:] == 255).all(), "white"
    assert notes.count == {TRANSPARENT: 2}


def test_opaque_pictures_are_what_pillow_makes_of_them(tmp_path):
    """So that no prepared set, and no score, changes by the rule."""
    random = np.random.default_rng(0)
    rgba = random.integers(256, size=(9, 7, 4), dtype=np.uint8)
    rgba[..., 3] = 255
    picture = Image.fromarray(rgba)
    for number, mode in enumerate(("RGBA", "RGB", "L", "P", "1", "CMYK")):
        path = tmp_path / f"{number}.{'tiff' if mode == 'CMYK' else 'png'}"
        picture.convert(mode).save(path)
        for channels, converted in ((1, "L"), (3, "RGB")):
            with Image.open(path) as plain:
                expected = np.asarray(plain.convert(converted).resize((SIDE, SIDE), Image.Resampling.BILINEAR))
            assert np.array_equal(pixels(path, channels, SIDE), expected.reshape(SIDE, SIDE, channels)), mode
            assert open_picture(path, channels).changes == ()


@pytest.mark.parametrize("suffix", ["gif", "tiff", "png", "webp"])
def test_of_frames_and_pages_the_first_is_taken_and_it_is_said(tmp_path, suffix):
    first, second = (Image.new("RGB", (SIDE, SIDE), colour) for colour in ("black", "white"))
    first.save(tmp_path / f"a.{suffix}", save_all=True, append_images=[second], duration=100)
    seen = open_picture(tmp_path / f"a.{suffix}")
    assert seen.changes == (FRAMES,) and np.asarray(seen.picture).max() < 5


def test_pictures_of_phones_are_turned_and_it_is_said(tmp_path):
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        path = image(tmp_path / f"{orientation}.png", size=(8, 4), exif=exif)
        seen = open_picture(path)
        assert seen.changes == ((TURNED,) if orientation > 1 else ())
        assert seen.picture.size == ((4, 8) if orientation > 4 else (8, 4))


def test_a_score_says_once_what_was_changed_and_keeps_its_table(atebm, tmp_path):
    black, white = (with_alpha(tmp_path / f"{below}.png", below, "RGBA") for below in (0, 255))
    found = atebm("score", black, white, image(tmp_path / "large.png", size=(20, 10)), "--run", RUN)
    rows = found.out.splitlines()
    assert rows[1].split("\t")[:2] == rows[2].split("\t")[:2] and len(rows) == 4
    assert f"note: 2 images {TRANSPARENT}, such as {black}" in found.err
    assert "note: 1 image squashed to 8x8, such as" in found.err and "large.png of 20x10" in found.err


@pytest.mark.parametrize("size", [(20, 10), (10, 20)])
def test_what_is_no_square_is_squashed_or_cropped_and_it_is_said(tmp_path, size):
    """The middle square of a picture whose ends are black is white throughout."""
    wide = np.zeros((10, 20), np.uint8)
    wide[:, 5:15] = 255
    Image.fromarray(wide if size == (20, 10) else wide.T).save(tmp_path / "a.png")
    notes = Notes()
    assert pixels(tmp_path / "a.png", 1, SIDE).min() < 60, "all of it"
    assert pixels(tmp_path / "a.png", 1, SIDE, notes, "crop").min() == 255, "the middle"
    assert f"1 image cropped to the middle, at {SIDE}x{SIDE}" in "".join(notes.lines())


# --- what a walk leaves out ---------------------------------------------------------------------------------------


def test_a_walk_says_what_it_took_and_what_it_left_out(tmp_path):
    image(tmp_path / "elsewhere/c.png")
    folder = image(tmp_path / "photos/below/a.png").parents[1]
    image(folder / "B.PNG")
    (folder / "linked").symlink_to(tmp_path / "elsewhere")
    (folder / "loop").symlink_to(folder)
    (folder / "linked.png").symlink_to(tmp_path / "elsewhere/c.png")
    (folder / "nowhere.png").symlink_to(tmp_path / "nowhere.png")
    for name in (
        "x.heic",
        "y.HEIC",
        "paper.pdf",
        "film.mpg",
        "plot.eps",
        "notes.txt",
        "README",
        ".hidden.png",
        ".DS_Store",
    ):
        (folder / name).write_text("something")
    (folder / ".git").mkdir()
    found = walk(folder)
    assert [str(path.relative_to(folder)) for path in found.files] == ["B.PNG", "below/a.png", "linked.png"]
    text = "\n".join(found.lines())
    assert "3 image files taken" in found.taken
    assert "left out 7 files of other kinds (2 .heic, " in text and "1 .pdf" in text and "1 more" in text
    assert "left out 2 linked folders" in text and "left out 2 hidden" in text and "left out 1 broken links" in text


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every folder")
def test_a_folder_that_cannot_be_read_is_said(tmp_path):
    image(tmp_path / "photos/closed/a.png").parent.chmod(0)
    assert "1 folders that cannot be read" in "\n".join(walk(tmp_path / "photos").lines())


def test_documents_films_and_drawings_are_no_images(tmp_path):
    assert not SUFFIXES & {".pdf", ".mpg", ".mpeg", ".eps", ".ps", ".wmf", ".emf", ".h5", ".fits", ".txt"}
    assert {".png", ".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".tiff", ".webp"} <= SUFFIXES and "EPS" not in FORMATS
    (tmp_path / "drawing.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EOF\n")
    with pytest.raises(DataError, match=r"drawing.png cannot be read as an image"):
        pixels(tmp_path / "drawing.png", 3, SIDE)


def test_one_bad_file_does_not_lose_the_scores_of_others(atebm, tmp_path):
    folder = tmp_path / "photos"
    for number in range(120):
        image(folder / f"{number:03}.png", number)
    alone = json.loads(atebm("score", folder / "119.png", "--run", RUN, "--json").out)
    (folder / "007.png").write_bytes(b"no picture")
    (folder / "x.heic").write_text("picture of a phone")
    found = atebm("score", folder, "--run", RUN)
    assert found.code == 1 and len(found.out.splitlines()) == 1 + 119 and "007.png" not in found.out
    assert "error: " in found.err and "007.png cannot be read" in found.err and "1 .heic" in found.err
    found = atebm("score", folder, "--run", RUN, "--json")
    rows = json.loads(found.out)
    assert found.code == 1 and len(rows) == 120
    assert [Path(row["image"]).name for row in rows if "error" in row] == ["007.png"] and rows[7]["energy"] is None
    assert rows[119]["energy"] == pytest.approx(alone[0]["energy"], abs=1e-5)


def test_apply_names_all_bad_images_before_the_work(atebm, tmp_path, monkeypatch):
    monkeypatch.setattr("atebm.inference.apply.climb", lambda *_: pytest.fail("work"))
    image(tmp_path / "photos/a.png")
    for name in "bc":
        (tmp_path / f"photos/{name}.png").write_bytes(b"no picture")
    made = atebm("apply", "sample", tmp_path / "photos", "--run", RUN, "-o", tmp_path / "OUT")
    assert made.code == 1 and "2 of 3 images" in made.err and "b.png" in made.err and "c.png" in made.err
    assert not (tmp_path / "OUT").exists()


# --- numbers ------------------------------------------------------------------------------------------------------

WRONG = [
    *((option, value) for option in ("--steps", "--count") for value in ("0", "-1", "1e3", "nan", "10001", "many", "")),
    *(("--step-size", value) for value in ("nan", "inf", "-inf", "0", "-0.0", "-1", "1e9", "1e999", "much", "")),
]


@pytest.mark.parametrize(("option", "value"), WRONG)
def test_numbers_out_of_range_are_wrong_usage(atebm, tmp_path, option, value):
    a, b = (image(tmp_path / f"{name}.png") for name in "ab")
    made = atebm("apply", "interpolate", a, b, "--run", RUN, "-o", tmp_path / "OUT", f"{option}={value}")
    assert made.code == 2 and option in made.err and not (tmp_path / "OUT").exists(), made


@pytest.mark.parametrize("value", ["0", "-1", "2000", "x"])
def test_a_number_of_processes_out_of_range_is_wrong_usage(atebm, value):
    assert atebm("step", "config.yaml", f"--workers={value}").code == 2


def test_bounds():
    assert whole_number("n", np.int64(3), 1, 3) == 3 and positive_number("n", np.float32(0.5)) == 0.5
    for value in (0, 4, True, 1.0, "1", None, np.nan):
        with pytest.raises(DataError, match=r"n = .*: give a whole number from 1 to 3"):
            whole_number("n", value, 1, 3)
    for value in (0, -1, np.nan, np.inf, 2000, True, "1", None, 10**400, 1j, [1]):
        with pytest.raises(DataError, match=r"n = .*: give a number above 0, up to 1000"):
            positive_number("n", value)


# --- Python ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def model(root) -> api.Model:
    return api.load(RUN, root, "smoke", device="cpu")


@pytest.fixture(scope="module")
def stored() -> np.ndarray:
    return np.random.default_rng(1).integers(256, size=(3, SIDE, SIDE, 1), dtype=np.uint8)


def test_views_types_and_layouts_of_numbers_are_taken(model, stored):
    floats = stored.transpose(0, 3, 1, 2) / 255
    expected = model.energy(stored)
    frozen = stored.copy()
    frozen.flags.writeable = False
    for given in (
        stored[::-1][::-1],
        np.asfortranarray(stored),
        frozen,
        torch.from_numpy(stored),
        floats.astype(">f4"),
        floats.astype(np.longdouble),
        floats.transpose(0, 1, 3, 2).copy().transpose(0, 1, 3, 2),
        torch.from_numpy(floats).requires_grad_(),
        torch.from_numpy(floats).to_sparse(),
    ):
        assert model.energy(given) == pytest.approx(expected, abs=1e-4)
    assert model.energy(floats[:, :, :, ::-1]) == pytest.approx(model.energy(stored[:, :, ::-1]), abs=1e-4)


@pytest.mark.parametrize(
    "given",
    [
        [],
        (),
        np.zeros((0, SIDE, SIDE, 1), np.uint8),
        torch.zeros(0, 1, SIDE, SIDE),
        np.zeros((SIDE, SIDE, 1), np.uint8),
        np.zeros((), np.uint8),
        np.full((1, 1, SIDE, SIDE), np.nan),
        np.full((1, 1, SIDE, SIDE), np.inf),
        np.full((1, 1, SIDE, SIDE), -0.1),
        np.zeros((1, SIDE, SIDE, 1), np.int16),
        np.zeros((1, SIDE, SIDE, 1), bool),
        np.zeros((1, SIDE, SIDE, 1), object),
        np.zeros((1, 1, SIDE, SIDE), complex),
        torch.zeros(1, 1, SIDE, SIDE, dtype=torch.complex64),
        np.array(["a.png"]),
        [np.zeros((SIDE, SIDE, 1), np.uint8)],
        [Image.new("L", (SIDE, SIDE))],
        None,
        3,
        ["a\0b.png"],
        [b"a.png"],
        "",
        "nowhere.png",
    ],
    ids=lambda value: f"{type(value).__name__} {str(value)[:12]!r}",
)
def test_images_that_are_none_are_sentences(model, given, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for method in (model.energy, model.score, model.sample, lambda images: model.attack(images, 1)):
        with pytest.raises(DataError) as caught:
            method(given)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("method", "options"),
    [
        *(("sample", {"steps": value}) for value in (0, -1, 1.5, True, "3", 10**6)),
        *(("sample", {"step_size": value}) for value in (0, -1, float("nan"), float("inf"), "1")),
        *(("attack", {"radius": value}) for value in (0, -1, float("nan"), float("inf"), None)),
        *(("attack", {"radius": 1, "steps": value}) for value in (0, -1, 2.5, None)),
        *(("attack", {"radius": 1, "restarts": value}) for value in (0, -1, 1.0)),
        *(("attack", {"radius": 1, "seed": value}) for value in (-1, 0.5, 2**64)),
        *(("attack", {"radius": 1, "method": "pgd", "step_size": value}) for value in (0, -1, float("nan"))),
        ("attack", {"radius": 1, "method": "fgsm"}),
    ],
)
def test_numbers_out_of_range_are_sentences(model, stored, method, options):
    with pytest.raises(DataError):
        getattr(model, method)(stored, **options)


def test_none_is_the_default(model, stored):
    assert np.array_equal(model.sample(stored), model.sample(stored, steps=None, step_size=None))
    fifth = model.attack(stored, 1, "pgd", steps=3, step_size=0.2)
    assert torch.equal(model.attack(stored, 1, "pgd", steps=3), fifth)


def test_what_was_changed_or_left_out_is_warned_of(model, tmp_path):
    with_alpha(tmp_path / "a.png", 0, "RGBA")
    (tmp_path / "b.heic").write_text("picture of a phone")
    image(tmp_path / "large.png", size=(30, 30))
    with pytest.warns(UserWarning) as caught:
        model.score(tmp_path)
    said = "\n".join(str(warning.message) for warning in caught)
    assert {warning.filename for warning in caught} == {__file__}, "the line that called"
    assert TRANSPARENT in said and "1 .heic" in said and "squashed" not in said and "taken" not in said


def test_no_process_is_no_default(root, tmp_path):
    with pytest.raises(DataError, match="cores = 0"):
        api.train(tmp_path, "cats", root, cores=0)


def test_shown_is_one_line_and_tells_names_apart():
    names = [os.fsdecode(name) for name in (*STRANGE, b"caf\\xe9.png", "café.png".encode())]
    assert len({shown(name) for name in names}) == len(names)
    assert all(shown(name).isprintable() for name in names) and shown("café 🐈 b.png") == "café 🐈 b.png"
