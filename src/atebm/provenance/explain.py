"""Explain where a number comes from: its file, its spec, the lines of the configuration, the places in the paper."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..config.base import Section, source_of
from ..config.origins import Origin, Origins, leaves
from ..config.schema import Config
from ..pipeline.artifacts import ARTIFACTS, target
from ..pipeline.kept import NUMBERS, SPEC, place_of
from ..pipeline.kinds import KINDS
from ..pipeline.plan import Plan
from ..pipeline.staleness import DRAWN, ELSEWHERE, STALE, TO_DRAW, states
from ..pipeline.step import Step
from ..utils.errors import ConfigError
from ..utils.meant import did_you_mean


def explain(what: str, plan: Plan, origins: Origins, root: Path) -> dict[str, Any]:
    """Return, as JSON, facts about an artifact (`table2`) or about steps by id (`train/cifar10-1a2b3c4d`) or name.

    Raises ConfigError for a name that the plan does not have.
    """
    if what in plan.artifacts:
        return {"what": what, "artifact": artifact_facts(what, plan, root), "steps": behind(what, plan, origins, root)}
    steps = [step for step in plan.known.values() if what in (step.name, step.id, f"{step.kind}/{step.id}")]
    if not steps:
        known = [*plan.artifacts, *(step.name for step in plan.known.values())]
        raise ConfigError(
            f"the plan of the {plan.config.scale} scale has no {what!r}; "
            f"{did_you_mean(what, known, 'atebm status artifacts runs sets')}"
        )
    return {
        "what": what,
        "artifact": None,
        "steps": [step_facts(step, plan.config, origins, root) for step in steps],
    }


def artifact_facts(name: str, plan: Plan, root: Path) -> dict[str, Any]:
    """Return an artifact's title, file and state, and the number that each of its steps contributes."""
    results = plan.results
    return {
        "title": plan.title(name),
        "file": target(name, plan.results),
        "state": states(plan, root)[name],
        "notebook": f"notebooks/{name}.ipynb",
        "draws": ARTIFACTS[name].draws,
        "shows_settings": select.__name__ if (select := ARTIFACTS[name].settings) else None,
        "numbers": [
            {
                "number": number_of(step, root, results),
                "record": record_of(step, root, results),
                "spec": spec_of(step, root, results),
            }
            for step in plan.artifacts[name]
        ],
    }


def behind(name: str, plan: Plan, origins: Origins, root: Path) -> list[dict[str, Any]]:
    seen = {step.id: step for need in plan.artifacts[name] for step in need.ancestry()}
    return [step_facts(step, plan.config, origins, root) for step in seen.values()]


def record_of(step: Step, root: Path, results: str) -> str:
    """Return the path of a step's record: in work/ or, if it was not computed here, in numbers/ of `results`."""
    kept = f"{results}/{NUMBERS}/{step.kind}/{step.id}"
    is_kept = place_of(root / step.folder, root / kept) == root / kept
    return f"{kept}/{Path(step.record).name}" if is_kept else step.record


def spec_of(step: Step, root: Path, results: str) -> str:
    """Return the path of a step's spec; if the record is a copy in numbers/, the spec lies beside it."""
    record = record_of(step, root, results)
    return step.spec_file if record == step.record else str(Path(record).with_name(SPEC))


def number_of(step: Step, root: Path, results: str) -> str:
    """Return the number that a step contributes, or its name if it has no value."""
    path = root / record_of(step, root, results)
    if not path.exists():
        return f"not computed yet: {step.name}"
    record = json.loads(path.read_text(encoding="utf-8"))
    if "value" not in record:
        return step.name
    interval = f" +- {record['ci95']:.4g}" if "ci95" in record else ""
    seed = f", seed {record['images']['seed']}" if "seed" in record["images"] else ""
    return f"{record['value']:.4g}{interval}  {record['name']} of {step.name}{seed}"


