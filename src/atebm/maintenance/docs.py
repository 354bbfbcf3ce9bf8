"""What of the documentation is generated and kept in git: verdicts and the artifact table, from the committed results/,
what scale paper is expected to cost, the rules, and who made the embedded photographs. What the site alone has,
docs/hooks.py makes as it is built."""

import csv
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pandas as pd

from ..config.json_schema import FILE, schema_text
from ..pipeline.artifacts import ARTIFACTS, target
from ..pipeline.plan import Plan
from ..provenance.manifest import minutes, words_of
from ..utils.errors import ConfigError
from ..utils.files import of_checkout, write_between, write_text
from .evidence_pages import design, negative, outcomes, reproduction, scope, verdicts
from .kind_table import kind_table

# What `python -m atebm cost -C scale=paper --rates data/expected/rates_h100.json --json` prints; and, beside it, the
# same with bf16 and compile: true of runs cifar10 and celebahq256, which the others are like, and of the pre-training
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


def write_docs(root: Path) -> None:
    """Replace the generated parts of the README, of docs/ and of data/embedded/ in a checkout; from its folder."""
    results = root / "results"
    for page in ("README.md", "docs/explanation/results.md"):
        write_between(root / page, "verdicts", verdicts(results))
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
    write_between(root / "docs/reference/files.md", "kinds", kind_table())
    write_text(root / FILE, schema_text())
    write_between(root / PHOTOGRAPHS, "photographs", attributions(root / "data/embedded/photographs.csv"))


def attributions(index: Path) -> str:
    """Return Markdown: title, author, year, licence, source and changes of each photograph that is embedded."""
    with index.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if not row["package"]]
    return "\n".join(
        f"- [{Path(row['file']).name}]({Path(row['file']).name}): “{row['title']}” by {row['author']}, {row['year']}, "
        f"[{row['licence']}]({row['licence_url']}); from `{row['original']}` ({row['original_size']}) of "
        f"{row['distribution']} {row['version']}, {row['changes']}."
        for row in rows
    )


def rule_table() -> str:
    """Return Markdown: Snakemake's rules, each with those whose outputs it reads; from the checkout's folder."""
    command = ["snakemake", "--rulegraph", "mermaid-js", "--forceall"]
    graph = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    names = dict(re.findall(r"(id\d+)\[(\w+)\]", graph))
    # By name and sorted, since Snakemake numbers and orders them anew in each call.
    parents: dict[str, set[str]] = {name: set() for name in sorted(names.values())}
    for parent, child in re.findall(r"(id\d+) --> (id\d+)", graph):
        parents[names[child]].add(names[parent])
    rows = [{"rule": f"`{rule}`", "reads what these make": ", ".join(sorted(read))} for rule, read in parents.items()]
    return pd.DataFrame(rows).to_markdown(index=False)


UP = "../../"  # from a page in a folder of docs/ to the repository's root


def artifact_table(results: Path) -> str:
    """Return Markdown: item, target, notebook, minutes of computation, the paper's headline and ours."""
    manifest = json.loads(of_checkout(results / "manifest.json"))
    rows = []
    for artifact in filter(manifest["artifacts"].__contains__, ARTIFACTS):
        file, words = target(artifact), words_of(artifact, results)
        rows.append(
            {
                "item": ARTIFACTS[artifact].label,
                "target": f"[`{file}`]({UP}{file})",
                "notebook": f"[rendered]({UP}results/notebooks/{artifact}.ipynb)",
                "minutes": f"{minutes(manifest, artifact):.1f}",
                "published, on the paper's data": words["published"],
                f"measured at scale {manifest['scale']}, on stand-in data": words["headline"],
            }
        )
    return pd.DataFrame(rows).to_markdown(index=False, disable_numparse=True)


