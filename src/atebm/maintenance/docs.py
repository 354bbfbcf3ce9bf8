"""Generate the parts of the documentation that are kept in git.

These are the verdicts, the table of artifacts and the page for reviewers (from the committed results/), the expected
cost of the paper scale, the rules and their pictures, the kinds of step, codecheck.yml, and the authors of the embedded
photographs. docs/hooks.py makes pages that only the site has.
"""

import csv
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pandas as pd

from ..config.json_schema import FILE, schema_text
from ..config.load import configured
from ..pipeline.artifacts import ARTIFACTS, target
from ..pipeline.plan import Plan
from ..provenance.manifest import minutes, words_of
from ..utils.errors import ConfigError
from ..utils.files import of_checkout, write_between, write_if_changed, write_text
from . import codecheck
from .diagrams import kinds_picture, way_picture
from .evidence_pages import design, markdown, negative, outcomes, reproduction, scope, verdicts
from .kind_table import kind_table
from .review_page import UP, review

# The output of `python -m atebm cost -C scale=paper --rates data/expected/rates_h100.json --json`. Beside it lies the
# same with bf16 and `compile: true` for the runs cifar10 and celebahq256, from which others inherit, and pre-training.
EXPECTED = "data/expected/paper_h100.json"
PHOTOGRAPHS = "data/embedded/photographs/README.md"
# Of scales, likewise: their columns in docs/howto/from_nothing.md
COLUMNS = {
    "released": "data/expected/released_h100.json",
    "weekend": "data/expected/weekend_h100.json",
    "paper": EXPECTED,
    "paper in bfloat16, compiled": "data/expected/paper_h100_bf16.json",
}
LEAST = 0.05  # hours of an artifact that has a line
SHOWN = 1.0  # hours that an artifact must add to those before it to have a line of its own
HEADLINE = "table2"  # has one in any case


def write_docs(root: Path) -> None:
    """Replace the generated parts of the README, docs/ and data/embedded/ in a checkout; run it from there."""
    results = root / "results"
    for page in ("README.md", "docs/explanation/results.md"):
        write_between(root / page, "verdicts", verdicts(results))
    write_between(root / "docs/howto/artifact-review.md", "review", review(results))
    write_between(root / "docs/explanation/negative.md", "negative", negative(results))
    report = root / "docs/explanation/report.md"
    for part, text in (("scope", scope(results)), ("design", design()), ("outcomes", outcomes(results))):
        write_between(report, part, text)
    write_between(report, "verdicts", verdicts(results))
    write_between(root / "docs/reference/reproduction.md", "rules_of_reproduction", reproduction())
    write_between(root / "docs/reference/artifacts.md", "artifacts", artifact_table(results))
    write_between(root / "docs/reference/scales.md", "expected", expectation(root / EXPECTED))
    write_between(root / "docs/howto/from_nothing.md", "hours", hours_by_scale(root))
    write_between(root / "docs/explanation/workflow.md", "rules", rule_table())
    for file, picture in pictures(root).items():
        write_if_changed(root / file, picture)
    write_between(root / "docs/reference/files.md", "kinds", kind_table())
    write_text(root / FILE, schema_text())
    write_text(root / codecheck.FILE, codecheck.codecheck(root))
    write_between(root / PHOTOGRAPHS, "photographs", attributions(root / "data/embedded/photographs.csv"))


def pictures(root: Path) -> dict[str, str]:
    """Return the SVGs of docs/explanation/workflow.md by their files: of scale paper, which has every kind of step."""
    plan = Plan(configured(root, ["scale=paper"]))
    made = {"kinds": kinds_picture(plan), "way": way_picture(plan, "table2")}
    return {f"docs/explanation/{name}.svg": picture for name, picture in made.items()}


def attributions(index: Path) -> str:
    """Return Markdown: title, author, year, licence, source and changes of each embedded photograph."""
    with index.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if not row["package"]]
    return "\n".join(
        f"- [{Path(row['file']).name}]({Path(row['file']).name}): “{row['title']}” by {row['author']}, {row['year']}, "
        f"[{row['licence']}]({row['licence_url']}); from `{row['original']}` ({row['original_size']}) of "
        f"{row['distribution']} {row['version']}, {row['changes']}."
        for row in rows
    )


