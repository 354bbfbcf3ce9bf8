"""All benchmarks in one run, one after another: `make bench`, or `python benchmarks/bench.py [NAMES...]` for some.

Leaves benchmarks/<name>.md, which is what the script printed, and <name>.json beside each script, then bench.png and
README.md of what all of them found, those of earlier runs included.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from atebm.utils.files import atomic, passing, write_text
from atebm.utils.processes import THREADS

HERE = Path(__file__).resolve().parent
SCRIPTS = {  # in order, and what each measures
    "jobs": "start of the command line and of jobs, Snakemake's own time, planning",
    "data": "batches for training",
    "toy": "an iteration of the 2D simulation",
    "growth": "how time and memory grow",
    "scoring": "scoring by Inception",
    "attack": "Auto-PGD",
    "engine": "a PGD step and a training iteration",
}
OURS_COLOUR, OTHERS, FAILED = "#1f77b4", "#555555", "#c44e52"


def run(name: str) -> bool:
    """Run one script: what it prints is shown as it comes, and kept with its data if it ends well."""
    path = os.pathsep.join(filter(None, [str(HERE / ".peers"), os.environ.get("PYTHONPATH")]))
    environment = os.environ | THREADS | {"PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}
    said = [f"# benchmarks/{name}.py, one run\n", "Made by `make bench`.\n"]
    print(f"\n=== {name}: {SCRIPTS[name]}\n", flush=True)
    with passing(HERE / f"{name}.json") as data:
        command = [sys.executable, str(HERE / f"{name}.py"), "--json", str(data)]
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
            for line in process.stdout or ():
                print(line, end="", flush=True)
                said.append(line.rstrip("\n"))
        if process.returncode:
            print(f"error: {name}.py ended with {process.returncode}; an earlier run's findings stay.", file=sys.stderr)
            return False
        data.replace(HERE / f"{name}.json")
    write_text(HERE / f"{name}.md", "\n".join(said) + "\n")
    return True


def findings() -> dict[str, dict[str, Any]]:
    """Of every script that has run here, by its name."""
    files = {name: HERE / f"{name}.json" for name in SCRIPTS}
    return {name: json.loads(file.read_text()) for name, file in files.items() if file.exists()}


# --- the figure ---------------------------------------------------------------------------------------------------


def bars(found: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """What the left panel shows: of every peer its time over ours, and what the project wants of it."""
    rows: list[dict[str, Any]] = []
    for script in reversed(found.values()):
        marks = {tuple(v["mark"][key] for key in ("of", "peer", "ours")): v for v in script["verdicts"] if v["mark"]}
        for what, timed in script["times"].items():
            own = timed["seconds"][timed["ours"]]
            rows.append({"heading": what})
            for peer, seconds in timed["seconds"].items():
                if peer != timed["ours"]:
                    values = [a / b for a, b in zip(seconds, own, strict=True)]
                    rows.append({"peer": peer, "values": values, "verdict": marks.get((what, peer, timed["ours"]))})
    return rows


def draw_ratios(axes: Axes, rows: list[dict[str, Any]]) -> None:
    labels = []
    for y, row in enumerate(rows):
        labels.append(row.get("heading") or row["peer"])
        if "heading" in row:
            continue
        low, middle, high = statistics.quantiles(row["values"], n=4, method="inclusive")
        verdict = row["verdict"]
        colour = FAILED if verdict and verdict["said"] == "not met" else OURS_COLOUR if verdict else OTHERS
        axes.errorbar(middle, y, xerr=[[middle - low], [high - middle]], fmt="o", ms=4, color=colour, capsize=2)
        axes.text(1.01, y, f"{middle:.2f}", transform=axes.get_yaxis_transform(), va="center", fontsize=7)
        if verdict:
            axes.plot([verdict["mark"]["least"]] * 2, [y - 0.4, y + 0.4], color="black", lw=1.5)
    axes.axvline(1, color="0.7", lw=1, zorder=0)
    axes.set(xscale="log", ylim=(len(rows) - 0.4, -0.6), xlabel="time / time of ours")
    axes.set_yticks(range(len(rows)), labels, fontsize=7)
    for label, row in zip(axes.get_yticklabels(), rows, strict=True):
        if "heading" in row:
            label.set_fontweight("bold")
    ticks = [0.5, 1, 2, 5, 10, 20]
    low, high = axes.get_xlim()
    axes.set_xticks([t for t in ticks if low <= t <= high], [f"{t:g}" for t in ticks if low <= t <= high])
    axes.minorticks_off()
    axes.grid(axis="y", lw=0.3)
    axes.set_title("(a) peers; bar: what is wanted; red: not met", fontsize=9, loc="left")


def draw_growth(axes: Axes, growth: dict[str, dict[str, Any]]) -> None:
    """Each curve in multiples of its first point."""
    for what, curve in growth.items():
        x = [value / curve["x"][0] for value in curve["x"]]
        medians = [statistics.median(seconds) for seconds in curve["seconds"]]
        exponent = statistics.median(curve["exponents"])
        axes.loglog(x, [m / medians[0] for m in medians], "o-", ms=3, lw=1, label=f"{what}: exponent {exponent:.2f}")
    axes.loglog([1, 16], [1, 16], ":", color="0.5", label="exponent 1")
    axes.xaxis.set_major_locator(FixedLocator([1, 2, 4, 8, 16]))
    axes.xaxis.set_minor_locator(NullLocator())
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter("{x:g}")
    axes.set(xlabel="size / smallest size", ylabel="time / time of the smallest")
    axes.legend(fontsize=7, frameon=False)
    axes.set_title("(b) how time grows", fontsize=9, loc="left")


def draw_memory(axes: Axes, found: dict[str, list[float]]) -> None:
    for y, (few, many) in enumerate(found.values()):
        axes.plot([few, many], [y, y], "-", color="0.7", zorder=0)
        axes.plot([few], [y], "o", ms=5, mfc="white", color=OURS_COLOUR, label="few samples" if y == 0 else None)
        axes.plot([many], [y], "o", ms=5, color=OURS_COLOUR, label="50,000 samples" if y == 0 else None)
    axes.set_yticks(range(len(found)), list(found), fontsize=7)
    axes.set(xlim=(0, None), ylim=(len(found) - 0.5, -0.5), xlabel="most memory of a process, GiB")
    axes.legend(fontsize=7, frameon=False)
    axes.set_title("(c) how memory grows", fontsize=9, loc="left")


def draw(found: dict[str, dict[str, Any]], path: Path) -> None:
    rows = bars(found)
    figure = Figure(figsize=(13, max(5.0, 1.2 + 0.15 * len(rows))), layout="constrained")
    canvas = FigureCanvasAgg(figure)
    parts = figure.subplot_mosaic([["ratios", "time"], ["ratios", "memory"]], width_ratios=[1, 1.1])
    draw_ratios(parts["ratios"], rows)
    growth = found.get("growth", {"growth": {}, "figures": {}})
    draw_growth(parts["time"], growth["growth"])
    draw_memory(parts["memory"], growth["figures"].get("peak GiB", {}))
    with atomic(path) as temporary:
        canvas.print_png(str(temporary))


# --- the page -----------------------------------------------------------------------------------------------------

PAGE = """# Benchmarks

