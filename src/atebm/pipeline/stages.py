"""List what each stage of dvc.yaml depends on: the ids of its steps, and what its renderings show.

DVC compares these small files. So a stage runs again only if there is something else to compute or draw; a change of
code or configuration that does not affect this does not make it stale.
"""

from pathlib import Path
from typing import Any

from ..utils.files import write_if_changed
from ..utils.hashing import canonical
from .kinds import goals
from .plan import Plan
from .staleness import MANIFEST, SITE, renderings
from .step import ancestors


def write_stages(plan: Plan, root: Path) -> None:
    """Write work/plan/train.json, evaluate.json and report.json, unless they exist with the same contents."""
    for stage, contents in stages(plan, root).items():
        write_if_changed(root / f"work/plan/{stage}.json", canonical(contents))


def stages(plan: Plan, root: Path) -> dict[str, Any]:
    """Return what each stage depends on, as JSON."""
    drawn = renderings(plan, root)
    shown = {name: drawn[name][key] for name, key in ((MANIFEST, "requests"), (SITE, "showing")) if name in drawn}
    return {
        "train": steps(plan, goals("train")),
        "evaluate": steps(plan, goals("evaluate")),
        "report": shown or steps(plan, goals("report")),  # nothing is drawn for your own images
    }


def steps(plan: Plan, kinds: tuple[str, ...]) -> list[str]:
    """Return the folders of the steps of some kinds and of all steps that they depend on."""
    wanted = [step for (kind, _), step in plan.steps.items() if kind in kinds]
    return sorted(step.folder for step in ancestors(wanted).values())
