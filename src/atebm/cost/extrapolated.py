"""Extrapolate hours, memory and disk space of a plan from a rehearsal, and name each obstacle in one sentence."""

import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch

from ..archives.catalogue import ARCHIVES, Source, find, how_to, problem
from ..data.parallel import cores
from ..data.stream import RESIDENT_SHARE, total_memory
from ..device.select import name_hardware
from ..models.released import adopt
from ..pipeline.job import Job
from ..pipeline.plan import Plan
from ..pipeline.step import Step, write_specs
from ..utils.errors import ConfigError, DataError
from ..utils.meant import suggestion
from ..utils.quantities import duration, size
from .disk import size as bytes_of
from .flops import facts
from .passes import Passes, length_of_training, network_of_extractor, passes, products
from .rehearsal import NOT_TRIED, Group, rehearse, wanted_steps
from .short import ON_CPU, ON_GPU
from .table import Cost, archives_to_fetch, critical_path

WHOLE = 1e9  # bytes of an archive up to which its checksum is looked at, which is seconds
STREAMS = ("p_data", "p_0")  # parents that stay in memory where they fit
ARRAYS = ("features", "reference", "train_features", "held_out_features", "samples_features")  # parents that are read


def rehearsal(
    plan: Plan, artifacts: list[str], root: Path, device: str, batch: int | None, tell: Callable[[str], None]
) -> dict[str, Any]:
    """Rehearse some artifacts of a plan, or all, and return as JSON what that shows. Raises as `rehearse`."""
    for name in artifacts:
        if name not in plan.artifacts:
            raise ConfigError(f"there is no artifact {name!r}. {suggestion(name, plan.artifacts)}")
    gpu = device.startswith("cuda") or (device == "auto" and torch.cuda.is_available())
    usual, began = ON_GPU if gpu else ON_CPU, time.monotonic()
    groups, small = rehearse(plan, artifacts, root, device, replace(usual, batch=batch or usual.batch), tell)
    found = judge(plan, small, groups, wanted_steps(plan, artifacts, root), root, gpu)
    named = name_hardware(torch.device("cuda" if gpu else "cpu"))  # not before: this process needs no GPU
    return {"device": named, "batch": batch or usual.batch, "seconds": time.monotonic() - began, **found}


def judge(plan: Plan, small: Plan, groups: list[Group], steps: list[Step], root: Path, gpu: bool) -> dict[str, Any]:
    """Return as JSON what a rehearsal shows of the steps that are to be done: costs, and findings in sentences."""
    distance = distance_of(groups)
    hours: Counter[tuple[str, str]] = Counter()
    rows: list[dict[str, Any]] = []
    findings: list[str] = []
    for group in groups:
        seconds = [seconds_of(plan, small, group, step, gpu, distance) for step in group.steps] if group.taken else []
        hours.update({(step.kind, step.id): s / 3600 for step, s in zip(group.steps, seconds, strict=False)})
        memory = max((memory_of(plan, small, group, step, gpu) for step in group.steps), default=(0.0, 0.0))
        rows.append(
            {
                "step": group.name,
                "stands_for": len(group.steps),
                "seconds": group.taken.get("seconds"),
                "hours": sum(seconds) / 3600 if group.taken else None,
                "memory": memory[0] or None,
                "gpu_memory": memory[1] or None,
                "said": group.said or ("" if group.short else "not rehearsed: the scale in short has no such step"),
            }
        )
        findings += of_step(group, memory)
    waited, chain = critical_path(plan, {key: Cost(hours=hours[key]) for key in plan.steps})
    archives = archives_to_fetch(steps, root)
    disk = {
        "work": sum(bytes_of(plan, step) for step in steps),
        "archives": archives["gigabytes"] * 1e9,
        "of_unknown_size": archives["of_unknown_size"],
        "free": shutil.disk_usage(root).free,
    }
    return {
        "scale": plan.config.scale,
        "steps": rows,
        "hours": sum(hours.values()),
        "critical_path": {"hours": waited, "steps": [f"{step.kind}/{step.name}" for step in chain]},
        "disk": disk,
        "findings": [*findings, *of_disk(disk, root), *of_archives(steps, root), *of_weights(steps, root)],
    }


# --- time -----------------------------------------------------------------------------------------------------------