def headline(artifact: str, plan: Plan, root: Path) -> str:
    """Return one line on an artifact: what was measured, as the plan's results say it, and what was published.

    Raises ConfigError for an unknown artifact, and where it is not drawn there.
    """
    if artifact not in ARTIFACTS:
        raise ConfigError(f"there is no artifact {artifact!r}; there are: {', '.join(ARTIFACTS)}.")
    try:
        words = words_of(artifact, root / plan.results)
    except FileNotFoundError as error:
        command = plan.command(target(artifact, plan.results))
        raise ConfigError(f"{error.filename} is missing: {command}") from None
    said = f"{ARTIFACTS[artifact].label}, measured here: {words['headline']}"
    return f"{said}; published, on the paper's data: {words['published']}." if words["published"] else f"{said}."


def expectation(path: Path) -> str:
    """Return Markdown: hours and disk of scale paper by the file at `path`, or that they were not measured."""
    if not path.exists():
        return "Not measured yet: `python -m atebm cost -C scale=paper` says it of the machine that it runs on."
    found = json.loads(path.read_text(encoding="utf-8"))
    total, archives = found["total"], found["archives"]["gigabytes"]
    shown = [row for row in found["artifacts"] if row["adds"]["hours"] >= SHOWN]
    rest = [row["adds"] for row in found["artifacts"] if row not in shown]
    hours, gigabytes = (sum(adds[key] for adds in rest) for key in ("hours", "gigabytes"))
    lines = [(row["title"].split(":")[0], *both(row), *both(row["adds"])) for row in shown]
    lines.append((f"the {len(rest)} others", "", "", f"{hours:,.1f}", f"{gigabytes:,.1f}"))
    columns = ["item", "hours, if alone", "GB, if alone", "hours more than the lines above", "GB more"]
    return "\n".join(
        [
            f"By floating point operations and the speed of one {found['device']} (torch {found['torch']}),",
            f"data included, {total['hours']:,.0f} GPU-hours in all, {total['at_most']:,.0f} if K grows as early as",
            f"`auc_advance` may let it, and {total['floor']:,.0f} at the speed of a large product of matrices.",
            *in_bfloat16(path.with_stem(f"{path.stem}_bf16")),
            f"With any number of GPUs at least {found['critical_path']['hours']:,.0f} hours:",
            f"{chain_of(found)}.",
            f"Images and distances take {total['data']:,.0f} hours of one core, most by workers meanwhile.",
            f"{total['gigabytes']:,.0f} GB in `work/`, and at least {archives:,.0f} GB of archives.",
            f"Models per run: {found['seeds']}.",
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
    speeds = [row["source"] for row in found["weekend"]["measured"]]
    assumed = sum(source != "measured" for source in speeds)
    return (
        f"{table}\n\nOn an {found['paper']['device']}, data included; figures and tables that take less than {LEAST} h "
        f"are left out.\nOf the {len(speeds)} speeds behind `weekend`, {assumed} are assumed, not "
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
    """Return the steps that wait for each other and show, with their hours."""
    steps = [row for row in found["critical_path"]["steps"] if row["hours"] >= SHOWN]
    return ", then ".join(f"`{row['step'].rpartition('-')[0]}` {row['hours']:,.0f} h" for row in steps)


def in_bfloat16(path: Path) -> list[str]:
    """Return what bfloat16 and torch.compile make of the hours, and which speeds behind that are assumed."""
    if not path.exists():
        return []
    found = json.loads(path.read_text(encoding="utf-8"))
    assumed = sum(row["source"] != "measured" for row in found["measured"])
    hours, waited = found["total"]["hours"], found["critical_path"]["hours"]
    return [
        f"With `precision: bf16` and `compile: true` of all runs and of the pre-training, {hours:,.0f}, of which",
        f"{waited:,.0f} wait for each other; {assumed} of the {len(found['measured'])} speeds behind that are assumed,",
        "not measured: `atebm cost --rates data/expected/rates_h100.json` names each and its source.",
    ]


def both(cost: dict[str, Any]) -> tuple[str, str]:
    """Hours and GB of a row of `atebm cost`."""
    return f"{cost['hours']:,.0f}", f"{cost['gigabytes']:,.1f}"
