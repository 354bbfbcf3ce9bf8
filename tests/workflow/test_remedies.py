"""What a message tells the user to do is carried out as it stands: each command runs, or is understood to its end."""

import ast
import errno
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from conftest import REPOSITORY, checkout, snakemake, typed
from PIL import Image

from atebm.archives.catalogue import by_hand, sources
from atebm.cli.app import app
from atebm.config.load import load
from atebm.data import archive_sets
from atebm.data.folder import AGAIN
from atebm.inference import outputs, trained
from atebm.maintenance.docs import headline
from atebm.models.released import adopt, import_weights
from atebm.pipeline.job import Job
from atebm.pipeline.plan import Plan
from atebm.provenance.status import status
from atebm.provenance.verify import stale_renderings
from atebm.publish.crate import write_crate
from atebm.utils.errors import ConfigError, DataError, ResultError, UserError, sentence
from atebm.utils.files import write_text
from atebm.utils.hashing import canonical, sealed, sha256

COMMAND = re.compile(r"snakemake --cores all[^`;]*|(?:python -m )?atebm [a-z-]+[^`,;.]*")
OVERRIDES = ("scale=smoke", "runs={cifar10_ood: {r1: 0.5}}")  # of a user, who is not at config.yaml's own scale


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A checkout in which nothing was computed."""
    return checkout(tmp_path_factory.mktemp("remedies") / "checkout")


@pytest.fixture
def plan(folder, monkeypatch) -> Plan:
    """The plan of a user's --config, in that checkout."""
    monkeypatch.chdir(folder)
    return Plan(load(folder, OVERRIDES)[0], OVERRIDES)


def said(call: Callable[[], Any]) -> str:
    with pytest.raises(UserError) as error:
        call()
    return str(error.value)


def understood(command: str) -> None:
    """Assert that `atebm` takes every word of a command of its own, without running it."""
    _, verb, *words = shlex.split(command.removeprefix("python -m "))
    given = {"FILE": "config.yaml", "FOLDER": "data", "NAME": "mine", "URL": "https://example.org"}
    typer.main.get_command(app).commands[verb].make_context(verb, [given.get(word, word) for word in words])


def planned_by(folder: Path, command: str) -> str:
    """What Snakemake would do by a command that a message names."""
    program, cores, everything, *words = shlex.split(command)
    assert (program, cores, everything) == ("snakemake", "--cores", "all")
    planned = snakemake(folder, "--dry-run", *words)
    assert planned.returncode == 0, planned.stdout + planned.stderr
    return planned.stdout + planned.stderr


def commands_in(message: str) -> list[str]:
    return [found.strip().rstrip(".") for found in COMMAND.findall(message)]


WANT_SNAKEMAKE: dict[str, Callable[[Plan, Path], str]] = {
    "score before training": lambda plan, root: said(lambda: trained.find(plan, "cifar10_ood", root)),
    "score before its set is prepared": lambda plan, root: said(trained.OfRun(plan, "cifar10_ood", root).require_usual),
    "apply before training, a model in git": lambda plan, root: said(lambda: beside_another(plan, root)),
    "headline of what is not drawn": lambda plan, root: said(lambda: headline("tableS3", plan, root)),
    "status": lambda plan, root: status(plan, root)["command"],
    "verify of a stale rendering": lambda plan, root: stale(plan, root),
}


def beside_another(plan: Plan, root: Path) -> None:
    """Look for a run of which models/ has one of other settings."""
    path = root / "models/demo/cifar10"
    write_text(path / "model.safetensors", "")
    files = {"model.safetensors": sha256(path / "model.safetensors")}
    write_text(path / "model.json", sealed({"step": "train/cifar10-00000000", "files": files}))
    try:
        trained.find(plan, "cifar10", root)
    finally:
        shutil.rmtree(root / "models")


def stale(plan: Plan, root: Path) -> str:
    path = root / "results/provenance/tableS3.json"
    write_text(path, canonical({"request": {"artifact": "another"}}))
    try:
        (finding,) = stale_renderings(plan, root)
    finally:
        path.unlink()
    return finding


@pytest.mark.parametrize("situation", WANT_SNAKEMAKE)
def test_the_command_of_snakemake_has_the_users_configuration(plan, folder, situation):
    (command,) = commands_in(WANT_SNAKEMAKE[situation](plan, folder))
    for override in OVERRIDES:
        assert override in shlex.split(command)


@pytest.mark.parametrize("situation", ["score before training", "headline of what is not drawn"])
def test_snakemake_does_what_the_message_says(plan, folder, situation):
    (command,) = commands_in(WANT_SNAKEMAKE[situation](plan, folder))
    planned_by(folder, command)


def test_a_step_of_another_configuration_is_a_sentence_whose_remedy_works(plan, folder):
    target = plan.train("cifar10_ood", 0).record
    refused = snakemake(folder, "--dry-run", target)
    assert refused.returncode != 0
    told = refused.stdout + refused.stderr
    assert "is not a step of the demo scale" in told and "KeyError" not in told, told
    planned_by(folder, plan.command(target))