def step_facts(step: Step, config: Config, origins: Origins, root: Path) -> dict[str, Any]:
    """Return facts about a step: what it computes, its parents, each setting with its line and place in the paper."""
    settings = []
    for path, value in leaves(step.settings):
        origin, where = source(step, path, config, origins)
        settings.append({"key": ".".join(path), "value": value, "origin": origin, "paper": where})
    return {
        "step": f"{step.kind}/{step.id}",
        "computed": (root / step.record).exists(),
        "kept": (root / record_of(step, root, config.results)).exists(),  # as a copy in numbers/, or computed here
        "computes": KINDS[step.kind].computes,
        "spec": step.spec_file,
        "parents": {role: f"{parent.kind}/{parent.id}" for role, parent in step.parents.items()},
        "settings": settings,
    }


IN_WORDS = {
    DRAWN: "drawn from the present plan",
    ELSEWHERE: "drawn from the present plan, but the steps behind it are not in work/",
    STALE: "not drawn from the present plan",
    TO_DRAW: "not drawn yet",
}


# --- for people -------------------------------------------------------------------------------------------------------


def describe_evidence(found: dict[str, Any]) -> Iterator[str]:
    """Yield the lines that describe the facts from `explain`."""
    if found["artifact"] is None:
        for step in found["steps"]:
            yield from step_lines(step)
        return
    drawn = found["artifact"]
    yield drawn["title"]
    yield f"{drawn['file']}: {IN_WORDS[drawn['state']]}, by {drawn['notebook']} and report.{drawn['draws']}"
    if drawn["shows_settings"]:
        yield (
            f"It shows keys of the configuration: {drawn['shows_settings']} in src/atebm/pipeline/table_settings.py "
            "selects them."
        )
    if not drawn["numbers"]:
        return
    yield ""
    for row in drawn["numbers"]:
        yield row["number"]
        yield f"    <- {row['record']} <- {row['spec']}"
    yield ""
    yield "The steps behind it, with their settings, the line of each setting, and its place in the paper:"
    for step in found["steps"]:
        yield ""
        yield from step_lines(step)


def step_lines(step: dict[str, Any]) -> Iterator[str]:
    state = "" if step["computed"] else "  (copy in git)" if step["kept"] else "  (not computed yet)"
    yield f"{step['step']}{state}: {step['computes']}"
    rows = [("spec", step["spec"], "")] + [(f"parent {role}", parent, "") for role, parent in step["parents"].items()]
    rows += [(s["key"], json.dumps(s["value"]), f"{s['origin']}  [{s['paper']}]") for s in step["settings"]]
    width = max(len(name) for name, _, _ in rows)
    middle = min(40, max(len(value) for _, value, _ in rows))
    for name, value, rest in rows:
        yield f"  {name:{width}}  {value:{middle}}  {rest}".rstrip()


def source(step: Step, path: tuple[str, ...], config: Config, origins: Origins) -> tuple[str, str]:
    """Return the line that a setting of a step comes from, and where the paper states it."""
    for full in ((*step.section, *path), path):  # keys like `seed` stand at the top level
        origin = origins.get(full) or above(full, origins)
        if origin is not None:
            return f"{origin}", paper(config, full)
    return "src/atebm/pipeline/needs.py", "the artifact's choice"


def above(path: tuple[str, ...], origins: Origins) -> Origin | None:
    """Return the line of a value that is given as a whole, such as `in_attack: null`."""
    return next((origins[path[:n]] for n in range(len(path) - 1, 1, -1) if path[:n] in origins), None)


def paper(config: Config, path: tuple[str, ...]) -> str:
    """Return where the paper states the setting at `path`: the source of the field, else of its section."""
    holder: Any = config
    where = Config.paper.where
    for key in path:
        if isinstance(holder, dict):
            holder = holder.get(key)
            continue
        if not isinstance(holder, Section):
            break
        where = source_of(type(holder), key)
        holder = getattr(holder, key)
    return where
