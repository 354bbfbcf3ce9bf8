"""index.html of a folder of results, from what lies there."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from math import isfinite
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup
from PIL import Image

from ..pipeline.artifacts import ARTIFACTS, target
from ..pipeline.kept import RESULTS, is_beside
from ..pipeline.staleness import PAGE, SITE, provenance
from ..provenance.manifest import ancestry, evidence, minutes, words_of
from ..report.needs import Needs
from ..utils.files import write_text
from ..utils.hashing import sealed, sha256
from .board import claims_in, tally
from .pictures import Pair, pairs_in, write_pictures
from .tables import Table, inline, of_markdown, of_numbers

MOST_ROWS = 16  # of the numbers behind a figure; more of them are a download alone
POINTS = 60  # of a small training curve
# What each scale is. Those of the tests are shown only where the page is of them.
SCALES = {
    "demo": "stand-ins: small grey images in place of all data, small networks, minutes of training on two CPU cores",
    "board": "demo's settings on twelve seeds, each a whole replication: the evidence for the claims",
    "fashion": "all of Fashion-MNIST at 32x32 as a stand-in for CIFAR-10, about an hour on a CPU core",
    "paper": "the paper's own data sets, networks and lengths of training, on GPUs",
}
TESTS_ONLY = "for the project's tests: its numbers mean nothing"
BOARD = ("claims",)  # what the section on the paper's claims shows
BOARD_FILES = ("notebooks/claims.html", "notebooks/claims.ipynb", "claims.csv", "claims.md")
GROUPS = ("Main paper", "Supplement", "Beyond the paper")


@dataclass(frozen=True)
class Picture:
    file: str
    width: int
    height: int


@dataclass(frozen=True)
class Artifact:
    """All that the page shows of one rendering; files are named relative to the page."""

    id: str
    anchor: str
    label: str  # "Fig. 7"
    title: str
    intro: Markup  # what its notebook says first
    conditions: Markup  # what its table's caption says of data and measurement
    standin: bool  # whether it was measured on other data than the paper's
    published: str  # the headline, in one line
    measured: str
    picture: Picture | None
    vector: str | None
    still: Picture | None
    animation: str | None
    pairs: list[Pair]
    table: Table | None
    downloads: list[str]
    made: dict[str, Any]


def write_site(results: Path, request: Path) -> None:
    """Write index.html, site/ and their record for the artifacts that `request`, work/specs/artifact/site.json, names.

    Reads `results`, scales/ in it, and what steps left, in work/ or kept, for images before and after an ascent.
    """
    asked = json.loads(request.read_text(encoding="utf-8"))["request"]
    needs = {name: Needs.read(request.with_name(f"{name}.json"), results) for name in asked["requests"]}
    pictures = write_pictures(results, needs)
    write_text(results / PAGE, page_of(results, asked["claims_present"]))
    manifest = json.loads((results / "manifest.json").read_text(encoding="utf-8"))
    # What was drawn on request, no manifest answers for.
    board = [name for name in BOARD_FILES if asked["claims"] and (results / name).exists()]
    made = {
        "request": asked,
        "manifest": manifest["seal"],
        "files": {name: sha256(results / name) for name in (PAGE, *pictures)},
        "board": {name: sha256(results / name) for name in board},
    }
    write_text(results / provenance(SITE), sealed(made))


def page_of(results: Path, claims_present: bool = True) -> str:
    """The page, from what lies in `results` alone; `claims_present`: whether claims.csv is of the present plan."""
    manifest = json.loads((results / "manifest.json").read_text(encoding="utf-8"))
    scale, names = manifest["scale"], [name for name in ARTIFACTS if name in manifest["artifacts"]]
    shown = {name: artifact(name, results, manifest, "") for name in names}
    anchors = list(dict.fromkeys([*names, "claims"]))
    snapshots = list(snapshots_in(results, scale))
    return (
        environment()
        .get_template("index.html.j2")
        .render(
            manifest=manifest,
            scale=scale,
            what=SCALES.get(scale, TESTS_ONLY),
            up=up(results),
            scales=[
                overview(name, results / folder, anchors, folder)
                for name in ([scale] if is_beside(results) else dict.fromkeys((*SCALES, scale)))
                for folder in ("" if name == scale else f"scales/{name}/",)
            ],
            board=scale if evidence(results) == results else evidence(results).name,
            total=len(names),
            claims_present=claims_present,
            claims_made=board_made(results),
            groups={group: [shown[name] for name in names if group_of(name) == group] for group in GROUPS},
            snapshots=snapshots,
            hero=next(iter(shown["figS2"].pairs), None) if "figS2" in shown else None,
            steps=[step_row(step, entry) for step, entry in manifest["steps"].items()],
            trainings=[row for path in sorted((results / "training").glob("*.csv")) if (row := training(path))],
        )
    )


def environment() -> jinja2.Environment:
    """Jinja that escapes everything: names and captions come from files that anyone may have written."""
    loader = jinja2.FunctionLoader(text)
    made = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    made.globals["tally"] = tally
    return made


def text(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="utf-8")


def up(results: Path) -> str:
    """Return the way from the page of a folder of results to the checkout."""
    return "../../../" if is_beside(results) else "../"


def command(name: str, scale: str, results: Path) -> str:
    """Return what draws an artifact in a folder of results again."""
    place = f"{RESULTS}/scales/{results.name}" if is_beside(results) else RESULTS
    config = f" --config scale={scale} results={place}" if is_beside(results) else ""
    return f"snakemake --cores all {target(name, place)}{config}"


def artifact(name: str, results: Path, manifest: dict[str, Any], folder: str) -> Artifact:
    """What lies in `results` of an artifact; `folder` leads there from the page, "" or "scales/fashion/"."""
    label, _, title = manifest["artifacts"][name]["title"].partition(": ")
    words = words_of(name, results)
    conditions, table = "", None
    others = () if folder else manifest["artifacts"].keys() - {name}  # what its words may link to
    if ARTIFACTS[name].is_table:
        conditions, table = of_markdown(results / f"{name}.md", others)
    else:
        table = of_numbers(results / f"{name}.csv", MOST_ROWS)
    suffixes = [suffix for suffix in ("csv", "md", "png", "svg", "gif") if (results / f"{name}.{suffix}").exists()]
    animated, still = "gif" in suffixes and not folder, f"site/{name}.still.png"
    return Artifact(
        id=name,
        anchor=f"{manifest['scale']}-{name}" if folder else name,
        label=label,
        title=title,
        intro=inline(intro(results / f"notebooks/{name}.ipynb"), others),
        conditions=inline(conditions, others),
        standin=manifest["scale"] != "paper",
        published=words["published"],
        measured=words["headline"],
        picture=sized(results, f"{name}.png", folder),
        vector=f"{folder}{name}.svg" if "svg" in suffixes else None,
        still=sized(results, still, folder) if animated else None,
        animation=f"{name}.gif" if animated and (results / still).exists() else None,
        pairs=[] if folder else pairs_in(results).get(name, []),
        table=table,
        downloads=[f"{folder}{name}.{suffix}" for suffix in suffixes],
        made=made(name, results, manifest, folder),
    )


def intro(notebook: Path) -> str:
    """What an artifact's notebook says below its heading."""
    first = json.loads(notebook.read_text(encoding="utf-8"))["cells"][0]["source"]
    lines = (first if isinstance(first, str) else "".join(first)).splitlines()
    return " ".join(line for line in lines if line and not line.startswith("#"))


