"""Write the card of a model in git: what it is, its training data, measured results, limits and licences."""

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
    "± is half of a 95 % interval over disjoint blocks of images; brackets hold 95 % intervals by resampling images "
    "(exact ones where the AUROC is 100 %). All intervals are for this one model. Models from other seeds and machines "
    "differ by more; results/scales/board/ shows the spread over seeds."
)


def card(
    config: Config,
    record: Mapping[str, Any],
    settings: Sequence[Sequence[str]],
    numbers: Numbers,
    files: Mapping[str, tuple[int, str]],
) -> str:
    """Return a card in Markdown; its first words say what the model was trained on.

    `record` is models/<scale>/<run>/model.json without its files; `files` gives their sizes and sha256. `settings` are
    lines of [setting, paper, here].
    """
    title = described(dict(record))
    parts = [
        f"{plain(title)}\n{'=' * len(title)}",
        "\n".join(introduction(record)),
        table_of(facts(config, record, files)),
        "## How it was trained",
        table_of([["", "paper", "here"], *settings]),
        "## Measured results",
        *measured(numbers, record["in_distribution"]),
        "## Limits",
        "\n".join(f"- {limit}" for limit in limits(config, record)),
        "## Licences",
        "\n".join(f"- {licence}" for licence in licences(config, record)),
        f"`python -m atebm publish-models {record['run']}` wrote this card and the files beside it; "
        "`python -m atebm verify` checks that they have not changed.",
    ]
    return "\n\n".join(parts) + "\n"


def introduction(record: Mapping[str, Any]) -> Iterator[str]:
    yield f"An energy-based model: run `{record['run']}` at the {record['scale']} scale. To use it from a clone:"
    yield ""
    yield "```python"
    yield "import atebm"
    yield ""
    yield f'model = atebm.load("{record["name"]}")'
    yield 'model.energy(["picture.png"])  # low for images that resemble the data'
    yield "```"


def facts(config: Config, record: Mapping[str, Any], files: Mapping[str, tuple[int, str]]) -> list[list[str]]:
    """Return facts about the model, as lines of two cells."""
    task = config.tasks[config.runs[record["run"]].task]
    stands_for = f", a stand-in for {record['stands_for']}" if record["stands_for"] else ""
    channels, height, width = record["shape"]
    count = f"{config.sets[task.p_data].images:,} images"
    rows = [
        ["", ""],
        ["training data (p_data)", f"{record['trained_on']}{stands_for}; {count}"],
        ["images that attacks started from (p_0)", record["p_0"]],
        ["input", f"{width}x{height} pixels, {channels} channel{'s' * (channels > 1)}, in [0, 1]"],
        ["output", "f(x), a logit; the energy is -f(x)"],
        ["size", f"{record['parameters']:,} parameters"],
        ["seed", str(record["seed"])],
        ["checkpoint", checkpoint(record)],
    ]
    if record["steps"]:
        steps, size = record["steps"]["sampling"]
        rows.append(["sampler", f"{steps} PGD steps of size {size:g}"])
    rows.append(["step of the workflow", f"`{record['step']}`"])
    rows += [[f"`{name}`", f"{size:,} bytes, sha256 `{digest}`"] for name, (size, digest) in files.items()]
    return rows


def checkpoint(record: Mapping[str, Any]) -> str:
    """Say which iteration the weights come from, and why."""
    if best := record["best"]:
        chosen = "the smallest distance on validation sources, which no number below uses"
        return f"iteration {best['iteration']} of {record['iterations']}: {chosen}"
    return f"the last one, after {record['iterations']} iterations"


def measured(numbers: Numbers, inside: Mapping[str, Any]) -> Iterator[str]:
    """Yield tables, and the meaning of their intervals; `inside` describes the in-distribution images."""
    if not numbers.quality.empty:
        yield markdown(numbers.quality)
    if not numbers.detection.empty:
        images = f"{len(inside['energies'])} images of `{inside['set']}`"
        yield f"AUROC in percent for telling {images} from other images by f; the others are clean or attacked:"
        yield markdown(numbers.detection)
    yield (
        INTERVALS if not (numbers.quality.empty and numbers.detection.empty) else "Nothing was measured at this scale."
    )


def limits(config: Config, record: Mapping[str, Any]) -> Iterator[str]:
    """Yield the limits of the model."""
    channels, height, width = record["shape"]
    colours = "grey images" if channels == 1 else "images"
    yield f"It takes {colours} of {width}x{height} pixels. It was trained in minutes to show a method, not for use."
    if title := record["stands_for"]:
        yield f"It has seen no image of {title}, so no number here can be compared with a published one."
    if config.extractors[config.metrics.extractor].kind != "inception":
        yield "Distances and scores use features of a small stand-in classifier: they are neither FID nor IS."
    yield "It is one model of one seed. The claims board tests the paper's claims over several seeds."
    yield "A low energy only means that f is high. It is not a certificate, and an attack can lower it."


def licences(config: Config, record: Mapping[str, Any]) -> Iterator[str]:
    """Yield the licence of code and weights, and the licences of the training data."""
    yield "Code, and this project's share in the weights: Apache-2.0 (LICENSE). The data keep their own licences."
    task = config.tasks[config.runs[record["run"]].task]
    for role, name in (("p_data", task.p_data), ("p_0", task.p_0)):
        spec = config.sets[name]
        while hasattr(spec, "of"):
            spec = config.sets[spec.of]
        yield f"{role}, {plain(config.title_of(name))}: {licence_of(spec)}"


def licence_of(spec: Images) -> str:
    """Say which licences the images of a set have."""
    places = Places()
    if spec.listed:
        with (places.embedded / spec.embedded).open(newline="", encoding="utf-8") as file:
            rows = {row["name"]: row["licence"] for row in csv.DictReader(file)}
        named = "; ".join(f"{name}: {plain(rows[name])}" for name in spec.listed)
        return f"{named}. {EMBEDDED}/{spec.embedded} names their authors."
    if spec.embedded:
        first = (places.embedded / spec.embedded / "LICENSE").read_text(encoding="utf-8").splitlines()[0]
        return f"{plain(first)} ({EMBEDDED}/{spec.embedded}/LICENSE)."
    archives = ", ".join(archive for archive, _ in spec.archives)
    return f"the terms of {archives}, see data/README.md." if archives else "generated by this project's code."


def table_of(lines: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table; the first line is its head."""
    head, *rows = lines
    return markdown(pd.DataFrame(rows, columns=pd.Index(head)))


def markdown(frame: pd.DataFrame) -> str:
    """Return a table in Markdown without an index, with its cells as text."""
    cells = [[plain(str(cell)) if pd.notna(cell) else "" for cell in row] for row in frame.to_numpy()]
    lines = [list(map(str, frame.columns)), ["---"] * frame.shape[1], *cells]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
