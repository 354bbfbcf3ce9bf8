"""docs/first-hour.md from top to bottom in one checkout: every command runs, and prints what the page shows.

Numbers may differ, as those of another machine do; "..." stands for anything.
"""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from conftest import REPOSITORY, checkout, run, snakemake
from PIL import Image

PAGE = REPOSITORY / "docs/first-hour.md"
BLOCK = re.compile(r"^(?:<!-- not run: (.+?) -->\n)?```(console|text)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
SET_UP = "make demo\n"  # begins the one block that is not typed here: what it calls, `followed` calls
NUMBER = r"-?\d[\d,]*(?:\.\d+)?"


class Typed(NamedTuple):
    """What is typed, and what the page shows of the answer."""

    command: str
    shown: str
    succeeds: bool = True


def transcript(page: str) -> Iterator[Typed]:
    """The commands of a page, each with the block of text below it; a text can begin with its own, behind a $."""
    command = ""
    for _, language, text in BLOCK.findall(page):
        if language == "console":
            if command:
                yield Typed(command, "...")
            command = "" if text.startswith(SET_UP) else text
        elif text.startswith("$ "):
            own, _, shown = text[2:].partition("\n")
            yield Typed(own, shown, not shown.startswith("error:"))
        else:
            yield Typed(command, text)
            command = ""
    if command:
        yield Typed(command, "...")


def pattern(shown: str) -> str:
    """What an answer must match: a line or a word "..." is anything, numbers and the width of columns are free."""
    lines = []
    for line in shown.splitlines():
        if line.strip() == "...":
            lines.append(r"(?:.*\n)*?")
        else:
            words = re.findall(rf"{NUMBER}|\.\.\.|\s+|.", line)
            lines.append("".join(map(free, words)) + r" *\n")
    return "".join(lines)


def free(word: str) -> str:
    """What a word, or a letter, of a line must match."""
    if word == "...":
        return ".*"
    return r"[ \t]*" if word.isspace() else NUMBER if re.fullmatch(NUMBER, word) else re.escape(word)


@pytest.fixture(scope="module", params=[pytest.param("followed", marks=pytest.mark.slow)])
def followed(tmp_path_factory) -> Path:
    """A clone after `make demo`, with a folder of photographs."""
    folder = checkout(tmp_path_factory.mktemp("first_hour"))
    for name in ("models", "results"):
        shutil.copytree(REPOSITORY / name, folder / name)
    (folder / "PHOTOS").mkdir()
    random = np.random.default_rng(0)
    for number in range(120):
        noise = random.integers(256, size=(30, 40, 3), dtype=np.uint8)
        Image.fromarray(noise).resize((400, 300)).save(folder / f"PHOTOS/{number:03}.png")
    (command,) = re.findall(r"warm snakemake (.*table2.*)$", (REPOSITORY / "Makefile").read_text(), re.MULTILINE)
    made = snakemake(folder, *command.split())
    assert made.returncode == 0, made.stdout + made.stderr
    return folder


def distance(answer: str) -> float:
    (found,) = re.findall(r"stand-in distance ([\d.]+) ", answer)
    return float(found)


def test_the_first_hour_is_as_its_page_shows(followed):
    distances = []
    for command, shown, succeeds in transcript(PAGE.read_text(encoding="utf-8")):
        ended = run(followed, "bash", "-euo", "pipefail", "-c", f"exec 2>&1\n{command}")
        said = ended.stdout
        assert (ended.returncode == 0) == succeeds, f"{command}\n{said}"
        assert re.fullmatch(pattern(shown), said if said.endswith("\n") else f"{said}\n"), f"{command}\n{said}"
        if "headline" in command:
            distances.append(distance(said))
    before, changed, after = distances
    assert changed > 2 * before and after == before, "one setting has its effect, and is undone"


def test_the_page_is_read_whole():
    typed = list(transcript(PAGE.read_text(encoding="utf-8")))
    blocks = len(re.findall(r"^```(?:console|text)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    assert len(typed) >= 12 and blocks > len(typed) and all(command for command, _, _ in typed)


@pytest.mark.parametrize(
    ("shown", "said", "fits"),
    [
        ("energy 6.71 before, -0.415 after\n", "energy 12 before, -3 after\n", True),
        ("...\na  b 1.0\n...\n", "first\nsecond\na     b 22\nlast\n", True),
        ("...\na b\n", "a b\nmore\n", False),
        ("mean ... after\n", "mean energy 3 after\n", True),
        ("64 files written\n", "sixty files written\n", False),
        ("work/apply/sample: 64 files\n", "work/apply/translate: 64 files\n", False),
    ],
)
def test_an_answer_fits_what_is_shown_or_not(shown, said, fits):
    assert bool(re.fullmatch(pattern(shown), said)) is fits