def seconds_of(plan: Plan, small: Plan, group: Group, step: Step, gpu: bool, distance: float) -> float:
    """Return the seconds of a step of a plan, by those of the step in short that stands for it."""
    short, found = group.short, group.taken
    assert short is not None
    startup, working, check = pace(found, gpu, bool(short.settings.get("monitor")))
    share = amount(plan, step) / max(amount(small, short), 1e-9)
    workers = min(plan.workers, cores()) if step.kind == "data" else 1
    seconds = startup + working * share / workers
    if short.settings.get("monitor"):
        lengths = len(set(step.settings["monitor"]["steps"]))
        measured = min(check, distance * lengths)
        sampled = (check - measured) * step.settings["monitor"]["n"] / short.settings["monitor"]["n"]
        seconds += length_of_training(plan, step)[2] * (sampled + measured)
    return seconds


def pace(found: dict[str, Any], gpu: bool, monitored: bool) -> tuple[float, float, float]:
    """Return seconds at the start of a step, of all its units at their usual pace, and of the check at its end.

    The first unit warms up, on a GPU the first two: the second one captures a CUDA graph. A step that told of no unit
    has its seconds at the start.
    """
    by_name: dict[str, list[dict[str, Any]]] = {}
    for mark in found["marks"]:
        by_name.setdefault(mark["what"], []).append(mark)
    startup, working, check = found["seconds"], 0.0, 0.0
    for marks in by_name.values():
        startup -= marks[-1]["seconds"] - marks[0]["seconds"]
        steps = [(b["done"] - a["done"], b["seconds"] - a["seconds"]) for a, b in pairwise(marks)]
        spans = [(done, seconds) for done, seconds in steps if done > 0]
        last = spans.pop() if monitored and len(spans) > 1 else None
        usual = spans[min(2 if gpu else 1, len(spans) - 1) :]
        units = marks[-1]["done"] - marks[0]["done"]
        if not usual:
            continue
        each = sum(seconds for _, seconds in usual) / sum(done for done, _ in usual)
        startup += sum(max(0.0, seconds - each * done) for done, seconds in spans[: len(spans) - len(usual)])
        working += each * units
        check = max(0.0, last[1] - each * last[0]) if last else 0.0
    return startup, working, check


def amount(plan: Plan, step: Step) -> float:
    """Return how much work a step is, in a unit of its kind: operations of networks, images, iterations, or 1.

    Without the monitor's, whose checks are counted by themselves.
    """
    settings = step.settings
    bare = replace(step, settings=settings | {"monitor": None}) if settings.get("monitor") else step
    if (found := operations(passes(plan, bare))) > 0:
        return found
    if step.kind in ("data", "index"):
        return plan.config.sets[step.name].images
    if step.kind == "neighbours":
        return products(plan, step, facts(network_of_extractor(plan)).width)
    if step.kind in ("toy", "minimax"):
        return settings["iterations" if step.kind == "toy" else "outer"] * settings["seeds"]
    return settings["n"] if step.kind == "metric" and settings["metric"] != "frechet" else 1


def operations(found: Passes) -> float:
    return sum(n * facts(way.network).flops[what] for (way, what), n in found.items())


def distance_of(groups: Iterable[Group]) -> float:
    """Return the seconds of a Frechet distance: a metric has one of all images, and one of each block."""
    for group in groups:
        if group.taken and group.short and group.short.settings.get("metric") == "frechet":
            return group.taken["seconds"] / (1 + group.short.settings["blocks"])
    return 0.0


# --- memory ---------------------------------------------------------------------------------------------------------


def memory_of(plan: Plan, small: Plan, group: Group, step: Step, gpu: bool) -> tuple[float, float]:
    """Return bytes of the machine's memory and of the GPU's that a step would take at most, by what was measured.

    What a step took beyond its start grows with the images in its batch, where the rehearsal had fewer; and with sets
    that stay in memory, and arrays of features that are read whole.
    """
    found, short = group.taken, group.short
    if not found or short is None:
        return 0.0, 0.0
    fuller = max(1, step.settings.get("batch_size", 1) / short.settings.get("batch_size", 1))
    host = found["before"] + (found["peak"] - found["before"]) * fuller
    limit = RESIDENT_SHARE * (found["gpu_total"] if gpu else total_memory())
    kept = sum(held(plan, step, limit)) - sum(held(small, short, limit))
    read = sum(arrays(plan, step)) - sum(arrays(small, short))
    graphics = found["gpu_peak"] + kept if gpu else 0.0
    return host + max(0, read) + (0 if gpu else max(0, kept)), max(0.0, graphics)


def held(plan: Plan, step: Step, limit: float) -> Iterator[int]:
    """Yield the bytes of the sets that stay in memory during a training."""
    for role in STREAMS if step.kind in ("train", "pretrain", "gan") else ():
        if (parent := step.parents.get(role)) and parent.kind == "data" and bytes_of(plan, parent) <= limit:
            yield bytes_of(plan, parent)


