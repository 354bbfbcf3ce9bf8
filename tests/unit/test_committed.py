"""Models in git: what loads them, what stands on their cards, and what is said where they are not as they were."""

import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import REPOSITORY, planned
from conftest import made as made_set
from PIL import Image
from users import RUN, SIDE, Finished, called, image, pretend

import atebm
from atebm.config.load import load as load_config
from atebm.inference.trained import Committed, find, load_detector
from atebm.models.committed import CARD, MODELS, RECORD, WEIGHTS, committed, name_of, read_committed
from atebm.pipeline.plan import Plan
from atebm.provenance.verify import model_findings, verify
from atebm.publish import models as publish
from atebm.publish.numbers import Numbers
from atebm.utils.errors import ConfigError, DataError
from atebm.utils.hashing import canonical, is_sealed, sha256

NAME = f"smoke/{RUN}"
WORDS = "trained on Fashion-MNIST 8x8, a stand-in for CIFAR-10"
CPU = torch.device("cpu")
QUALITY = pd.DataFrame({"images": ["its samples"], "value": ["61.9 ± 6.2"]})
DETECTION = pd.DataFrame({"out of distribution": ["digits (for SVHN)"], "clean": ["95.00 [93.00, 97.00]"]})


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """A checkout in which RUN looks trained, with its model in models/; what was measured of it is made up."""
    root = pretend(tmp_path_factory.mktemp("committed"))
    plan = plan_of(root)
    train = plan.train(RUN, 0)
    facts = json.loads((root / train.record).read_text())
    facts |= {"files": {"best.safetensors": sha256(root / train.folder / "best.safetensors")}}
    facts |= {"parameters": 25_000, "seed": 0, "best": {"steps": 3, "iteration": 7}}
    (root / train.record).write_text(canonical(facts))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(publish, "numbers_behind", lambda *_: [])
        patch.setattr(publish, "numbers_of", lambda *_: Numbers(QUALITY, DETECTION))
        (written,) = publish.publish_models(plan, [RUN], root)
    assert written.words == WORDS and written.folder == Path(MODELS, NAME)
    return root


@pytest.fixture
def bare(root, tmp_path) -> Path:
    """The same as a clone has it, without work/."""
    return Path(shutil.copytree(root, tmp_path / "clone", ignore=shutil.ignore_patterns("work")))


def plan_of(root: Path, *config: str) -> Plan:
    return Plan(load_config(root, config)[0], config)


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(1).integers(256, size=(5, SIDE, SIDE, 1), dtype=np.uint8)


# --- loading ------------------------------------------------------------------------------------------------------


def test_a_model_in_git_is_that_of_its_run(root, bare, images):
    here, there = atebm.load(RUN, root, device="cpu"), atebm.load(NAME, bare, device="cpu")
    assert repr(there).startswith(f"{WORDS}: {NAME}, ") and repr(there).endswith(f"{MODELS}/{NAME}")
    assert repr(here).startswith(f"{WORDS}: {RUN}, ") and "work/train/" in repr(here)
    assert there.energy(images) == pytest.approx(here.energy(images), abs=1e-6)
    assert there.score(images) == pytest.approx(here.score(images), abs=1)
    assert np.array_equal(there.sample(images), here.sample(images)), "the same number of steps, of the same size"


def test_it_loads_from_a_path_and_from_any_folder_below_the_checkout_of_the_code(bare, monkeypatch, tmp_path):
    assert atebm.load(str(bare / MODELS / NAME), device="cpu").name == NAME
    monkeypatch.chdir((bare / MODELS / NAME).parent)
    assert atebm.load(Path(RUN), device="cpu").name == NAME
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("atebm.models.committed.repository", lambda: bare)
    assert atebm.load(NAME, device="cpu").name == NAME


def test_a_run_that_is_not_trained_is_the_model_of_the_same_step(root, bare):
    assert not isinstance(find(plan_of(root), RUN, root), Committed), "work/ comes first"
    model = find(plan_of(bare), RUN, bare)
    assert isinstance(model, Committed) and model.name == NAME and model.instead == RUN
    assert atebm.load(RUN, bare, device="cpu").name == NAME
    with pytest.raises(
        ConfigError, match=rf"train {RUN} has not been computed yet; run: .*; models/ has {NAME} with other settings"
    ):
        find(plan_of(bare, f"runs={{{RUN}: {{r1: 0.5}}}}"), RUN, bare)


def test_an_unknown_name_is_a_sentence(bare):
    with pytest.raises(ConfigError, match=f"there is no model 'smoke/cats'; there are: {NAME}"):
        atebm.load("smoke/cats", bare)
    with pytest.raises(ConfigError, match="there is no run 'cats'"):
        atebm.load("cats", bare)


