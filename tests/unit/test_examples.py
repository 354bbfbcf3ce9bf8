"""Examples that users copy: the scripts of examples/, the page of the Python API, and one in the help of each verb."""

import doctest
import gzip
import hashlib
import re
import runpy
import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import REPOSITORY, checkout, run, seldom
from PIL import Image
from test_cli import COMMANDS
from test_released import discriminator_state
from users import called

API = REPOSITORY / "docs/reference/api.md"

# Verbs whose examples are not run here: what runs each of them instead.
ELSEWHERE = {
    ("step",): "the rules",
    ("join",): "the rules",
    ("render",): "the rules",
    ("manifest",): "the rules",
    ("site",): "the rules",
    ("kernel",): "render",
    ("extractors",): "trains for minutes: make extractors, test_rulers.py",
    ("publish-models",): "wants what is computed at scale demo: make models, test_committed.py",
    ("crate",): "wants all results: make crate, test_crate.py",
    ("docs",): "wants all results: make docs, test_docs.py",
    ("headline",): "wants all results: make demo",
}


def put_archive(clone: Path) -> None:
    """Something in downloads/ that passes for the archive of the example."""
    archive = clone / "downloads/cifar-10-python.tar.gz"
    archive.parent.mkdir()
    archive.write_bytes(gzip.compress(b"an archive"))
    catalogue = clone / "data/sources.yaml"
    (entry,) = re.findall(r"^cifar10:\n.*?(?=^\w)", catalogue.read_text(), re.DOTALL | re.MULTILINE)
    expected = {"bytes": archive.stat().st_size, "md5": f'"{digest(archive, "md5")}"', "sha256": f'"{digest(archive)}"'}
    changed = entry
    for key, value in expected.items():
        changed = re.sub(rf"(^      {key}: ).*", rf"\g<1>{value}", changed, flags=re.MULTILINE)
    catalogue.write_text(catalogue.read_text().replace(entry, changed))


def digest(file: Path, algorithm: str = "sha256") -> str:
    return hashlib.new(algorithm, file.read_bytes()).hexdigest()


def put_checkpoint(clone: Path) -> None:
    torch.save(discriminator_state(), clone / "model.pth")


# Verbs whose examples want more than a clone has: what gives it to them.
WANTING: dict[tuple[str, ...], Callable[[Path], None]] = {
    ("fetch",): put_archive,
    ("import-weights",): put_checkpoint,
    ("warm",): lambda clone: None,
    ("cost",): lambda clone: None,
}
EXAMPLES = {
    words: command.epilog.removeprefix("Example: ")
    for words, command in COMMANDS.items()
    if not hasattr(command, "commands") and words not in ELSEWHERE and words not in WANTING
}


@pytest.fixture(scope="module")
def clone(tmp_path_factory) -> Path:
    """What a clone has, but for results/, and a folder of photographs of one's own."""
    folder = checkout(tmp_path_factory.mktemp("clone"))
    shutil.copytree(REPOSITORY / "models", folder / "models")
    (folder / "photographs").mkdir()
    random = np.random.default_rng(0)
    for number in range(100):
        noise = random.integers(256, size=(8, 12, 3), dtype=np.uint8)
        Image.fromarray(noise).save(folder / f"photographs/{number:03}.png")
    return folder


def test_every_verb_has_an_example_that_runs():
    """Or is run by something else, which is said."""
    assert ELSEWHERE.keys() < COMMANDS.keys()
    shown = {words for words, command in COMMANDS.items() if not command.hidden and not hasattr(command, "commands")}
    assert shown <= EXAMPLES.keys() | WANTING.keys() and len(shown) >= 18
    rules = "".join(path.read_text() for path in (REPOSITORY / "workflow/rules").glob("*.smk"))
    assert {words[0] for words, how in ELSEWHERE.items() if how == "the rules"} <= set(
        re.findall(r"atebm (\w+)", rules)
    )


@pytest.mark.parametrize("words", EXAMPLES, ids=" ".join)
def test_the_example_in_the_help_runs_in_a_clone(clone, words, monkeypatch, capsys):
    monkeypatch.chdir(clone)
    done = called(capsys, monkeypatch, *shlex.split(EXAMPLES[words])[1:])
    assert done.code == 0, done
    if words[0] == "apply":
        sheet = Image.open(clone / f"work/apply/{words[1]}/contact_sheet.png")
        assert min(sheet.size) >= 96 and len(np.unique(np.asarray(sheet))) > 100, "a picture, and enlarged"


@pytest.mark.parametrize("words", seldom({" ".join(words): words for words in WANTING}, often=("fetch", "warm")))
def test_the_example_in_the_help_runs_with_what_it_wants(words, tmp_path):
    clone = checkout(tmp_path)
    WANTING[words](clone)
    example = shlex.split(COMMANDS[words].epilog.removeprefix("Example: atebm "))
    done = run(clone, sys.executable, "-m", "atebm", *example, PYTHONPATH=str(clone / "src"))
    assert done.returncode == 0, done.stdout + done.stderr


# --- scripts ------------------------------------------------------------------------------------------------------

SCRIPTS = {
    "sample.py": (["PICTURE"], r"mean energy (?P<before>\S+) before, (?P<after>\S+) after"),
    "detect.py": ([], r"14 of 14 images are out of distribution: (?P<before>\S+) .*\n.*: (?P<after>\S+) and more"),
    "own_images.py": (["data/embedded/photographs", "PICTURE"], r"mean energy (?P<before>\S+) before, (?P<after>\S+)"),
}


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_runs_and_energies_fall(script, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(REPOSITORY)
    arguments, said = SCRIPTS[script]
    picture = tmp_path / "picture.png"
    monkeypatch.setattr(sys, "argv", [script, *(str(picture) if word == "PICTURE" else word for word in arguments)])
    runpy.run_path(str(REPOSITORY / "examples" / script))
    found = re.search(said, capsys.readouterr().out)
    assert found and float(found["after"]) < float(found["before"]) - 1
    assert picture.exists() == ("PICTURE" in arguments)


def test_every_script_is_tried():
    assert {path.name for path in (REPOSITORY / "examples").glob("*.py")} == SCRIPTS.keys()


# --- the page of the API ------------------------------------------------------------------------------------------


def test_the_page_of_the_api_has_the_outputs_that_its_code_has(tmp_path, monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    code = "\n".join(re.findall(r"^```pycon\n(.*?)^```$", API.read_text(), re.DOTALL | re.MULTILINE))
    names = {"__name__": "__main__", "FOLDER": tmp_path}
    test = doctest.DocTestParser().get_doctest(code, names, "api.md", str(API), 0)
    assert len(test.examples) >= 12
    complaints: list[str] = []
    doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE).run(test, out=complaints.append)
    assert not complaints, "".join(complaints)


# --- help ---------------------------------------------------------------------------------------------------------


def test_the_help_fits_a_screen():
    shown = run(REPOSITORY, sys.executable, "-m", "atebm", "-h", COLUMNS="80").stdout
    assert len(shown.splitlines()) <= 40
    assert "..." not in shown.replace("[ARGS]...", ""), "every verb's line is whole"
    assert not re.search("<bool>|step |render", shown)
