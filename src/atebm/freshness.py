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

from .files import canonical, sha256, write_if_changed
from .plan import Plan
from .settings import SETTINGS

MANIFEST = "manifest"
DRIVING = ("snakemake", "dvc", "papermill", "nbconvert")  # versions that a job in a conda environment can't see
DRAWING = ("src/atebm/report/*.py", "data/published/*.csv")  # beside the notebook, what a rendering is made by


def request(plan: Plan, root: Path) -> set[str]:
    """Write what each rendering is asked to show, work/specs/artifact/<id>.json; returns the names of the stale ones.

    The request of a stale one is new at each call, in content and age, so that Snakemake can't take it for a known one.
    """
    outdated = stale(plan, root)
    for name, contents in renderings(plan, root).items():
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
    """Names of the artifacts, and "manifest", that results/ does not show as the plan wants them."""
    wanted = renderings(plan, root)
    fresh = {
        name
        for name, steps in plan.artifacts.items()
        if drawn_from(root, name) == wanted[name] and all((root / step.record).exists() for step in steps)
    }
    if wanted and fresh.issuperset(plan.usual) and drawn_from(root, MANIFEST) == wanted[MANIFEST]:
        fresh.add(MANIFEST)
    return wanted.keys() - fresh


def renderings(plan: Plan, root: Path) -> dict[str, dict[str, Any]]:
    """All that decides how each artifact looks, and, as "manifest", the digests of these."""
    drawing = {str(path.relative_to(root)): sha256(path) for glob in DRAWING for path in sorted(root.glob(glob))}
    tasks = {name: task.model_dump() for name, task in plan.config.tasks.items()}
    artifacts = {
        name: {
            "artifact": name,
            "scale": plan.config.scale,
            "tasks": tasks,
            "needs": sorted({step.folder for step in steps}),
            **({"settings": SETTINGS[name](plan)} if name in SETTINGS else {}),
            "drawing": drawing | {f"notebooks/{name}.ipynb": sha256(root / f"notebooks/{name}.ipynb")},
        }
        for name, steps in plan.artifacts.items()
    }
    digests = {name: hashlib.sha256(canonical(artifacts[name]).encode()).hexdigest() for name in plan.usual}
    return {**artifacts, MANIFEST: {"plans": digests}} if artifacts else {}  # of one's own images none is drawn


def drawn_from(root: Path, name: str) -> dict[str, Any] | None:
    """The plan that a rendering in results/ was drawn from; None where there is none, or none that can be read."""
    path = root / ("results/manifest.json" if name == MANIFEST else f"results/plans/{name}.json")
    try:
        contents = json.loads(path.read_text(encoding="utf-8"))
        return {"plans": contents["plans"]} if name == MANIFEST else contents
    except (OSError, ValueError, KeyError, TypeError):
        return None