def sized(results: Path, name: str, folder: str = "") -> Picture | None:
    if not (results / name).exists():
        return None
    with Image.open(results / name) as image:
        return Picture(f"{folder}{name}", image.width, image.height)


def made(name: str, results: Path, manifest: dict[str, Any], folder: str) -> dict[str, Any]:
    """How an artifact came about: command, steps, seeds, devices, minutes, and where its code is."""
    behind = ancestry(manifest, name)
    entries = [manifest["steps"][step] for step in behind]
    seeds = {entry["settings"]["seed"] for entry in entries if "seed" in entry["settings"]}
    pages = () if folder else ("html",)  # those of another scale are not in git
    notebooks = [f"{folder}notebooks/{name}.{suffix}" for suffix in (*pages, "ipynb")]
    return {
        "command": command(name, manifest["scale"], results),
        "steps": [step.removeprefix("work/") for step in manifest["artifacts"][name]["steps"]],
        "behind": len(behind),
        "minutes": minutes(manifest, name),
        "seeds": sorted(seeds),
        "devices": sorted({entry["device"] for entry in entries if entry["device"]}),
        "commit": manifest["commit"],
        "provenance": f"{folder}provenance/{name}.json",
        "digest": manifest["requests"][name],
        "notebooks": [path for path in notebooks if (results / path.removeprefix(folder)).exists()],
        "code": code(name, "../" if folder else up(results)),
    }


