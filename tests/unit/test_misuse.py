"""No command answers with a traceback, whatever options, paths, names and numbers it is given."""

import os
import random
import shlex
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests
import typer
from conftest import environment_of
from users import RUN, Finished, called, image, pretend

from atebm.cli.app import app

QUICK, MANY = 25, 225  # cases: of the quick test, and of both together

# What is not tried with arguments that are sound: it takes minutes, or starts what it is given.
STARTING = {
    "warm": ("command", ["nowhere-to-be-found", ""]),
    "extractors": ("names", ["nowhere-to-be-found", "", "../x"]),
}
NAMES = ["", RUN, "cifar10", "cifar11", "../x", "no", "\udcff", "a b", "table2", "x" * 300, "-", "{}", "%s"]
NUMBERS = ["", "0", "-1", "nan", "inf", "-inf", "1e999", "1.5", "2", "x", "0x10", "10" * 30, "1_0"]
NUMBERED = ("workers", "count", "size")
PATHS = (
    "spec",
    "images",
    "inputs",
    "folder",
    "p_0",
    "file",
    "out",
    "mask",
    "shards",
    "request",
    "notebook",
    "executed",
)
PATHS += ("results", "given", "tensorboard")
DEVICES = ["", "gpu", "cuda", "cuda:99", "meta", "cpu:x", "mps", "xla", "\udcff", "cpu cpu"]
SETTINGS = ["x", "=", "scale=", "scale=nowhere", "scale=../..", "a=b=c", "{", "seeds=0", "runs=1", "\udcff=1", "=1", ""]
SOUND = {
    "run": RUN,
    "others": RUN,
    "device": "cpu",
    "steps": "2",
    "step_size": "0.5",
    "count": "2",
    "size": "8",
    "name": "cats",
    "images": "",  # a sound image
    "inputs": "",
    "mask": "",
    "out": "work/OUT",
    "config": "seed=0",
}
SHARDS = ["", "x", "0-of-0", "2-of-1", "-1-of-2", "1-of-x", "0-of-" + "9" * 99]
URLS = ["", "x", "http://", "http://[", "ftp://example.org/x", "file:///etc/passwd", "https://\udcff/", "http://a:b/"]


