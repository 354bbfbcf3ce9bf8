"""Which renderings in results/ are those of the present plan.

Contents decide, not ages: a clone, a checkout or a `dvc pull` scrambles mtimes, and Snakemake's own records don't
travel. With every rendering lies the plan that it was drawn from, results/plans/<id>.json; where that is not the
present one, or the numbers it was drawn from are not here, the artifact is stale.
"""

import hashlib
import json
import time
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

from .artifacts import ON_REQUEST
from .files import canonical, sha256, write_if_changed
from .plan import Plan, Step
from .settings import SETTINGS
from .site.seal import page_record

MANIFEST, SITE, CRATE = "manifest", "site", "crate"
CRATE_FILE = "ro-crate-metadata.json"
# What the crate is made from; of everything else that it lists it says no more than that it is there.
DESCRIBED = (
    "results/manifest.json",
    "results/index.html",
    "CITATION.cff",
    "data/sources.yaml",
    "data/embedded/*.csv",
    "data/embedded/fashion-mnist/SHA256SUMS",
    "src/atebm/artifacts.py",
    "src/atebm/crate.py",
)
DRIVING = ("snakemake", "dvc", "papermill", "nbconvert")  # versions that a job in a conda environment can't see
# Beside the notebook, what a rendering is made by.
DRAWING = ("src/atebm/report/*.py", "src/atebm/metrics/intervals.py", "data/published/*.csv")
SHOWING = ("src/atebm/site/*.*", "src/atebm/artifacts.py", "src/atebm/docs.py")  # what the page is made by


def request(plan: Plan, root: Path) -> set[str]:
    """Write what each rendering is asked to show, work/specs/artifact/<id>.json; returns the names of the stale ones.

    The request of a stale one is new at each call, in content and age, so that Snakemake can't take it for a known one.
    """
    outdated = stale(plan, root)
    for name, contents in {**renderings(plan, root), CRATE: {"described": DESCRIBED}}.items():
        asked = time.time_ns() if name in outdated else 0
        wish: dict[str, Any] = {"asked": asked, "plan": contents}
        if name == MANIFEST:
            wish["driving"] = versions(DRIVING)
        write_if_changed(root / request_file(name), canonical(wish))
    return outdated


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Of those packages that are installed."""
    found = {package: next(iter(metadata.distributions(name=package)), None) for package in packages}
    return {package: distribution.version for package, distribution in found.items() if distribution}


def request_file(name: str) -> str:
    return f"work/specs/artifact/{name}.json"


def stale(plan: Plan, root: Path) -> set[str]:
    """Names of the artifacts, "manifest", "site" and "crate", that are not here as the plan wants them."""
    wanted = renderings(plan, root)
    fresh = {
        name
        for name in plan.artifacts
        if drawn_from(root, name) == wanted[name]
        and all((root / step.record).exists() for step in drawn_steps(plan, name, root))
    }
    if wanted and fresh.issuperset(plan.usual) and drawn_from(root, MANIFEST) == wanted[MANIFEST]:
        fresh.add(MANIFEST)
    if MANIFEST in fresh and drawn_from(root, SITE) == wanted[SITE] and shows_the_manifest(root):
        fresh.add(SITE)
    if SITE in fresh and is_described(root):
        fresh.add(CRATE)
    return (wanted.keys() | {CRATE}) - fresh


def drawn_steps(plan: Plan, artifact: str, root: Path) -> list[Step]:
    """Return the steps that an artifact must be drawn from; none where the numbers that it took from them are kept.

    These are results/numbers/<id>.csv, and beside it, as .json, the steps that they were computed from.
    """
    steps = plan.artifacts[artifact]
    facts = root / f"results/numbers/{artifact}.json"
    try:
        kept = json.loads(facts.read_text(encoding="utf-8"))
        same = kept["needs"] == sorted({step.folder for step in steps}) and kept["scale"] == plan.config.scale
    except (OSError, ValueError, KeyError, TypeError):
        return steps
    return [] if same and facts.with_suffix(".csv").exists() else steps


def is_described(root: Path) -> bool:
    """Whether the crate was made from what is here now: it names the sha256 of each of these files."""
    try:
        graph = json.loads((root / CRATE_FILE).read_text(encoding="utf-8"))["@graph"]
        named = {entity["@id"]: entity.get("sha256") for entity in graph}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False
    paths = [path for pattern in DESCRIBED for path in sorted(root.glob(pattern))]
    return all(named.get(str(path.relative_to(root))) == sha256(path) for path in paths)


def renderings(plan: Plan, root: Path) -> dict[str, dict[str, Any]]:
    """All that decides how each artifact looks; as "manifest" the digests of these, as "site" what the page shows."""
    drawing = {str(path.relative_to(root)): sha256(path) for glob in DRAWING for path in sorted(root.glob(glob))}
    tasks = {name: task.model_dump() for name, task in plan.config.tasks.items()}
    sets = {name: plan.config.title_of(name) for task in plan.config.tasks.values() for name in task.sets}
    artifacts = {
        name: {
            "artifact": name,
            "title": plan.title(name),
            "scale": plan.config.scale,
            "tasks": tasks,
            "sets": sets,
            "needs": sorted({step.folder for step in steps}),
            **({"settings": SETTINGS[name](plan)} if name in SETTINGS else {}),
            "drawing": drawing | {f"notebooks/{name}.ipynb": sha256(root / f"notebooks/{name}.ipynb")},
        }
        for name, steps in plan.artifacts.items()
    }
    if not artifacts:  # of one's own images none is drawn
        return {}
    digests = {name: hashlib.sha256(canonical(artifacts[name]).encode()).hexdigest() for name in plan.usual}
    page = {
        "plans": digests,
        "claims": {name: digest(root / f"results/plans/{name}.json") for name in ON_REQUEST},
        "claims_present": all(drawn_from(root, name) == artifacts.get(name) for name in ON_REQUEST),
        "scales": {
            path.parent.name: sha256(path)
            for path in sorted(root.glob("results/scales/*/manifest.json"))
            if path.parent.name != plan.config.scale
        },
        "showing": {str(path.relative_to(root)): sha256(path) for glob in SHOWING for path in sorted(root.glob(glob))},
    }
    return {**artifacts, MANIFEST: {"plans": digests}, SITE: page}


def digest(path: Path) -> str | None:
    return sha256(path) if path.exists() else None


def shows_the_manifest(root: Path) -> bool:
    """Whether the page was made from the results/manifest.json that is here, and its own pictures are, too."""
    page = page_record(root) or {}
    try:
        manifest = json.loads((root / "results/manifest.json").read_text(encoding="utf-8"))
        return page["manifest"] == manifest["seal"] and all(
            (root / "results" / name).exists() for name in page["files"]
        )
    except (OSError, ValueError, KeyError, TypeError):
        return False


def drawn_from(root: Path, name: str) -> dict[str, Any] | None:
    """The plan that a rendering in results/ was drawn from; None where there is none, or none that can be read."""
    if name == SITE:
        return (page_record(root) or {}).get("plan")
    path = root / ("results/manifest.json" if name == MANIFEST else f"results/plans/{name}.json")
    try:
        contents = json.loads(path.read_text(encoding="utf-8"))
        return {"plans": contents["plans"]} if name == MANIFEST else contents
    except (OSError, ValueError, KeyError, TypeError):
        return None
