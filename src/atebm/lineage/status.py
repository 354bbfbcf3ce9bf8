"""What a plan consists of, and what of it is here."""

from collections.abc import Iterator
from pathlib import Path

from ..freshness import MANIFEST, SITE, stale
from ..kinds import FILES
from ..plan import Plan
from ..site.seal import PAGE
from .prune import size


def status(plan: Plan, root: Path) -> Iterator[str]:
    """A line per step, by kind, then a line per artifact, then the sums."""
    steps = sorted(plan.steps.values(), key=lambda step: (list(FILES).index(step.kind), step.id))
    width = max(len(f"{step.kind}/{step.id}") for step in steps)
    for step in steps:
        state = state_of(root / step.record)
        megabytes = f"{size(root / step.folder) / 1e6:10.1f} MB" if state != "to do" else ""
        yield f"{state:12}{step.kind + '/' + step.id:{width}}{megabytes}".rstrip()
    outdated = stale(plan, root)
    for artifact in plan.usual:
        state = "to draw" if artifact in outdated else "done"
        yield f"{state:12}results/{artifact}, drawn from {len(plan.artifacts[artifact])} steps"
    yield f"{'to write' if MANIFEST in outdated else 'done':12}results/manifest.json"
    yield f"{'to write' if SITE in outdated else 'done':12}{PAGE}"
    done = sum(state_of(root / step.record) == "done" for step in steps)
    drawn = f"{len(set(plan.usual) - outdated)} of {len(plan.usual)} artifacts drawn"
    yield f"scale {plan.config.scale}: {done} of {len(steps)} steps done, {drawn}"


def state_of(record: Path) -> str:
    """done, unfinished (a job is at it, or was stopped) or to do."""
    if record.exists():
        return "done"
    return "unfinished" if record.parent.exists() and any(record.parent.iterdir()) else "to do"
