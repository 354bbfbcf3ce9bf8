"""Records and logs of steps, chosen and put into frames: what figures, tables and claims are drawn from."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ..evaluation.intervals import t_half_width
from ..pipeline.job import record_of
from .needs import Needs

Record = dict[str, Any]  # a metric.json
WINDOW = 100  # iterations, of the median gap in Sec. 5.3


def of(metrics: Sequence[Record], metric: str | None = None, **images: Any) -> list[Record]:
    """The records of one metric (of any by default) whose images are described by the fields, such as run="cifar10"."""
    described = (record for record in metrics if images.items() <= record["images"].items())
    return [record for record in described if metric in (None, record["metric"])]


def extractor_of(record: Record) -> str:
    """Name and beginning of the sha256 of the extractor behind a number."""
    return f"{record['extractor']['extractor']} {record['extractor']['sha256'][:12]}"


def interval(records: Sequence[Record]) -> float:
    """Half of a 95 % interval: of the mean over seeds where there are several, else as the metric itself states it."""
    return t_half_width([record["value"] for record in records]) if len(records) > 1 else records[0]["ci95"]


def checks(needs: Needs) -> pd.DataFrame:
    """One row per run, seed and check: the distance at the sampler length that was best then, and whether it was kept.

    A run whose weights the authors trained has none.
    """
    frames = []
    for folder in needs.folder("train"):
        record, frame = record_of(folder), pd.read_csv(folder / "monitor.csv")
        if frame.empty:
            continue
        frame = frame.loc[frame.groupby("iteration")["distance"].idxmin()]
        kept = frame["iteration"] == record["best"]["iteration"]
        frames.append(frame.assign(run=record["run"], seed=record["seed"], kept=kept))
    columns = ["run", "seed", "iteration", "gradient_steps", "steps", "distance", "kept"]
    return pd.concat(frames, ignore_index=True)[columns] if frames else pd.DataFrame(columns=columns)


def gaps(needs: Needs, folder: Path) -> pd.DataFrame:
    """The rows of one training."""
    record, settings, log = record_of(folder), needs.spec(folder)["settings"], pd.read_csv(folder / "log.csv")
    gap = log["logit_data"] - log["logit_contrastive"]
    at = log["iteration"]
    recent = [gap[(at > iteration - WINDOW) & (at <= iteration)].median() for iteration in at]
    return pd.DataFrame(
        {
            "run": record["run"],
            "objective": {"max_likelihood": "Eq. 2", "binary_at": "Eq. 11"}[settings["objective"]],
            "contrastive": "Langevin" if settings["langevin"] else "PGD",
            "lr": settings["optimizer"]["lr"],
            "seed": record["seed"],
            "iteration": at,
            "K": log["K"],
            "logit_data": log["logit_data"],
            "logit_contrastive": log["logit_contrastive"],
            "gap": gap,
            f"median_gap_{WINDOW}": recent,
            "overflowed": record["diverged"],
        }
    )
