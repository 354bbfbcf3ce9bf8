"""What `dvc metrics` and `dvc plots` compare: results/metrics.json and results/training/<run>.<seed>.csv.

Neither names a digest, so that two commits with other settings have the same keys.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..pipeline.job import record_of
from ..report.needs import Needs
from ..utils.files import atomic, write_text
from ..utils.hashing import canonical

ROWS = 200  # of a training curve: enough to look at, small enough for git


def write_summary(results: Path, request: Path) -> None:
    """Write both for all artifacts of the plan that `request`, work/specs/artifact/manifest.json, names."""
    names = json.loads(request.read_text())["request"]["requests"]
    results_of = [result for name in names for result in Needs.read(request.with_name(f"{name}.json")).results.values()]
    records = [result.record for result in results_of if result.folder.parent.name == "metric"]
    write_text(results / "metrics.json", canonical(metrics(records)))
    curves = set()
    for folder in sorted(trainings_behind([result.folder for result in results_of])):
        record, log = record_of(folder), pd.read_csv(folder / "log.csv")
        rows = np.unique(np.linspace(0, len(log) - 1, min(ROWS, len(log))).astype(int))
        curve = results / f"training/{record['run']}.{record['seed']}.csv"
        with atomic(curve) as temporary:
            log.iloc[rows].to_csv(temporary, index=False)
        curves.add(curve)
    for curve in set((results / "training").glob("*.csv")) - curves:  # of runs and seeds that the plan had before
        curve.unlink()


def metrics(records: list[dict[str, Any]]) -> dict[str, Any]:
    """Images, as the steps name them, and seed -> metric -> value: "cifar10.best.seed0" -> "frechet" -> 69.0."""
    table: dict[str, Any] = {}
    for record in records:
        name = record["step"].removeprefix("metric/").rpartition(f".{record['metric']}-")[0]
        if "seed" in record["images"]:
            name = f"{name}.seed{record['images']['seed']}"
        table.setdefault(name, {})[record["metric"]] = record["value"]
    return table


def trainings_behind(folders: list[Path]) -> set[Path]:
    """The `train` steps behind steps."""
    found = {folder for folder in folders if folder.parent.name == "train"}
    for folder in folders:
        parents = [folder.parents[1] / parent["step"] for parent in record_of(folder)["parents"].values()]
        found |= trainings_behind(parents)
    return found
