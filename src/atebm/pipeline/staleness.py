"""Decide which renderings in the folder of results belong to the present plan.

Contents decide, not ages: a clone, a checkout or a `dvc pull` scrambles mtimes, and Snakemake's own records do not
travel. Beside every rendering lies the request that it was drawn for, provenance/<id>.json. An artifact is stale if
that is not the present request, or if the numbers that it was drawn from are missing.

numbers/ keeps what a rendering was drawn from (pipeline/kept.py). With `numbers: kept` in the configuration this is
enough: no step is computed again to draw it.
"""

import csv
import hashlib
import json
import time
from collections.abc import Iterable
from functools import cache, partial
from importlib import metadata
from pathlib import Path
from typing import Any

from ..config.load import configured
from ..utils.files import write_if_changed
from ..utils.hashing import canonical, is_sealed, sha256
from .artifacts import ARTIFACTS
from .closure import closure
from .kept import RESULTS, is_beside, is_kept, listing_in
from .naming import labels_in
from .plan import Plan
from .settings_beside import settings_beside
from .step import Step

MANIFEST, SITE = "manifest", "site"
PAGE = "index.html"  # in the folder of results
# States of a rendering.
DRAWN = "drawn"  # from the present plan, and its steps are in work/, or copies of them are enough
ELSEWHERE = "drawn elsewhere"  # from the present plan, but its steps are not in work/, as in a clone
STALE, TO_DRAW = "stale", "to draw"
DRIVING = ("snakemake", "dvc", "papermill", "nbconvert")  # packages that a job in a conda environment cannot see
SHOWING = ("src/atebm/publish/*.j2", "src/atebm/publish/*.css", "CITATION.cff")  # parts of the overview beside code
PAGE_CODE = "publish.artifact_page"  # the module that makes an artifact's own page, from these parts:
PAGE_PARTS = ("artifact.html.j2", "cells.html.j2", "layout.html.j2", "macros.html.j2", "site.css")
SHOWN_OF_CLAIMS = ("claim", "effect", "unit", "verdict", "fragile", "seeds", "scale")  # columns that notebooks show
WRITERS = {True: "report.tabulating.write_table", False: "report.drawing.write_figure"}  # True: for a table


def request(plan: Plan, root: Path) -> set[str]:
    """Write the request of each rendering to its `request_file`; return the names of the stale renderings.

    The request of a stale rendering gets new contents and a new mtime at each call, so Snakemake always notices it.
    """
    wanted = renderings(plan, root)
    outdated = {name for name, state in states_of(wanted, plan, root).items() if state != DRAWN}
    for name, contents in wanted.items():
        asked = time.time_ns() if name in outdated else 0
        written: dict[str, Any] = {"asked": asked, "request": contents}
        if name == MANIFEST:
            written |= {"driving": versions(DRIVING), "known": known_steps(plan, root)}
        write_if_changed(root / request_file(plan, name), canonical(written))
    return outdated


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Return the versions of packages, for those that are installed."""
    found = {package: next(iter(metadata.distributions(name=package)), None) for package in packages}
    return {package: distribution.version for package, distribution in found.items() if distribution}


def request_file(plan: Plan, name: str) -> str:
    """Return the file of a rendering's request: work/specs/artifact/<id>.json or work/specs/artifact.board/<id>.json.

    Each folder of results has its own requests, so planning one scale does not disturb a run of another.
    """
    return f"work/specs/artifact{plan.apart}/{name}.json"


def known_steps(plan: Plan, root: Path) -> dict[str, Any]:
    """Return the steps in the manifest, to keep them in its request: Snakemake removes the manifest before a job.

    If the manifest is already removed, they are read from the request.
    """
    manifest = root / plan.results / provenance(MANIFEST)
    for path, key in ((manifest, "steps"), (root / request_file(plan, MANIFEST), "known")):
        try:
            found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))[key]
        except (OSError, ValueError, KeyError, TypeError):
            continue
        return found
    return {}


def stale(plan: Plan, root: Path) -> set[str]:
    """Return the names of the renderings (artifacts, "manifest", "site") that are missing or not as planned."""
    return {name for name, state in states(plan, root).items() if state != DRAWN}


def states(plan: Plan, root: Path) -> dict[str, str]:
    """Return the state of each artifact of the plan and, if there are any, of "manifest" and "site"."""
    return states_of(renderings(plan, root), plan, root)


def states_of(wanted: dict[str, dict[str, Any]], plan: Plan, root: Path) -> dict[str, str]:
    """Return the states by `wanted`, the plan's `renderings`, which take a tenth of a second to compute."""
    found: dict[str, str] = {}
    results = root / plan.results
    for name in plan.artifacts:
        here = all((root / step.record).exists() for step in drawn_steps(plan, name, root))
        best = ELSEWHERE if not here else DRAWN if has_numbers(plan, name, root) else STALE
        found[name] = state_of(drawn_from(results, name), wanted[name], best)
    if wanted:
        usual = {found[name] for name in plan.usual}
        best = DRAWN if usual == {DRAWN} else ELSEWHERE if usual <= {DRAWN, ELSEWHERE} else STALE
        found[MANIFEST] = state_of(drawn_from(results, MANIFEST), wanted[MANIFEST], best)
        best = found[MANIFEST] if shows_the_manifest(results) else STALE
        found[SITE] = state_of(drawn_from(results, SITE), wanted[SITE], best)
    return found


