"""List the steps of a plan, its artifacts, runs and sets, and the scales, and say which of them are here."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ..config.load import scale_file, scales
from ..pipeline.artifacts import target
from ..pipeline.kinds import FILES
from ..pipeline.plan import Plan
from ..pipeline.staleness import DRAWN, ELSEWHERE, MANIFEST, PAGE, SITE, STALE, TO_DRAW, provenance, states
from ..utils.columns import columns
from ..utils.errors import ConfigError
from ..utils.files import bytes_in
from ..utils.quantities import size

ABOUT_ALL = {MANIFEST: provenance(MANIFEST), SITE: PAGE}  # in the folder of results

Rows = list[dict[str, Any]]


def status(plan: Plan, root: Path, lists: Sequence[str] = ()) -> dict[str, Any]:
    """Return, as JSON, the requested lists; by default every step, by kind, every artifact, manifest and page.

    Raises ConfigError for a list that does not exist.
    """
    if unknown := [name for name in lists if name not in LISTS]:
        raise ConfigError(f"there is no list {unknown[0]!r}: choose from {', '.join(LISTS)}.")
    if lists:
        return {"scale": plan.config.scale, **{name: LISTS[name](plan, root) for name in lists}}
    steps = sorted(plan.steps.values(), key=lambda step: (list(FILES).index(step.kind), step.id))
    renderings = states(plan, root)
    computed = {step.id: state_of_step(root / step.record) for step in steps}
    return {
        "scale": plan.config.scale,
        "command": plan.command(),
        "results": plan.results,
        "steps": [
            {
                "step": f"{step.kind}/{step.id}",
                "state": computed[step.id],
                "bytes": bytes_in(root / step.folder) if computed[step.id] != "to do" else 0,
            }
            for step in steps
        ],
        "artifacts": [
            {"artifact": name, "state": renderings[name], "drawn_from": len(plan.artifacts[name])}
            for name in plan.usual
        ],
        "about_all": [
            {"file": f"{plan.results}/{file}", "state": renderings[name]}
            for name, file in ABOUT_ALL.items()
            if name in renderings
        ],
    }


def state_of_step(record: Path, done: str = "done") -> str:
    """Return `done`, "unfinished" (a job is working on it or was stopped) or "to do"."""
    if record.exists():
        return done
    states = record.parents[2] / "checkpoints" / record.parent.parent.name / record.parent.name
    begun = any(folder.exists() and any(folder.iterdir()) for folder in (record.parent, states))
    return "unfinished" if begun else "to do"


# --- lists of named things --------------------------------------------------------------------------------------------


def artifacts(plan: Plan, root: Path) -> Rows:
    """Return each artifact with its title, its file and its state, a constant of pipeline/staleness.py."""
    found = states(plan, root)
    return [
        {
            "artifact": name,
            "title": plan.title(name),
            "target": target(name, plan.results),
            "state": found[name],
            "on_request": name not in plan.usual,
        }
        for name in plan.artifacts
    ]


def runs(plan: Plan, root: Path) -> Rows:
    """Return each run with its task, network and objective, and the state of its first seed's training."""
    rows = []
    for name in plan.runs:
        run, step = plan.config.runs[name], plan.train(name, plan.config.seed)
        Ks = dict.fromkeys((run.schedule.K_start, run.schedule.K_max))
        rows.append(
            {
                "run": name,
                "task": run.task,
                "title": plan.task(name).title,
                "network": run.network.name,
                "objective": run.objective,
                "K": " to ".join(map(str, Ks)),
                "state": state_of_step(root / step.record, "trained"),
                "record": step.record,
            }
        )
    return rows


def sets(plan: Plan, root: Path) -> Rows:
    """Return each set of the tasks, and the sets it is made from, with its state and missing archives."""
    return [
        {
            "set": step.name,
            "reader": step.settings["reader"],
            "images": plan.config.sets[step.name].images,
            "size": plan.config.size_of(step.name),
            "state": (state := state_of_step(root / step.record, "prepared")),
            "to_fetch": [path.name for path in step.missing_archives()] if state == "to do" else [],
        }
        for step in plan.sets.values()
    ]


