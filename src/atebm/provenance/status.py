"""What a plan consists of, and what of it is here."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..pipeline.kinds import FILES
from ..pipeline.plan import Plan
from ..pipeline.staleness import DRAWN, ELSEWHERE, MANIFEST, PAGE, SITE, states
from ..utils.files import bytes_in

ABOUT_ALL = {MANIFEST: "results/manifest.json", SITE: PAGE}


def status(plan: Plan, root: Path) -> dict[str, Any]:
    """Return, as JSON, each step, by kind, with its state and bytes; each artifact; and the files about all of them."""
    steps = sorted(plan.steps.values(), key=lambda step: (list(FILES).index(step.kind), step.id))
    renderings = states(plan, root)
    computed = {step.id: state_of_step(root / step.record) for step in steps}
    return {
        "scale": plan.config.scale,
        "command": plan.command(),
        "steps": [
            {
                "step": f"{step.kind}/{step.id}",
                "state": computed[step.id],
                "bytes": bytes_in(root / step.folder) if computed[step.id] != "to do" else 0,
            }
            for step in steps
        ],
        "artifacts": [
            {
                "artifact": name,
                "state": renderings[name],
                "drawn_from": len(plan.artifacts[name]),
            }
            for name in plan.usual
        ],
        "about_all": [
            {"file": file, "state": renderings[name]} for name, file in ABOUT_ALL.items() if name in renderings
        ],
    }


def describe_status(found: dict[str, Any]) -> Iterator[str]:
    """A line per step, by kind, then a line per artifact, then the sums."""
    steps, artifacts = found["steps"], found["artifacts"]
    width = max(len(row["step"]) for row in steps)
    for row in steps:
        megabytes = f"{row['bytes'] / 1e6:10.1f} MB" if row["state"] != "to do" else ""
        yield f"{row['state']:17}{row['step']:{width}}{megabytes}".rstrip()
    for row in artifacts:
        yield f"{row['state']:17}results/{row['artifact']}, drawn from {row['drawn_from']} steps"
    for row in found["about_all"]:
        yield f"{row['state']:17}{row['file']}"
    done = sum(row["state"] == "done" for row in steps)
    drawn, elsewhere = (sum(row["state"] == state for row in artifacts) for state in (DRAWN, ELSEWHERE))
    of = f", {drawn + elsewhere} of {len(artifacts)} artifacts drawn from the present plan" if artifacts else ""
    yield f"scale {found['scale']}: {done} of {len(steps)} steps done{of}"
    if elsewhere:
        yield (
            f"{elsewhere} were drawn elsewhere: the numbers that they show are not in work/. `{found['command']}` "
            "computes them here; `dvc pull` brings them where a DVC remote of yours has them."
        )


def state_of_step(record: Path) -> str:
    """done, unfinished (a job is at it, or was stopped) or to do."""
    if record.exists():
        return "done"
    states = record.parents[2] / "checkpoints" / record.parent.parent.name / record.parent.name
    begun = any(folder.exists() and any(folder.iterdir()) for folder in (record.parent, states))
    return "unfinished" if begun else "to do"