def test_a_damaged_model_is_refused(bare):
    record = bare / MODELS / NAME / RECORD
    record.write_text(record.read_text().replace('"seed": 0', '"seed": 1'))
    with pytest.raises(
        DataError, match=f"{RECORD} has changed since it was written: restore it with 'git checkout -- "
    ):
        atebm.load(NAME, bare)
    shutil.copy(REPOSITORY / "LICENSE", bare / MODELS / NAME / WEIGHTS)
    with pytest.raises(DataError):
        atebm.load(NAME, bare)


def test_a_model_without_a_sampler_wants_steps_and_their_size(bare, images):
    model = atebm.load(NAME, bare, device="cpu")
    model.trained.record["steps"].clear()
    with pytest.raises(ConfigError, match=f"{NAME} has no sampler: give the number"):
        model.sample(images, steps=1)
    assert model.sample(images, steps=1, step_size=0.5).shape == images.shape


# --- the commands in a clone --------------------------------------------------------------------------------------


@pytest.fixture
def command(bare, monkeypatch, capsys) -> Callable[..., Finished]:
    monkeypatch.chdir(bare)
    return partial(called, capsys, monkeypatch)


def test_score_and_apply_say_that_they_use_a_model_of_git(command, tmp_path):
    picture = image(tmp_path / "a.png")
    note = f"note: using {MODELS}/{NAME}, since work/ has no {RUN}: {WORDS}.\n"
    scored = command("score", picture, "--run", RUN)
    assert scored.code == 0 and scored.err.startswith(note) and len(scored.out.splitlines()) == 2
    named = command("score", picture, "--run", NAME)
    assert named.out == scored.out and named.err.startswith(f"note: using {MODELS}/{NAME}: {WORDS}.\n")
    made = command("apply", "sample", picture, "--run", RUN, "-o", tmp_path / "OUT")
    assert made.code == 0 and made.err == note and "after 3 steps" in made.out
    assert {path.name for path in (tmp_path / "OUT").iterdir()} == {"a.png", "contact_sheet.png"}


def test_the_command_of_an_unknown_model_is_a_sentence(command, tmp_path):
    refused = command("score", image(tmp_path / "a.png"), "--run", "../cats")
    assert refused.code == 1 and refused.err.startswith("error: there is no model '../cats'; there are: ")


def test_a_score_has_a_word_by_the_threshold_at_95_percent_tpr(command, tmp_path):
    pictures = [image(tmp_path / f"{number}.png", number) for number in range(40)]
    table = command("score", *pictures, "--run", NAME)
    assert "the threshold at 95 % TPR" in table.err
    rows = json.loads(command("score", *pictures, "--run", NAME, "--json").out)
    energies = np.array(atebm.load(NAME, device="cpu").trained.record["in_distribution"]["energies"])
    (threshold,) = {row["threshold"] for row in rows}
    assert np.mean(energies < threshold) <= 0.95 <= np.mean(energies <= threshold)
    assert all((row["word"] == "in") == (row["energy"] <= threshold) for row in rows)
    assert [line.split("\t")[2] for line in table.out.splitlines()[1:]] == [row["word"] for row in rows]
    assert {row["word"] for row in rows} == {"in", "out"}, "a model of chance tells nothing"


def test_samples_without_images_start_from_held_out_sources(command, bare):
    made = command("apply", "sample", "--run", NAME, "--count", 3, "--json")
    facts = json.loads(made.out)
    assert facts["out"] == "work/apply/sample" and facts["written"] == len(facts["images"]) == 3
    again = command("apply", "sample", "--run", NAME, "--count", 3)
    assert again.code == 0 and "work/apply/sample_2: 3 files written" in again.out, "nothing is overwritten"
    model = atebm.load(NAME, bare, device="cpu")
    sources = model.sources(3)
    plan = planned("smoke")
    settings = plan.data(plan.task(RUN).sources).settings
    assert np.array_equal(sources, made_set(settings)[0][:3]), "the same as the workflow prepares"
    written = [np.asarray(Image.open(bare / row["file"])) for row in facts["images"]]
    assert np.array_equal(np.stack(written)[..., None], model.sample(sources))
    assert [row["energy_before"] for row in facts["images"]] == pytest.approx(model.energy(sources), abs=1e-5)
    few = command("apply", "sample", "--run", NAME, "--count", 9999)
    assert few.code == 1 and "ask for fewer" in few.err
    both = command("apply", "sample", "README.md", "--run", NAME, "--count", 3)
    assert both.code == 1 and "name image files or folders, or" in both.err


def test_a_picture_shows_each_image_enlarged(bare, images):
    model = atebm.load(NAME, bare, device="cpu")
    single, pairs = model.show(images), model.show(images, images[::-1], "words")
    assert pairs.height > single.height >= 96
    shown = np.asarray(single)
    corner = next(
        (row, column)
        for row in range(40)
        for column in (8,)
        if np.array_equal(shown[row, column : column + 96, 0], np.repeat(images[0, 0, :, 0], 12))
    )
    assert np.array_equal(shown[corner[0] : corner[0] + 96, 8:104, 0], np.kron(images[0, ..., 0], np.ones((12, 12))))
    with pytest.raises(DataError, match="give as many of both"):
        model.show(images, images[:2])