WANT_ATEBM: dict[str, Callable[[Path], str]] = {
    "an archive is missing": lambda root: said(
        lambda: archive_sets.verify_file(root / "data/archives/cifar-10-python.tar.gz")
    ),
    "an archive that only a person gets": lambda root: by_hand(
        next(source for source in sources() if source.access == "form")
    ),
    "a folder of images that changed": lambda root: AGAIN,
    "weights that were not imported": lambda root: said(lambda: adopt(to_adopt(root))),
}


def to_adopt(root: Path) -> Job:
    spec = root / "work/specs/train/celebahq256-00000000.json"
    write_text(spec, canonical({"kind": "train", "name": "celebahq256", "settings": {"weights": "0" * 64}}))
    return Job(spec)


@pytest.mark.parametrize("situation", WANT_ATEBM)
def test_the_commands_of_atebm_are_understood(folder, monkeypatch, situation):
    monkeypatch.chdir(folder)
    commands = commands_in(WANT_ATEBM[situation](folder))
    assert commands
    for command in commands:
        understood(command)


def messages() -> list[str]:
    """Every text in the code that a person may read, with "X" for what is put into it; no docstrings."""
    found = []
    for path in (REPOSITORY / "src/atebm").rglob("*.py"):
        tree = ast.parse(path.read_text())
        pieces = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
        alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if id(node) in pieces | alone:
                continue
            if isinstance(node, ast.JoinedStr):
                found.append(
                    "".join(
                        getattr(part, "value", "X") if isinstance(part, ast.Constant) else "X" for part in node.values
                    )
                )
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return found


def test_every_message_names_commands_and_options_that_there_are():
    """In all of the code: a verb of `atebm` with options of its own, and snakemake with --cores, which it wants."""
    known = typer.main.get_command(app).commands
    asked = 0
    for message in messages():
        for verb, rest in re.findall(r"\batebm ([a-z][a-z-]+)([^`,;\n]*)", message):
            asked += 1
            if verb in ("warm", "apply", "on"):
                continue
            assert verb in known, message
            options = {"--help"} | {option for parameter in known[verb].params for option in parameter.opts}
            assert set(re.findall(r"--[a-z0-9-]+", rest.split(" or ")[0])) <= options, message
        assert not re.search(r"run snakemake\b(?! --cores)", message), f"snakemake wants --cores: {message}"
    assert asked > 40


@pytest.mark.parametrize("words", [("device=cpu",), ("tensorboard=false",), ("gpus_per_run=2",)])
def test_keys_that_messages_name_are_keys(words):
    load(REPOSITORY, words)


def test_weights_are_set_as_import_weights_says():
    """Of a run and of a pre-training, by the word and by a digest."""
    for weights in ("released", "0" * 64):
        assert typed("paper", runs={"celebahq256": {"weights": weights}}).runs["celebahq256"].weights == weights
        assert (
            typed("paper", pretrainings={"imagenet": {"weights": weights}}).pretrainings["imagenet"].weights == weights
        )


def test_nothing_is_said_of_weights_that_are_a_web_page(tmp_path, capsys):
    page = tmp_path / "model.pth"
    page.write_text("<!DOCTYPE html><html>quota exceeded</html>")
    with pytest.raises(DataError, match=r"model.pth is a web page, .*: download the file itself."):
        import_weights(page, "celebahq256", *typed("paper").network_of("celebahq256"), tmp_path)
    assert "set weights" not in capsys.readouterr().out


def test_what_the_crate_wants_is_said(folder, tmp_path):
    shown = said(lambda: write_crate(checkout_without_results(folder)))
    assert commands_in(shown) == ["snakemake --cores all"]
    with pytest.raises(ConfigError, match="run this in the folder of the checkout"):
        write_crate(tmp_path)


def checkout_without_results(folder: Path) -> Path:
    assert not (folder / "results/manifest.json").exists()
    return folder


def test_apply_can_be_repeated_after_a_full_disk(tmp_path, monkeypatch):
    """As the sentence says: nothing is left that would make the same command refuse."""
    images = {tmp_path / f"out/{name}.png": np.zeros((4, 4, 3), np.uint8) for name in "ab"}
    save, saved = Image.Image.save, []

    def full(self: Image.Image, *place: Any, **how: Any) -> None:
        saved.append(place)
        if len(saved) == 2:
            raise OSError(errno.ENOSPC, "No space left on device", str(place[0]))
        save(self, *place, **how)

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(OSError) as error:
        outputs.write(images)
    assert "Make room and repeat the command." in (sentence(error.value) or "")
    assert outputs.write(images) == 2
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.png", "b.png"]


def test_the_api_says_how_to_go_on_with_the_users_configuration(monkeypatch, tmp_path):
    from atebm.inference import model

    class Failed:
        returncode = 1

    config = load(REPOSITORY, ["scale=smoke"])[0]
    monkeypatch.setattr(model, "write_scale", lambda *_: type("Own", (), {"config": config, "warnings": ()})())
    monkeypatch.setattr(model.subprocess, "run", lambda *_, **__: Failed)
    with pytest.raises(ResultError) as error:
        model.train(tmp_path, "smoke", REPOSITORY, config=["seeds=2"])
    (command,) = commands_in(str(error.value))
    assert shlex.split(command) == ["snakemake", "--cores", "all", "--config", "seeds=2", "scale=smoke"]