def leaves(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command that is no group, with its words."""
    for name, child in command.commands.items():
        if hasattr(child, "commands"):
            yield from leaves(child, (*words, name))
        else:
            yield (*words, name), child


COMMANDS = dict(leaves(typer.main.get_command(app)))


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    return pretend(tmp_path_factory.mktemp("misuse"))


@pytest.fixture(scope="module")
def paths(root, tmp_path_factory) -> list[str]:
    """Files and folders of all kinds, sound ones among them."""
    folder = tmp_path_factory.mktemp("paths")
    sound = image(folder / "photos/a.png")
    image(folder / "photos/below/a.png", 1)
    image(folder / os.fsdecode(b"caf\xe9\t\n.png"), 2)
    image(folder / f"{'n' * 246}.png", 3)
    (folder / "empty").mkdir()
    (folder / "loop").symlink_to(folder / "loop")
    (folder / "round").mkdir()
    (folder / "round/again").symlink_to(folder / "round")
    (folder / "nowhere").symlink_to(folder / "none")
    os.mkfifo(folder / "pipe.png")
    (folder / "bad.png").write_bytes(sound.read_bytes()[:40])
    (folder / "list.json").write_text("[1]")
    (folder / "deep.json").write_text("[" * 100_000)
    (folder / "spec.json").write_text('{"kind": "train", "name": "x", "settings": {}, "parents": {}}')
    (folder / "plan.json").write_text('{"request": []}')
    found = [str(path) for path in sorted(folder.iterdir())]
    return [
        *found,
        str(folder / "none"),
        "",
        ".",
        "..",
        "-",
        "config.yaml",
        "config.yaml/x",
        "x" * 300,
        "/dev/null",
        str(sound),  # the last one
    ]


def value_of(parameter: Any, chance: random.Random, paths: list[str]) -> str:
    """Something for a parameter: most of it wrong."""
    by_name = {
        "device": DEVICES,
        "config": SETTINGS,
        "shard": SHARDS,
        "url": URLS,
        "steps": [*NUMBERS, "1", "2"],
        "step_size": NUMBERS,
    }
    if parameter.name in SOUND and chance.random() < 0.6:  # or else nothing would get beyond the first check
        return SOUND[parameter.name] or paths[-1]
    if parameter.name in by_name:
        return chance.choice(by_name[parameter.name])
    return chance.choice(paths if parameter.name in PATHS else NUMBERS if parameter.name in NUMBERED else NAMES)


def misuse(words: tuple[str, ...], chance: random.Random, paths: list[str]) -> list[str]:
    """A command with what it needs, or not all of it, and some options, in any order."""
    arguments: list[list[str]] = []
    for parameter in COMMANDS[words].params:
        if parameter.name in ("help", "replace", "yes"):
            continue
        starting, instead = STARTING.get(words[0], ("", []))
        wanted = parameter.required or (words == ("cost",) and parameter.name == "device")
        if parameter.name == starting:
            arguments.append([chance.choice(instead)])
        elif chance.random() > (0.93 if wanted else 0.3):
            continue
        elif getattr(parameter, "is_flag", False):
            arguments.append([parameter.opts[0]])
        elif parameter.param_type_name == "option":
            arguments.append([f"{parameter.opts[0]}={value_of(parameter, chance, paths)}"])
        else:
            many = chance.randint(1, 3) if parameter.nargs == -1 else 1
            arguments += [[value_of(parameter, chance, paths)] for _ in range(many)]
    if words == ("cost",) and not any(argument[0].startswith("--device") for argument in arguments):
        arguments.append(["--device=none"])  # a sound one is measured
    if chance.random() < 0.1:
        arguments.append([chance.choice(["--no-such-option", "-Z", "--", "--run", "--json=1"])])
    chance.shuffle(arguments)
    return [*words, *(word for argument in arguments for word in argument)]


def cases(count: int, paths: list[str]) -> list[list[str]]:
    """So many misuses, of all commands alike; the same ones each time."""
    chance, words = random.Random(22), sorted(COMMANDS)
    tried = [*words, *[("apply", verb) for verb in ("sample", "inpaint", "interpolate", "compose", "trajectory")] * 2]
    return [misuse(tried[number % len(tried)], chance, paths) for number in range(count)]


def unreachable(*_: object, **__: object) -> None:
    raise requests.ConnectionError("there is no network in tests")


@pytest.mark.parametrize(
    "part", [pytest.param(QUICK, id="some"), pytest.param(MANY, id="the others", marks=pytest.mark.slow)]
)
def test_no_misuse_is_a_traceback(root, paths, monkeypatch, capsys, tmp_path, part):
    monkeypatch.chdir(root)
    monkeypatch.setattr(requests.Session, "send", unreachable)
    atebm, wrong = partial(called, capsys, monkeypatch), []
    chosen, step = cases(MANY, paths), MANY // QUICK
    for arguments in [case for number, case in enumerate(chosen) if (number % step == 0) == (part == QUICK)]:
        said = shlex.join(["atebm", *arguments])
        try:
            finished: Finished = atebm(*arguments)
        except BaseException as error:  # pytest.raises lets through what is no exit
            if isinstance(error, KeyboardInterrupt):
                raise
            wrong.append(f"{said!a}: {type(error).__name__}: {str(error)[:200]!a}")
            continue
        if finished.code not in (0, 1, 2) or "Traceback" in finished.err + finished.out:
            wrong.append(f"{said!a}: exit code {finished.code}")
        if finished.code and not (finished.out + finished.err).strip():
            wrong.append(f"{said!a}: exit code {finished.code}, and no word")
    assert not wrong, "\n" + "\n".join(wrong)


LOCALES = {
    "C": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "ASCII, strict": {"PYTHONIOENCODING": "ascii:strict"},
    "Latin-1": {"PYTHONIOENCODING": "latin-1:strict", "PYTHONUTF8": "0"},
}


@pytest.mark.slow
@pytest.mark.parametrize("locale", LOCALES)
def test_no_locale_makes_a_traceback(root, paths, locale, tmp_path):
    strange = image(tmp_path / "größe \N{CAT FACE}.png")
    for arguments in (
        ["score", str(strange), "--run", RUN],
        ["score", str(strange), "--run", RUN, "--json"],
        ["score", str(strange.with_name("größe.png")), "--run", RUN],
        ["apply", "sample", str(strange), "--run", "größe", "-o", str(tmp_path / "OUT")],
        ["apply", "sample", str(strange), "--run", RUN, "--steps", "1", "-o", str(tmp_path / "Größe")],
        ["own", str(tmp_path), "--name", "größe"],
        ["explain", "größe"],
        ["status", "-C", "größe=1"],
        ["--help"],
    ):
        found = subprocess.run(
            [sys.executable, "-m", "atebm", *arguments],
            cwd=root,
            env=environment_of(LOCALES[locale]),
            capture_output=True,
            encoding="latin-1",  # which reads whatever was written
            check=False,
        )
        assert found.returncode in (0, 1, 2) and "Traceback" not in found.stdout + found.stderr, (arguments, found)