def rule_table() -> str:
    """Return Markdown: Snakemake's rules, each with the rules whose outputs it reads; run it from the checkout."""
    command = ["snakemake", "--rulegraph", "mermaid-js", "--forceall"]
    graph = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    names = dict(re.findall(r"(id\d+)\[(\w+)\]", graph))
    # Sorted by name, since Snakemake's numbers and order change from call to call.
    parents: dict[str, set[str]] = {name: set() for name in sorted(names.values())}
    for parent, child in re.findall(r"(id\d+) --> (id\d+)", graph):
        parents[names[child]].add(names[parent])
    rows = [{"rule": f"`{rule}`", "reads the outputs of": ", ".join(sorted(read))} for rule, read in parents.items()]
    return pd.DataFrame(rows).to_markdown(index=False)


def artifact_table(results: Path) -> str:
    """Return Markdown: item with its page, target, minutes of computation, the published and the measured headline."""
    manifest = json.loads(of_checkout(results / "manifest.json"))
    rows = []
    for artifact in filter(manifest["artifacts"].__contains__, ARTIFACTS):
        file, words = target(artifact), words_of(artifact, results)
        rows.append(
            {
                "item": f"[{ARTIFACTS[artifact].label}]({UP}results/notebooks/{artifact}.ipynb)",
                "target": f"[`{file}`]({UP}{file})",
                "minutes": f"{minutes(manifest, artifact):.1f}",
                "published, on the paper's data": words["published"],
                f"measured at the {manifest['scale']} scale, on stand-in data": words["headline"],
            }
        )
    return markdown(pd.DataFrame(rows))


def headline(artifact: str, plan: Plan, root: Path) -> str:
    """Return one line on an artifact: the headline of the plan's results, and the published one.

    Raises ConfigError for an unknown artifact, and if it has not been drawn.
    """
    if artifact not in ARTIFACTS:
        raise ConfigError(f"there is no artifact {artifact!r}; the artifacts are: {', '.join(ARTIFACTS)}.")
    try:
        words = words_of(artifact, root / plan.results)
    except FileNotFoundError as error:
        command = plan.command(target(artifact, plan.results))
        raise ConfigError(f"{error.filename} is missing; make it: {command}") from None
    said = f"{ARTIFACTS[artifact].label}, measured here: {words['headline']}"
    return f"{said}; published, on the paper's data: {words['published']}." if words["published"] else f"{said}."


def expectation(path: Path) -> str:
    """Return Markdown: hours and disk space of the paper scale by the file at `path`, or that it is missing."""
    if not path.exists():
        return "Not estimated yet: `python -m atebm cost -C scale=paper` estimates it for the machine that it runs on."
    found = json.loads(path.read_text(encoding="utf-8"))
    total, archives = found["total"], found["archives"]["gigabytes"]
    shown = [row for row in found["artifacts"] if row["adds"]["hours"] >= SHOWN or row["artifact"] == HEADLINE]
    rest = [row["adds"] for row in found["artifacts"] if row not in shown]
    hours, gigabytes = (sum(adds[key] for adds in rest) for key in ("hours", "gigabytes"))
    lines = [(row["title"].split(":")[0], *both(row), *both(row["adds"])) for row in shown]
    lines.append((f"the {len(rest)} others", "", "", f"{hours:,.1f}", f"{gigabytes:,.1f}"))
    columns = ["item", "hours, if alone", "GB, if alone", "hours beyond the lines above", "GB beyond"]
    return "\n".join(
        [
            f"The paper scale takes an estimated {total['hours']:,.0f} GPU-hours in all, data included. The estimate",
            "counts floating point operations and uses the speed of",
            f"one {found['device']} (torch {found['torch']}). If K grows as early as `auc_advance` allows,",
            f"it is {total['at_most']:,.0f} hours; at the speed of a large matrix product it would be",
            f"{total['floor']:,.0f} hours.",
            *in_bfloat16(path.with_stem(f"{path.stem}_bf16")),
            "With any number of GPUs, the longest chain of steps that wait for each other takes at least",
            f"{found['critical_path']['hours']:,.0f} hours: {chain_of(found)}.",
            f"Images and distances take {total['data']:,.0f} hours of one CPU core, mostly while the GPU works.",
            f"`work/` grows to {total['gigabytes']:,.0f} GB, and the archives take at least {archives:,.0f} GB.",
            f"These numbers are for {found['seeds']} {'model' if found['seeds'] == 1 else 'models'} per run.",
            "",
            pd.DataFrame(lines, columns=columns).to_markdown(index=False, disable_numparse=True),
        ]
    )


