"""Write the files that `dvc metrics` and `dvc plots` compare: results/metrics.json, results/training/<run>.<seed>.csv.

Neither contains a digest, so commits with different settings have the same keys.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from ..pipeline.kept import NUMBERS, Listing
from ..report.kept import keep
from ..report.needs import Needs, Result
from ..utils.files import atomic, write_text
from ..utils.hashing import canonical

ROWS = 200  # rows of a training curve: enough for a plot, small enough for git


def write_summary(results: Path, artifacts: dict[str, Needs], steps: Iterable[str]) -> Listing:
    """Write both for some artifacts; `steps` are all steps behind these. Return what was read of the trainings.

    Copies of what was read are kept, as for any artifact.
    """
    found = [result for needs in artifacts.values() for result in needs.results.values()]
    records = [result.record for result in found if result.folder.parent.name == "metric"]
    write_text(results / "metrics.json", canonical(metrics(records)))
    work, numbers = found[0].folder.parents[1], results.resolve() / NUMBERS
    trainings = {step: Result(work / step, numbers / step) for step in sorted(steps) if step.startswith("train/")}
    curves = set()
    for training in trainings.values():
        record, log = training.record, training.table("log.csv")
        rows = np.unique(np.linspace(0, len(log) - 1, min(ROWS, len(log))).astype(int))
        curve = results / f"training/{record['run']}.{record['seed']}.csv"
        with atomic(curve) as temporary:
            log.iloc[rows].to_csv(temporary, index=False)
        curves.add(curve)
    for curve in set((results / "training").glob("*.csv")) - curves:  # of runs and seeds of an earlier plan
        curve.unlink()
    keep(trainings.values())
    return {step: {"log.csv": ""} for step in trainings}


def metrics(records: list[dict[str, Any]]) -> dict[str, Any]:
    """Return images and seed -> metric -> value, for example "cifar10.best.seed0" -> "frechet" -> 69.0."""
    table: dict[str, Any] = {}
    for record in records:
        name = record["step"].removeprefix("metric/").rpartition(f".{record['metric']}-")[0]
        if "seed" in record["images"]:
            name = f"{name}.seed{record['images']['seed']}"
        table.setdefault(name, {})[record["metric"]] = record["value"]
    return table