def state_of(drawn: dict[str, Any] | None, wanted: dict[str, Any], best: str) -> str:
    """Return the state of a rendering by its request; `best` if the request is the wanted one."""
    return TO_DRAW if drawn is None else best if drawn == wanted else STALE


def drawn_steps(plan: Plan, artifact: str, root: Path) -> list[Step]:
    """Return the steps that must be computed to draw an artifact; [] if copies of their results are enough."""
    steps = plan.artifacts[artifact]
    if plan.config.numbers == "computed":
        return steps
    listing = listing_in(root / plan.results / provenance(artifact)) or {}
    known = {f"{step.kind}/{step.id}" for step in steps} <= listing.keys()
    return [] if known and is_kept(root / plan.results, listing) else steps


def has_numbers(plan: Plan, artifact: str, root: Path) -> bool:
    """Return whether copies of all that a rendering was drawn from are here."""
    return is_kept(root / plan.results, listing_in(root / plan.results / provenance(artifact)))


def renderings(plan: Plan, root: Path) -> dict[str, dict[str, Any]]:
    """Return everything that decides how each rendering looks.

    The entry "manifest" has digests of the artifacts' entries, and "site" has what the page shows.
    """
    tasks = {name: task.model_dump() for name, task in plan.config.tasks.items()}
    sets = {name: plan.config.title_of(name) for task in plan.config.tasks.values() for name in task.sets}
    drawing, board = drawing_digests(plan.needs, root), board_in(root)
    paper = plan.config if plan.config.scale == "paper" else configured(root, ["scale=paper"])
    artifacts = {
        name: {
            "artifact": name,
            "title": plan.title(name),
            "scale": plan.config.scale,
            "tasks": tasks,
            "sets": sets,
            "needs": {role: step.folder for role, step in needs.items()},
            **plan.settings(name),
            "beside": settings_beside(needs.values(), paper, plan.config),
            "claims": [] if is_beside(root / plan.results) else claims_on(ARTIFACTS[name].label, board),
            "neighbours": neighbours(name, plan.usual),
            "draws": ARTIFACTS[name].draws,
            "drawing": drawing[name],
        }
        for name, needs in plan.needs.items()
    }
    if not artifacts:  # nothing is drawn for your own images
        return {}
    templates = {path for glob in SHOWING for path in root.glob(glob)}
    digests = {name: hashlib.sha256(canonical(artifacts[name]).encode()).hexdigest() for name in plan.usual}
    results = root / plan.results
    page = {
        "requests": digests,
        "claims": {name: digest(results / provenance(name)) for name in plan.on_request},
        "claims_present": all(
            drawn_from(results, name) == artifacts[name] for name in plan.on_request if name == "claims"
        ),
        "scales": {
            str(path.relative_to(results / "scales")): sha256(path)
            for name in ("manifest.json", provenance("claims"))
            for path in sorted(results.glob(f"scales/*/{name}"))
            if path.relative_to(results / "scales").parts[0] != plan.config.scale
        },
        "showing": digests_of(templates | code("publish.page", root), root),
    }
    return {**artifacts, MANIFEST: {"requests": digests}, SITE: page}


