"""The cost of each artifact of a plan alone, and what it adds to the artifacts above it, which share steps with it."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from typing import Any

import torch

from ..archives.catalogue import ARCHIVES, find
from ..pipeline.plan import Plan
from ..pipeline.step import Step, ancestors
from .disk import size
from .flops import facts
from .host import RATES, host_work
from .passes import Passes, network_of_extractor, passes, products
from .throughput import MEASURED, Throughput

COSTLIEST = 5  # number of the costliest steps to name
SHORTEST = 0.1  # least hours of a step of the critical path to name
UNITS = {"kB": 1e3, "MB": 1e6, "GB": 1e9}
UNCOUNTED = (
    "Counted: networks, reading, decoding and augmenting of images, and distances between features. Not counted: the "
    "start of each job, and drawing."
)


@dataclass(frozen=True)
class Cost:
    """Hours of one device, hours of one CPU core, and gigabytes in work/."""

    hours: float = 0.0  # includes waiting for images and distances
    at_most: float = 0.0  # hours if K grows as early as auc_advance allows
    floor: float = 0.0  # hours at the speed of a large matrix product
    left: float = 0.0  # hours of the steps that are not done
    gigabytes: float = 0.0
    data: float = 0.0  # hours of one core for images and distances

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))


def cost(plan: Plan, step: Step, root: Path, throughput: Throughput) -> Cost:
    """Return the cost of one step, without its parents."""
    usual, most = (passes(plan, step, soon) for soon in (False, True))
    width = facts(network_of_extractor(plan)).width
    searched = products(plan, step, width)
    search = searched / throughput.floor("fp32") if searched else 0.0
    host = host_work(plan, step, width)
    device, longest = ((seconds_of(found, throughput) + search) / 3600 for found in (usual, most))
    hours, at_most = (host.hours(found, throughput.gpu) for found in (device, longest))
    left = 0.0 if (root / step.record).exists() else hours
    floor = (at_the_floor(usual, throughput) + search) / 3600
    return Cost(hours, at_most, floor, left, size(plan, step) / 1e9, host.core_hours)


def critical_path(plan: Plan, of_step: dict[tuple[str, str], Cost]) -> tuple[float, list[Step]]:
    """Return the hours of the longest chain of dependent steps, and the chain: no number of GPUs takes less time."""
    longest: dict[tuple[str, str], tuple[float, list[Step]]] = {}
    for key, step in plan.steps.items():  # parents first
        before = [longest[parent.kind, parent.id] for parent in step.parents.values()]
        hours, chain = max(before, key=lambda found: found[0], default=(0.0, []))
        longest[key] = hours + of_step[key].hours, [*chain, step]
    return max(longest.values(), key=lambda found: found[0], default=(0.0, []))


def seconds_of(found: Passes, throughput: Throughput) -> float:
    return sum(n * facts(way.network).flops[what] / throughput.of(way, what) for (way, what), n in found.items())


def at_the_floor(found: Passes, throughput: Throughput) -> float:
    return sum(n * facts(way.network).flops[what] / throughput.floor(way.precision) for (way, what), n in found.items())


def costs(plan: Plan, root: Path, throughput: Throughput) -> dict[str, Any]:
    """Return as JSON data the costs of each artifact, of artifacts drawn only on request, and of everything."""
    of_step: dict[tuple[str, str], Cost] = {}
    above: set[tuple[str, str]] = set()
    rows = {}
    for artifact in [*plan.usual, *(name for name in plan.artifacts if name not in plan.usual)]:
        steps = ancestors(plan.artifacts[artifact])
        of_step |= {key: cost(plan, step, root, throughput) for key, step in steps.items() if key not in of_step}
        alone, adds = (total_cost(of_step[key] for key in keys) for keys in (steps, steps.keys() - above))
        rows[artifact] = {"artifact": artifact, "title": plan.title(artifact), **asdict(alone), "adds": asdict(adds)}
        above |= steps.keys()
    critical, chain = critical_path(plan, of_step)
    costliest = sorted(plan.steps, key=lambda key: -of_step[key].hours)[:COSTLIEST]
    return {
        "scale": plan.config.scale,
        "seeds": plan.config.seeds,
        "device": throughput.name,
        "threads": torch.get_num_threads() if not throughput.gpu else None,
        "torch": throughput.version,
        "tflops_of_product": {precision: speed / 1e12 for precision, speed in throughput.floors.items()},
        "networks": speeds(plan, throughput),
        "measured": [
            {
                **timed._asdict(),
                "network": str(timed.network),
                "tflops": speed / 1e12,
                "source": throughput.sources.get(timed, MEASURED),
            }
            for timed, speed in throughput.found.items()
        ],
        "artifacts": [rows[name] for name in plan.usual],
        "total": asdict(total_cost(of_step[key] for key in plan.steps)),
        "on_request": [row for name, row in rows.items() if name not in plan.usual],
        "costliest": [{"step": f"{kind}/{id}", **asdict(of_step[kind, id])} for kind, id in costliest],
        "critical_path": {
            "hours": critical,
            "steps": [{"step": f"{step.kind}/{step.id}", "hours": of_step[step.kind, step.id].hours} for step in chain],
        },
        "data": [{"what": what, "seconds": rate, "source": source} for what, (rate, source) in RATES.items()],
        "archives": archives_to_fetch(plan.steps.values(), root),
    }


def total_cost(parts: Iterable[Cost]) -> Cost:
    return sum(parts, Cost())


def speeds(plan: Plan, throughput: Throughput) -> list[dict[str, Any]]:
    """Return the average speed of each network over the whole plan, in each precision."""
    found: dict[tuple[str, str], list[float]] = {}
    for step in plan.steps.values():
        for (way, what), n in passes(plan, step).items():
            flops = n * facts(way.network).flops[what]
            sums = found.setdefault((str(way.network), way.precision), [0.0, 0.0])
            sums[0] += flops
            sums[1] += flops / throughput.of(way, what)
    return [
        {"network": network, "precision": precision, "tflops": flops / seconds / 1e12}
        for (network, precision), (flops, seconds) in found.items()
        if seconds
    ]


def archives_to_fetch(steps: Iterable[Step], root: Path) -> dict[str, Any]:
    """Return the missing archive files that steps still to be done read."""
    todo = [step for step in steps if not (root / step.record).exists()]
    missing = sorted({path.name for step in todo for path in step.missing_archives(root / ARCHIVES)})
    sizes = {name: bytes_of(name) for name in missing}
    known = sum(found for found in sizes.values() if found) / 1e9
    return {"files": missing, "gigabytes": known, "of_unknown_size": [name for name in missing if not sizes[name]]}


def bytes_of(file: str) -> float | None:
    """Return the bytes of a file in data/sources.yaml, exactly if documented, else roughly; None if unknown."""
    (source,) = (source for source in find(file) if source.file == file)
    rough = re.match(r"([\d.]+) (kB|MB|GB)", source.about or "")
    return source.bytes or (float(rough[1]) * UNITS[rough[2]] if rough else None)


# --- for people ---------------------------------------------------------------------------------------------------


HEAD = f"{'':34}{'hours':>12}{'at most':>12}{'floor':>12}{'left':>12}{'GB':>9}{'adds: hours':>14}{'GB':>9}"
MEANING = (
    "hours: on this device; at most: if K grows as early as it can; floor: at the speed of a matrix product; "
    "left: for steps that are not done; adds: beyond the rows above, which share steps."
)


def describe_costs(found: dict[str, Any]) -> Iterator[str]:
    """Yield the lines that describe what `costs` found."""
    threads = f", {found['threads']} thread(s)" if found["threads"] else ""
    yield f"scale {found['scale']}, seeds {found['seeds']}; {found['device']}{threads}, torch {found['torch']}"
    for row in found["networks"]:
        product = found["tflops_of_product"][row["precision"]]
        share = f"{row['tflops'] / product:.0%} of a matrix product, {product:.3g}"
        yield f"{row['network']}, {row['precision']}: {row['tflops']:.3g} TFLOP/s, {share}"
    yield ""
    yield HEAD
    for row in [*found["artifacts"], {"artifact": "everything", "title": "", **found["total"]}, *found["on_request"]]:
        yield line(row)
    yield ""
    yield "costliest steps: " + ", ".join(f"{row['step']} {short(row['hours'])} h" for row in found["costliest"])
    path = found["critical_path"]
    steps = " > ".join(f"{row['step']} {short(row['hours'])} h" for row in path["steps"] if row["hours"] >= SHORTEST)
    yield f"least time with any number of devices: {short(path['hours'])} h: {steps}"
    yield f"images and distances: {short(found['total']['data'])} hours of one core, in addition to networks"
    for row in found["data"]:
        yield f"  {row['what']}: {row['seconds']:.2g} s, {row['source']}"
    for row in found["measured"]:
        if row["source"] != MEASURED:
            what = ", ".join(
                filter(None, (row["network"], row["what"], row["precision"], "compiled" * row["compiled"]))
            )
            yield f"assumed: {what}: {row['tflops']:.3g} TFLOP/s: {row['source'].removeprefix('assumed: ')}"
    missing = found["archives"]
    unknown = f"; of unknown size: {', '.join(missing['of_unknown_size'])}" if missing["of_unknown_size"] else ""
    yield f"archives to download: {len(missing['files'])} files, {missing['gigabytes']:,.1f} GB{unknown}"
    yield MEANING
    yield UNCOUNTED


def line(row: dict[str, Any]) -> str:
    name = f"{row['artifact']:16}{row['title'].split(':')[0]:18}"
    numbers = [row[key] for key in ("hours", "at_most", "floor", "left", "gigabytes")]
    widths = (12, 12, 12, 12, 9)
    text = name + "".join(f"{short(number):>{width}}" for number, width in zip(numbers, widths, strict=True))
    if "adds" in row:
        text += f"{short(row['adds']['hours']):>14}{short(row['adds']['gigabytes']):>9}"
    return text


def short(number: float) -> str:
    """Return a number without decimals from 100 on, with two decimals from 1 on, and with two digits below 1."""
    return f"{number:,.0f}" if number >= 100 else f"{number:.2f}" if number >= 1 or not number else f"{number:.2g}"
