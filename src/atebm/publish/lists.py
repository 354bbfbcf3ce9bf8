"""Make the pages behind the overview: site/steps.html and site/trainings.html list every step and training."""

from collections.abc import Iterator
from math import isfinite
from pathlib import Path
from typing import Any

import pandas as pd

from .templates import environment

POINTS = 60  # points of a small training curve
STEPS, TRAININGS = "site/steps.html", "site/trainings.html"


def lists_of(results: Path, manifest: dict[str, Any]) -> dict[str, str]:
    """Return the two pages by their paths below `results`."""
    steps = [step_row(step, entry) for step, entry in manifest["steps"].items()]
    trainings = [row for path in sorted((results / "training").glob("*.csv")) if (row := training(path))]
    render = environment().get_template
    return {
        STEPS: render("steps.html.j2").render(scale=manifest["scale"], steps=steps),
        TRAININGS: render("trainings.html.j2").render(scale=manifest["scale"], trainings=trainings),
    }


def step_row(step: str, entry: dict[str, Any]) -> dict[str, Any]:
    """Return the page's row for a step, "train/cifar10-36875fac", from its entry in the manifest."""
    kind_of, _, identity = step.partition("/")
    return {
        "kind": kind_of,
        "id": identity,
        "anchor": step.replace("/", "-"),
        "device": entry["device"] or "",
        "seconds": entry["seconds"],
        "settings": list(flat(entry["settings"])),
        "parents": [(role, parent["step"]) for role, parent in entry["parents"].items()],
    }


def flat(settings: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield nested settings as pairs such as "optimizer.lr", "0.0005"."""
    for key, value in settings.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{key}.")
        elif value is not None:
            yield f"{prefix}{key}", ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def training(path: Path) -> dict[str, Any] | None:
    """Return a run's last row and a small curve of its batch AUC; None if it was too short to be logged."""
    log = pd.read_csv(path)
    if log.empty:
        return None
    run, seed = path.stem.rsplit(".", 1)
    last = log.iloc[-1]
    return {
        "run": run,
        "seed": seed,
        "file": f"../training/{path.name}",
        "iterations": int(last["iteration"]),
        "K": int(last["K"]),
        "auc": float(last["auc"]),
        "curve": curve(log["auc"].tolist()),
    }


def curve(values: list[float]) -> list[tuple[float, float]]:
    """Return at most POINTS of some numbers in [0, 1] as pairs (share of the way, value), without missing numbers."""
    last = max(len(values) - 1, 1)
    kept = range(len(values)) if len(values) <= POINTS else [round(i * last / (POINTS - 1)) for i in range(POINTS)]
    return [(round(i / last, 3), round(values[i], 3)) for i in kept if isfinite(values[i])]