# --- cards --------------------------------------------------------------------------------------------------------


def test_a_card_begins_with_the_data_and_has_numbers_settings_limits_licences_and_checksum(bare):
    folder = bare / MODELS / NAME
    text = (folder / CARD).read_text()
    assert text.startswith(f"{WORDS}\n=====") and sha256(folder / WEIGHTS) in text
    for words in ("61.9 ± 6.2", "95.00 [93.00, 97.00]", "iteration 7 of 1", "| K, attack steps in training |"):
        assert words in text
    for words in ("no image of CIFAR-10", "neither FID nor IS", "Apache-2.0", "Zalando", "photographs.csv", RUN):
        assert words in text


def test_weights_that_are_not_as_they_were_written_or_too_large_are_not_copied(root, tmp_path, monkeypatch):
    copy = Path(shutil.copytree(root, tmp_path / "copy"))
    monkeypatch.setattr(publish, "numbers_behind", lambda *_: [])
    with monkeypatch.context() as patch, pytest.raises(DataError, match="a model in git may have at most"):
        patch.setattr(publish, "MOST_BYTES", 1000)
        list(publish.publish_models(plan_of(copy), [RUN], copy))
    weights = copy / plan_of(copy).train(RUN, 0).folder / "best.safetensors"
    weights.write_bytes(weights.read_bytes() + b" ")
    with pytest.raises(DataError, match="has changed since it was written"):
        list(publish.publish_models(plan_of(copy), [RUN], copy))


def test_a_number_that_was_not_computed_is_asked_for_before_a_card_is_written(root):
    before = (root / MODELS / NAME / CARD).read_bytes()
    with pytest.raises(
        ConfigError, match=r"\d+ steps that models and cards need have not been computed; run: snakemake "
    ):
        list(publish.publish_models(plan_of(root), [RUN], root))
    with pytest.raises(ConfigError, match="there is no run 'cats'"):
        list(publish.publish_models(plan_of(root), ["cats"], root))
    assert (root / MODELS / NAME / CARD).read_bytes() == before


# --- verify -------------------------------------------------------------------------------------------------------


def findings(bare: Path, *config: str) -> list[str]:
    return list(model_findings(bare / MODELS / NAME, plan_of(bare, *config), bare))


def test_verify_says_what_is_missing_altered_and_stale(bare):
    folder = bare / MODELS / NAME
    whole, checked = verify(plan_of(bare), bare, quiet=True)
    assert whole == [] and checked == 3, "results/ is not needed for it"
    (stale,) = findings(bare, f"runs={{{RUN}: {{r1: 0.5}}}}")
    assert stale.startswith(f"stale    {MODELS}/{NAME}: its settings are not those of {RUN}")
    assert findings(bare, "scale=demo") == [], "a plan knows nothing of other scales"
    (folder / CARD).write_text("better than all")
    (folder / WEIGHTS).unlink()
    assert [line.split(":")[0] for line in findings(bare)] == [
        f"altered  {MODELS}/{NAME}/{CARD}",
        f"missing  {MODELS}/{NAME}/{WEIGHTS}",
    ]
    (folder / RECORD).write_text((folder / RECORD).read_text() + " ")
    (altered,) = findings(bare)
    assert altered.startswith(f"altered  {MODELS}/{NAME}/{RECORD}: it has changed since it was written")


# --- those of this repository -------------------------------------------------------------------------------------

HERE = list(committed(REPOSITORY))


def test_what_notebooks_and_examples_use_is_here():
    assert {name_of(folder) for folder in HERE} >= {f"demo/{run}" for run in publish.PUBLISHED}


@pytest.mark.parametrize("folder", HERE, ids=name_of)
def test_a_model_of_this_repository_is_as_its_record_and_the_plan_say(folder):
    record = read_committed(folder)
    assert is_sealed((folder / RECORD).read_text())
    assert record["files"] == {name: sha256(folder / name) for name in (WEIGHTS, CARD)}
    assert record["name"] == name_of(folder) and (folder / WEIGHTS).stat().st_size <= publish.MOST_BYTES
    step = planned(record["scale"]).train(record["run"], record["seed"])
    assert record["step"] == f"train/{step.id}", "the configuration has changed: make models"
    model = Committed.read(folder)
    text = (folder / CARD).read_text()
    assert text.startswith(f"{model.words}\n") and record["files"][WEIGHTS] in text
    channels, height, width = record["shape"]
    f = load_detector(model, CPU)
    assert sum(tensor.numel() for tensor in f.parameters()) == record["parameters"]
    energies = model.usual(f, CPU)
    assert len(energies) > 100 and (np.diff(energies) >= 0).all()
    assert f(torch.rand(2, channels, height, width)).isfinite().all()
