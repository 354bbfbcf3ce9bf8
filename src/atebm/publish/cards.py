"""The card of a model that lies in git: what it is, what it learnt from, what was measured, its limits and licences."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from ..config.schema import Config
from ..config.sets import Images
from ..data.content import Places
from ..models.committed import described
from ..utils.markdown import plain
from .numbers import Numbers

EMBEDDED = "data/embedded"
INTERVALS = (
    "± is half of a 95 % interval over disjoint blocks of images, brackets are 95 % intervals by resampling images, at "
    "100 % exact ones: all of them are of this one model. Other seeds and machines give models that differ by more; "
    "results/scales/board/ has the spread over seeds."
)


def card(
    config: Config,
    record: Mapping[str, Any],
    settings: Sequence[Sequence[str]],
    numbers: Numbers,
    files: Mapping[str, tuple[int, str]],
) -> str:
    """Return a card in Markdown; its first words say what the model was trained on.

    `record` is what models/<scale>/<run>/model.json has but for its files, which are given with size and sha256;
    `settings` are lines of [what, paper, here].
    """
    title = described(dict(record))
    parts = [
        f"{plain(title)}\n{'=' * len(title)}",
        "\n".join(introduction(record)),
        table_of(facts(config, record, files)),
        "## How it was trained",
        table_of([["", "paper", "here"], *settings]),
        "## What was measured of it",
        *measured(numbers, record["in_distribution"]),
        "## What it is not",
        "\n".join(f"- {limit}" for limit in limits(config, record)),
        "## Licences",
        "\n".join(f"- {licence}" for licence in licences(config, record)),
        f"`python -m atebm publish-models {record['run']}` wrote this card and the files beside it; "
        "`python -m atebm verify` says whether they are as they were written.",
    ]
    return "\n\n".join(parts) + "\n"


def introduction(record: Mapping[str, Any]) -> Iterator[str]:
    yield f"An energy-based model, run `{record['run']}` at scale {record['scale']}. From a clone:"
    yield ""
    yield "```python"
    yield "import atebm"
    yield ""
    yield f'model = atebm.load("{record["name"]}")'
    yield 'model.energy(["picture.png"])  # low where an image is like the data'
    yield "```"


def facts(config: Config, record: Mapping[str, Any], files: Mapping[str, tuple[int, str]]) -> list[list[str]]:
    """Return what the model is, a line of two cells each."""
    task = config.tasks[config.runs[record["run"]].task]
    stands_for = f", a stand-in for {record['stands_for']}" if record["stands_for"] else ""
    channels, height, width = record["shape"]
    count = f"{config.sets[task.p_data].images:,} images"
    rows = [
        ["", ""],
        ["learnt from (p_data)", f"{record['trained_on']}{stands_for}; {count}"],
        ["attacks began at (p_0)", record["p_0"]],
        ["input", f"{width}x{height} pixels, {channels} channel{'s' * (channels > 1)}, in [0, 1]"],
        ["output", "f(x), a logit; the energy is -f(x)"],
        ["size", f"{record['parameters']:,} parameters"],
        ["seed", str(record["seed"])],
        ["checkpoint", checkpoint(record)],
    ]
    if record["steps"]:
        steps, size = record["steps"]["sampling"]
        rows.append(["sampler", f"{steps} steps of PGD of size {size:g}"])
    rows.append(["step of the workflow", f"`{record['step']}`"])
    rows += [[f"`{name}`", f"{size:,} bytes, sha256 `{digest}`"] for name, (size, digest) in files.items()]
    return rows


def checkpoint(record: Mapping[str, Any]) -> str:
    """Say of which iteration the weights are, and why of that one."""
    if best := record["best"]:
        chosen = "the smallest distance on validation sources, which no number below is of"
        return f"iteration {best['iteration']} of {record['iterations']}: {chosen}"
    return f"the last one, after {record['iterations']} iterations"


def measured(numbers: Numbers, inside: Mapping[str, Any]) -> Iterator[str]:
    """Yield tables, and what their intervals are; `inside` are the images that count as in distribution."""
    if not numbers.quality.empty:
        yield markdown(numbers.quality)
    if not numbers.detection.empty:
        images = f"{len(inside['energies'])} images of `{inside['set']}`"
        yield f"AUROC in percent of telling {images} from others by f, clean and attacked to raise f:"
        yield markdown(numbers.detection)
    yield INTERVALS if not (numbers.quality.empty and numbers.detection.empty) else "Nothing, at this scale."


def limits(config: Config, record: Mapping[str, Any]) -> Iterator[str]:
    """Yield what the model is not for."""
    channels, height, width = record["shape"]
    colours = "grey images" if channels == 1 else "images"
    yield f"It sees {colours} of {width}x{height} pixels. It was made to show a method within minutes, not for use."
    if title := record["stands_for"]:
        yield f"It has seen no image of {title}. No number here is about those, or compares with a published one."
    if config.extractors[config.metrics.extractor].kind != "inception":
        yield "Distances and scores are by features of a small stand-in classifier: they are neither FID nor IS."
    yield "It is one model of one seed. What the paper's claims come to over seeds is on the board of claims."
    yield "A low energy says that f is high there. It is no certificate, and an attack can lower it."


def licences(config: Config, record: Mapping[str, Any]) -> Iterator[str]:
    """Yield the licence of the code and the weights, and those of the data that were learnt from."""
    yield "Code, and the weights as far as they are this project's work: Apache-2.0 (LICENSE). The data keep their own."
    task = config.tasks[config.runs[record["run"]].task]
    for role, name in (("p_data", task.p_data), ("p_0", task.p_0)):
        spec = config.sets[name]
        while hasattr(spec, "of"):
            spec = config.sets[spec.of]
        yield f"{role}, {plain(config.title_of(name))}: {licence_of(spec)}"


def licence_of(spec: Images) -> str:
    """Say under which licences the images of a set are."""
    places = Places()
    if spec.listed:
        with (places.embedded / spec.embedded).open(newline="", encoding="utf-8") as file:
            rows = {row["name"]: row["licence"] for row in csv.DictReader(file)}
        named = "; ".join(f"{name}: {plain(rows[name])}" for name in spec.listed)
        return f"{named}. Their authors are in {EMBEDDED}/{spec.embedded}."
    if spec.embedded:
        first = (places.embedded / spec.embedded / "LICENSE").read_text(encoding="utf-8").splitlines()[0]
        return f"{plain(first)} ({EMBEDDED}/{spec.embedded}/LICENSE)."
    archives = ", ".join(archive for archive, _ in spec.archives)
    return f"the terms of {archives}, which data/README.md names." if archives else "made by this project's code."


def table_of(lines: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table; its head is the first line."""
    head, *rows = lines
    return markdown(pd.DataFrame(rows, columns=pd.Index(head)))


def markdown(frame: pd.DataFrame) -> str:
    """Return a table in Markdown without an index, its cells as text."""
    cells = [[plain(str(cell)) if pd.notna(cell) else "" for cell in row] for row in frame.to_numpy()]
    lines = [list(map(str, frame.columns)), ["---"] * frame.shape[1], *cells]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