`make bench` runs all of them beside their peers, and writes this page; `python benchmarks/bench.py NAMES` runs some.
Each script's first lines say what it measures and how its peers are made equal. Numbers are those of one run: medians
over rounds in which peers took turns, with quartiles in parentheses. Of a GPU: [engine.py on one H100](engine_h100.md),
an earlier run.

{machines}

![Ratios to peers, growth of time and of memory](bench.png)

| script | what the project wants | |
|---|---|---|
{verdicts}
"""


def described(machine: dict[str, Any]) -> str:
    parts = [machine["cpu"], f"{machine['cores']} cores", *filter(None, [machine["gpu"]])]
    return "- " + ", ".join([*parts, *(f"{name} {version}" for name, version in machine["versions"].items())])


def page(found: dict[str, dict[str, Any]]) -> str:
    lines = []
    for name, what in SCRIPTS.items():
        link = f"[{name}]({name}.md)"
        for verdict in found.get(name, {}).get("verdicts", []):
            said = "**not met**" if verdict["said"] == "not met" else verdict["said"]
            lines.append(f"| {link} | {verdict['target']} | {said} {verdict['found']} |")
        if name not in found:
            lines.append(f"| {name} | {what} | not measured |")
    machines = dict.fromkeys(described(data["machine"]) for data in found.values())
    return PAGE.format(machines="\n".join(machines), verdicts="\n".join(lines))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAMES", help=f"of {', '.join(SCRIPTS)}; all by default")
    names = parser.parse_args().names or list(SCRIPTS)
    if unknown := [name for name in names if name not in SCRIPTS]:
        parser.error(f"there is no {unknown[0]}; choose of {', '.join(SCRIPTS)}.")
    ended_well = [run(name) for name in names]
    found = findings()
    draw(found, HERE / "bench.png")
    write_text(HERE / "README.md", page(found))
    sys.exit(not all(ended_well))


if __name__ == "__main__":
    main()
