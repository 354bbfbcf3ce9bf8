"""What a checkout has by name: artifacts, runs, sets and scales."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ..config.load import scale_file, scales
from ..pipeline.artifacts import target
from ..pipeline.plan import Plan
from ..pipeline.staleness import states
from ..utils.errors import ConfigError
from .status import state_of_step

Rows = list[dict[str, Any]]


def artifacts(plan: Plan, root: Path) -> Rows:
    """Return each artifact with its title, its file and its state, as pipeline/staleness.py names them."""
    found = states(plan, root)
    return [
        {
            "artifact": name,
            "title": plan.title(name),
            "target": target(name),
            "state": found[name],
            "on_request": name not in plan.usual,
        }
        for name in plan.artifacts
    ]


def runs(plan: Plan, root: Path) -> Rows:
    """Of the first seed."""
    found = []
    for name in plan.runs:
        run, step = plan.config.runs[name], plan.train(name, plan.config.seed)
        schedule = run.schedule
        found.append(
            {
                "run": name,
                "task": run.task,
                "title": plan.task(name).title,
                "network": run.network.name,
                "objective": run.objective,
                "K": f"{schedule.K_start} to {schedule.K_max}"
                if schedule.K_start < schedule.K_max
                else f"{schedule.K_max}",
                "state": {"done": "trained"}.get(state := state_of_step(root / step.record), state),
                "record": step.record,
            }
        )
    return found


def sets(plan: Plan, root: Path) -> Rows:
    """Of the tasks, and what they are drawn from."""
    return [
        {
            "set": step.name,
            "reader": step.settings["reader"],
            "images": plan.config.sets[step.name].images,
            "size": plan.config.size_of(step.name),
            "state": {"done": "prepared"}.get(state := state_of_step(root / step.record), state),
            "to_fetch": [path.name for path in step.missing_archives()] if state == "to do" else [],
        }
        for step in plan.sets.values()
    ]


def all_scales(plan: Plan, root: Path) -> Rows:
    """Each with the comment that its file begins with."""
    found = []
    for name in scales(root):
        first = (root / scale_file(name, root)).read_text(encoding="utf-8").splitlines()[:1]
        about = first[0].lstrip("# ") if first and first[0].startswith("#") else ""
        found.append({"scale": name, "configured": name == plan.config.scale, "about": about})
    return found


KINDS: dict[str, Callable[[Plan, Path], Rows]] = {
    "artifacts": artifacts,
    "runs": runs,
    "sets": sets,
    "scales": all_scales,
}


def listed(plan: Plan, root: Path, what: str | None = None) -> dict[str, Any]:
    """As JSON, by what is listed: all, or what is named. Raises ConfigError for what there is not."""
    if what is not None and what not in KINDS:
        raise ConfigError(f"there are no {what!r} to list: name one of {', '.join(KINDS)}.")
    wanted = [what] if what else list(KINDS)
    return {"scale": plan.config.scale, **{name: KINDS[name](plan, root) for name in wanted}}


# --- for people -------------------------------------------------------------------------------------------------------


def describe_names(found: dict[str, Any]) -> Iterator[str]:
    yield f"scale {found['scale']}"
    for what, shown in SHOWN.items():
        if what in found:
            yield ""
            yield f"{what}:"
            yield from columns([shown(row) for row in found[what]])


def columns(rows: list[tuple[str, ...]]) -> Iterator[str]:
    """Rows of words, each column as wide as its longest."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  " + "  ".join(f"{word:{width}}" for word, width in zip(row, widths, strict=True)).rstrip()


SHOWN: dict[str, Callable[[dict[str, Any]], tuple[str, ...]]] = {
    "artifacts": lambda row: (
        row["artifact"],
        row["state"] + (", on request" if row["on_request"] else ""),
        row["target"],
        row["title"],
    ),
    "runs": lambda row: (row["run"], row["state"], row["title"], row["network"], row["objective"], f"K {row['K']}"),
    "sets": lambda row: (
        row["set"],
        row["state"],
        f"{row['images']:,} images",
        f"{row['size']}x{row['size']}" if row["size"] else "all sizes",
        row["reader"],
        f"to fetch: {', '.join(row['to_fetch'])}" if row["to_fetch"] else "",
    ),
    "scales": lambda row: (row["scale"], "configured" if row["configured"] else "", row["about"]),
}