def board_made(results: Path) -> dict[str, Any] | None:
    """Of the claims board that the page shows; None where there is none."""
    where = evidence(results)
    path, folder = where / provenance("claims"), "" if where == results else f"scales/{where.name}/"
    if not path.exists():
        return None
    request = json.loads(path.read_text(encoding="utf-8"))["request"]
    files = [name for name in BOARD_FILES if (where / name).exists() and not (folder and name.endswith(".html"))]
    return {
        "command": command("claims", request["scale"], where),
        "steps": len(request["needs"]),
        "request": f"{folder}{provenance('claims')}",
        "files": [f"{folder}{name}" for name in files],
        "code": code("claims", up(results)),
    }


def code(name: str, up: str) -> list[tuple[str, str]]:
    """Return of what declares an artifact, and of the function that draws it, the file, from the page, and words."""
    module, _, function = ARTIFACTS[name].draws.rpartition(".")
    files = {"src/atebm/pipeline/artifacts.py": name, f"src/atebm/report/{module.replace('.', '/')}.py": function}
    return [(f"{up}{file}", f"{what} in {file}") for file, what in files.items()]


def group_of(name: str) -> str | None:
    """The part of the paper that an artifact is in; None for those that the claims' section shows."""
    if name in BOARD:
        return None
    if name.startswith(("figS", "tableS")):
        return GROUPS[1]
    return GROUPS[0] if name.startswith(("fig", "table")) or name == "stability" else GROUPS[2]


def overview(scale: str, results: Path, anchors: list[str], folder: str) -> dict[str, Any]:
    """What is known at a scale, of its results, to which `folder` leads: claims, and how many artifacts were drawn."""
    path = results / "manifest.json"
    drawn = json.loads(path.read_text(encoding="utf-8"))["artifacts"] if path.exists() else {}
    return {
        "name": scale,
        "folder": folder,
        "what": SCALES.get(scale, TESTS_ONLY),
        "claims": claims_in(results, scale, anchors),
        "drawn": len(drawn),
    }


def snapshots_in(results: Path, scale: str) -> Iterator[dict[str, Any]]:
    """What is kept of the other scales."""
    for path in sorted((results / "scales").glob("*/manifest.json")):
        manifest = json.loads(path.read_text(encoding="utf-8"))
        name = path.parent.name
        if name != scale:
            names = [each for each in ARTIFACTS if each in manifest["artifacts"] and each not in BOARD]
            shown = [artifact(each, path.parent, manifest, f"scales/{name}/") for each in names]
            yield {"name": name, "what": SCALES.get(name, TESTS_ONLY), "manifest": manifest, "artifacts": shown}


def step_row(step: str, entry: dict[str, Any]) -> dict[str, Any]:
    kind_of, _, identity = step.partition("/")
    return {
        "kind": kind_of,
        "id": identity,
        "anchor": f"step-{step.replace('/', '-')}",
        "device": entry["device"] or "",
        "seconds": entry["seconds"],
        "settings": list(flat(entry["settings"])),
        "parents": [(role, parent["step"]) for role, parent in entry["parents"].items()],
    }


def flat(settings: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Nested settings as lines: "optimizer.lr", "0.0005"."""
    for key, value in settings.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{key}.")
        elif value is not None:
            yield f"{prefix}{key}", ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def training(path: Path) -> dict[str, Any] | None:
    """A run's last row and its batch AUC as a small curve; None of one that was too short to be logged."""
    log = pd.read_csv(path)
    if log.empty:
        return None
    run, seed = path.stem.rsplit(".", 1)
    last = log.iloc[-1]
    return {
        "run": run,
        "seed": seed,
        "file": f"training/{path.name}",
        "iterations": int(last["iteration"]),
        "K": int(last["K"]),
        "auc": float(last["auc"]),
        "curve": curve(log["auc"].tolist()),
    }


def curve(values: list[float]) -> list[tuple[float, float]]:
    """POINTS of some numbers between 0 and 1, as shares of the way and values; what is no number is left out."""
    last = max(len(values) - 1, 1)
    kept = range(len(values)) if len(values) <= POINTS else [round(i * last / (POINTS - 1)) for i in range(POINTS)]
    return [(round(i / last, 3), round(values[i], 3)) for i in kept if isfinite(values[i])]