def board_in(root: Path) -> list[dict[str, str]]:
    """Return the rows of the committed claims board, results/scales/board/claims.csv; [] if it is missing."""
    path = root / RESULTS / "scales/board/claims.csv"
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def claims_on(label: str, board: Iterable[dict[str, str]]) -> list[dict[str, str]]:
    """Return the rows of a board whose place in the paper names an artifact, "Fig. 2"."""
    return [{column: row[column] for column in SHOWN_OF_CLAIMS} for row in board if label in labels_in(row["place"])]


def neighbours(name: str, order: list[str]) -> list[list[str] | None]:
    """Return id and label of the artifacts before and after one; None at either end."""
    place = order.index(name) if name in order else len(order)
    beside = (order[place - 1] if place else None, order[place + 1] if place + 1 < len(order) else None)
    return [[each, ARTIFACTS[each].label] if each else None for each in beside]


def drawing_digests(names: Iterable[str], root: Path) -> dict[str, dict[str, str]]:
    """Return, by artifact, the sha256 of each file that decides how it and its page look.

    Those are its notebook, the modules behind its drawing function and its writer, and the files that make pages.
    Artifacts share most of these files, so each is found and read only once: this runs at every start of Snakemake.
    """
    code_of, files = cache(partial(code, root=root)), {}
    page = code_of(PAGE_CODE) | {root / "src/atebm/publish" / part for part in PAGE_PARTS}
    for name in names:
        artifact = ARTIFACTS[name]
        modules = code_of(f"report.{artifact.draws}") | code_of(WRITERS[artifact.is_table]) | code_of("report.document")
        files[name] = {root / f"notebooks/{name}.ipynb", *modules, *page}
    known = digests_of(set().union(*files.values()), root)
    paths = {name: sorted(str(path.relative_to(root)) for path in mine) for name, mine in files.items()}
    return {name: {path: known[path] for path in mine} for name, mine in paths.items()}


def code(name: str, root: Path) -> set[Path]:
    """Return the modules behind a function or module of a checkout, and the published tables that they name."""
    modules = closure(name, root / "src/atebm")
    source = "".join(path.read_text(encoding="utf-8") for path in modules)
    return modules | {path for path in root.glob("data/published/*.csv") if f'"{path.stem}"' in source}


def digests_of(paths: Iterable[Path], root: Path) -> dict[str, str]:
    """Return the sha256 of each file, by its path in the checkout."""
    return {str(path.relative_to(root)): sha256(path) for path in sorted(paths)}


def digest(path: Path) -> str | None:
    return sha256(path) if path.exists() else None


def provenance(name: str) -> str:
    """Return the file in a folder of results with the request that a rendering was drawn for."""
    return "manifest.json" if name == MANIFEST else f"provenance/{name}.json"


def page_record(results: Path) -> dict[str, Any] | None:
    """Return the record of the page of a folder of results; None if it is missing or altered."""
    try:
        text = (results / provenance(SITE)).read_text(encoding="utf-8")
    except (OSError, ValueError):
        return None
    return json.loads(text) if is_sealed(text) else None


def shows_the_manifest(results: Path) -> bool:
    """Return whether the page was made from the present manifest, and all its files exist."""
    page = page_record(results) or {}
    try:
        manifest = json.loads((results / provenance(MANIFEST)).read_text(encoding="utf-8"))
        return page["manifest"] == manifest["seal"] and all((results / name).exists() for name in page["files"])
    except (OSError, ValueError, KeyError, TypeError):
        return False


def drawn_from(results: Path, name: str) -> dict[str, Any] | None:
    """Return the request that a rendering was drawn for; None if it is missing or unreadable."""
    try:
        contents = json.loads((results / provenance(name)).read_text(encoding="utf-8"))
        return {"requests": contents["requests"]} if name == MANIFEST else contents["request"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