def arrays(plan: Plan, step: Step) -> Iterator[int]:
    """Yield the bytes of the features that a step reads."""
    for role in ARRAYS if step.kind in ("metric", "neighbours") else ():
        if role in step.parents:
            yield bytes_of(plan, step.parents[role])


# --- findings -------------------------------------------------------------------------------------------------------


def of_step(group: Group, memory: tuple[float, float]) -> Iterator[str]:
    """Yield what is wrong with a kind of work: it fails here, or it would for want of memory."""
    if group.said:
        if not group.said.startswith(NOT_TRIED):
            yield f"{group.name} fails: {group.said}"
        return
    trained = group.steps[0].kind in ("train", "pretrain")
    advice = "--config micro_batch=8 computes its gradients in parts" if trained else "lower its batch_size"
    there = (total_memory(), group.taken.get("gpu_total") or 0)
    for wanted, has, whose in zip(memory, there, ("this machine", "this GPU"), strict=True):
        if wanted > has > 0:
            yield f"{group.name} would take about {size(wanted)} of memory, and {whose} has {size(has)}: {advice}."


def of_disk(disk: dict[str, Any], root: Path) -> Iterator[str]:
    wanted = disk["work"] + disk["archives"]
    if wanted > disk["free"]:
        yield (
            f"the disk of {root.resolve()} has {size(disk['free'])} left, and {size(wanted)} are wanted: "
            f"{size(disk['work'])} in work/ and {size(disk['archives'])} of archives. Make room, or let work/ and "
            "data/archives/ be links to a larger disk."
        )


def of_archives(steps: Iterable[Step], root: Path) -> Iterator[str]:
    """Yield archives that no program may download and that are not here, and files that are not what they should be."""
    steps = list(steps)
    missing = dict.fromkeys(path.name for step in steps for path in step.missing_archives(root / ARCHIVES))
    absent: dict[str, list[Source]] = {}
    for source in (source for file in missing for source in find(file) if source.access != "open"):
        absent.setdefault(source.archive, []).append(source)
    for sources in absent.values():
        others = "".join(f", {source.file}" for source in sources[1:])
        yield f"missing{others and f', with{others[1:]}'}: {how_to(sources[0])}"
    for file in dict.fromkeys(file for step in steps for file in step.archives):
        path = root / ARCHIVES / file
        if path.is_file():
            (source,) = find(file)
            if found := problem(path, source, whole=path.stat().st_size <= WHOLE):
                yield f"{path} is not what it should be: {found}"


def of_weights(steps: Iterable[Step], root: Path) -> Iterator[str]:
    """Yield which released weights are wanted and were not imported."""
    for step in steps:
        if step.kind in ("train", "pretrain") and "weights" in step.settings:
            write_specs([step], root)
            try:
                adopt(Job(root / step.spec_file))
            except DataError as error:
                yield str(error)


# --- for people -----------------------------------------------------------------------------------------------------

HEAD = f"{'kind of work, by one step':44}{'steps':>7}{'took':>14}{'hours in all':>14}{'memory':>10}{'of a GPU':>10}"


def describe(found: dict[str, Any]) -> Iterator[str]:
    """Yield the lines that say what a rehearsal found."""
    yield HEAD
    for row in found["steps"]:
        took = f"{row['seconds']:.1f} s" if row["seconds"] is not None else "-"
        hours = f"{row['hours']:,.2f}" if row["hours"] is not None else "-"
        used, graphics = (size(row[key]) if row[key] else "-" for key in ("memory", "gpu_memory"))
        yield f"{row['step'][:43]:44}{row['stands_for']:>7}{took:>14}{hours:>14}{used:>10}{graphics:>10}"
        if row["said"]:
            yield f"    {row['said']}"
    path, disk = found["critical_path"], found["disk"]
    yield ""
    yield f"in all {duration(found['hours'])} of {found['device']}, at this rehearsal's pace"
    yield f"with any number of devices {duration(path['hours'])}: {' > '.join(path['steps'])}"
    unknown = f", and {len(disk['of_unknown_size'])} files of unknown size" if disk["of_unknown_size"] else ""
    yield (
        f"disk: {size(disk['work'])} in work/ and {size(disk['archives'])} of archives{unknown}; "
        f"{size(disk['free'])} are free"
    )
    yield f"the rehearsal took {duration(found['seconds'] / 3600)}"
    yield ""
    for finding in found["findings"]:
        yield f"finding: {finding}"
    yield f"{len(found['findings'])} findings" if found["findings"] else "Nothing was found that would fail."