def hours_by_scale(root: Path) -> str:
    """Return Markdown: hours and disk of some scales on one GPU, and hours of each artifact alone."""
    found = {name: json.loads(of_checkout(root / path)) for name, path in COLUMNS.items()}
    rows = [
        ("everything that the scale draws", *(f"{each['total']['hours']:,.1f} h" for each in found.values())),
        ("with any number of GPUs", *(f"{each['critical_path']['hours']:,.1f} h" for each in found.values())),
        ("`work/`", *(f"{each['total']['gigabytes']:,.0f} GB" for each in found.values())),
        ("archives", *(f"at least {each['archives']['gigabytes']:,.0f} GB" for each in found.values())),
    ]
    for name, artifact in ARTIFACTS.items():
        cells = [hours_in(each, name) for each in found.values()]
        if not artifact.on_request and any(cell and not cell.startswith("(") for cell in cells):
            rows.append((artifact.label, *cells))
    table = pd.DataFrame(rows, columns=["", *found]).to_markdown(index=False, disable_numparse=True)
    assumed, speeds = assumed_speeds(found["weekend"])
    return (
        f"{table}\n\nOn an {found['paper']['device']}, data included; figures and tables that take less than {LEAST} h "
        f"are left out.\nOf the {speeds} speeds behind `weekend`, {assumed} are assumed, not "
        "measured:\n`atebm cost -C scale=weekend --rates data/expected/rates_h100.json` names each, and its source."
    )


def hours_in(found: dict[str, Any], artifact: str) -> str:
    """Return the hours of an artifact alone at a scale; in brackets where it is drawn on request."""
    rows = {row["artifact"]: (row, key) for key in ("artifacts", "on_request") for row in found[key]}
    row, key = rows[artifact]
    if row["hours"] < LEAST:
        return ""
    return f"{row['hours']:,.1f}" if key == "artifacts" else f"({row['hours']:,.1f})"


def chain_of(found: dict[str, Any]) -> str:
    """Return the long steps of the longest chain of dependent steps, with their hours."""
    steps = [row for row in found["critical_path"]["steps"] if row["hours"] >= SHOWN]
    return ", then ".join(f"`{row['step'].rpartition('-')[0]}` {row['hours']:,.0f} h" for row in steps)


def in_bfloat16(path: Path) -> list[str]:
    """Return the hours with bfloat16 and torch.compile, and how many of the speeds behind them are assumed."""
    if not path.exists():
        return []
    found = json.loads(path.read_text(encoding="utf-8"))
    assumed, speeds = assumed_speeds(found)
    hours, waited = found["total"]["hours"], found["critical_path"]["hours"]
    return [
        f"With `precision: bf16` and `compile: true` for all runs and the pre-training, it would take {hours:,.0f}",
        f"GPU-hours, {waited:,.0f} of them in the longest chain. Of the {speeds} speeds behind this",
        f"estimate, {assumed} are assumed and not measured: `atebm cost --rates data/expected/rates_h100.json` names",
        "each with its source.",
    ]


def assumed_speeds(found: dict[str, Any]) -> tuple[int, int]:
    """Return how many speeds behind an estimate are assumed and not measured, and how many there are."""
    sources = [row["source"] for row in found["measured"]]
    return sum(source != "measured" for source in sources), len(sources)


def both(cost: dict[str, Any]) -> tuple[str, str]:
    """Return the hours and GB of a row of `atebm cost`."""
    return f"{cost['hours']:,.0f}", f"{cost['gigabytes']:,.1f}"