def all_scales(plan: Plan, root: Path) -> Rows:
    """Return each scale with the first comment of its file."""
    rows = []
    for name in scales(root):
        first, _, _ = (root / scale_file(name, root)).read_text(encoding="utf-8").partition("\n")
        about = first.lstrip("# ") if first.startswith("#") else ""
        rows.append({"scale": name, "configured": name == plan.config.scale, "about": about})
    return rows


LISTS: dict[str, Callable[[Plan, Path], Rows]] = {
    "artifacts": artifacts,
    "runs": runs,
    "sets": sets,
    "scales": all_scales,
}


# --- for people -------------------------------------------------------------------------------------------------------


def describe_status(found: dict[str, Any]) -> Iterator[str]:
    """Yield a summary, the next command, and the steps by kind; or the lists, each in columns."""
    if "steps" not in found:
        yield from lists_in_columns(found)
        return
    yield from summary(found)
    kinds: dict[str, Rows] = {}
    for row in found["steps"]:
        kinds.setdefault(row["step"].partition("/")[0], []).append(row)
    yield ""
    yield from columns([("steps", *STATES, "size"), *(cells_of(kind, rows) for kind, rows in kinds.items())])
    if others := [row for row in found["artifacts"] if row["state"] in (STALE, TO_DRAW)]:
        yield ""
        yield from columns([(row["artifact"], row["state"]) for row in others])
    yield ""
    yield "More: `atebm status --todo` lists every step; `atebm status artifacts` (or runs, sets, scales) lists those."


def describe_todo(found: dict[str, Any]) -> Iterator[str]:
    """Yield a summary, and a line for each step, artifact and file that is not done."""
    if "steps" not in found:
        yield from lists_in_columns(found)
        return
    yield from summary(found)
    yield ""
    named = [(row["step"], row["state"]) for row in found["steps"] if row["state"] != "done"]
    named += [(f"{found['results']}/{row['artifact']}", row["state"]) for row in found["artifacts"]]
    named += [(row["file"], row["state"]) for row in found["about_all"]]
    for name, state in named:
        if state not in (DRAWN, ELSEWHERE):
            yield f"{state:12}{name}"


def cells_of(kind: str, rows: Rows) -> tuple[str, ...]:
    """Return the cells for a kind of step: the number of steps in each state, and their size."""
    used = sum(row["bytes"] for row in rows)
    return kind, *(f"{count(rows, state):,}" for state in STATES), size(used) if used else ""


STATES = ("done", "unfinished", "to do")


def count(rows: Rows, state: str) -> int:
    return sum(row["state"] == state for row in rows)


def summary(found: dict[str, Any]) -> Iterator[str]:
    """Yield how many steps and artifacts are done, and what to do next."""
    steps, artifacts, command = found["steps"], found["artifacts"], found["command"]
    drawn, elsewhere = count(artifacts, DRAWN), count(artifacts, ELSEWHERE)
    of = f", {drawn + elsewhere:,} of {len(artifacts):,} artifacts drawn from the present plan" if artifacts else ""
    yield f"{found['scale']} scale: {count(steps, 'done'):,} of {len(steps):,} steps done{of}"
    todo = len(artifacts) - drawn - elsewhere
    about = any(row["state"] in (STALE, TO_DRAW) for row in found["about_all"])
    if begun := count(steps, "unfinished"):
        yield f"next: `{command}` resumes {begun:,} unfinished {'step' if begun == 1 else 'steps'}"
    elif todo or about or not artifacts:
        yield f"next: `{command}`" + (f" draws {todo:,} artifacts and computes the steps they need" if todo else "")
    else:
        yield f"next: every artifact is drawn; open {found['results']}/{PAGE}"
    if elsewhere:
        yield (
            f"{elsewhere:,} artifacts were drawn elsewhere: the steps behind them are not in work/. `{command}` "
            "computes the steps here. With `--config numbers=kept`, artifacts are drawn again from "
            f"{found['results']}/numbers/ only. `dvc pull` fetches the steps if your DVC remote has them."
        )


def lists_in_columns(found: dict[str, Any]) -> Iterator[str]:
    """Yield the requested lists, each in columns."""
    yield f"{found['scale']} scale"
    for name, shown in SHOWN.items():
        if name in found:
            yield from ("", f"{name}:")
            yield from columns([shown(row) for row in found[name]])


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
