"""Read records and logs of steps into frames for figures, tables and claims."""

from collections.abc import Iterable, Sequence
from statistics import mean
from typing import Any

import pandas as pd

from ..evaluation.intervals import t_half_width
from .needs import Needs, Result

Record = dict[str, Any]  # a metric.json
NEAR = 1.5  # Fig. 5: training has arrived once its distance is this many times the least of the better run
LEARNT = 0.5  # a model has learnt if its samples' distance is at most this share of their sources'
WINDOW = 100  # iterations that the median gap of Sec. 5.3 covers


def of(records: Iterable[Record], metric: str) -> list[Record]:
    """Return the records of one metric."""
    return [record for record in records if record["metric"] == metric]


def has_learnt(samples: Sequence[Record], sources: Sequence[Record]) -> bool:
    """Return whether samples are, on average, at most LEARNT times as far from the data as their source images."""
    ours, theirs = (mean(record["value"] for record in of(records, "frechet")) for records in (samples, sources))
    return ours <= LEARNT * theirs


def extractor_of(record: Record) -> str:
    """Return the name of the extractor behind a number, and the beginning of its sha256."""
    return f"{record['extractor']['extractor']} {record['extractor']['sha256'][:12]}"


def interval(records: Sequence[Record]) -> float:
    """Return half of a 95 % interval: over seeds if there are several, else the metric's own."""
    return t_half_width([record["value"] for record in records]) if len(records) > 1 else records[0]["ci95"]


def evaluations(needs: Needs) -> pd.DataFrame:
    """Return a row per run, seed and evaluation: the smallest distance over numbers of steps, and whether it was kept.

    A run whose weights were imported has no rows.
    """
    frames = []
    for training in needs.under("train").values():
        record, frame = training.record, training.table("monitor.csv")
        if frame.empty:
            continue
        frame = frame.loc[frame.groupby("iteration")["distance"].idxmin()]
        kept = frame["iteration"] == record["best"]["iteration"]
        frames.append(frame.assign(run=record["run"], seed=record["seed"], kept=kept))
    columns = ["run", "seed", "iteration", "gradient_steps", "steps", "distance", "kept"]
    return pd.concat(frames, ignore_index=True)[columns] if frames else pd.DataFrame(columns=columns)


def gaps(training: Result) -> pd.DataFrame:
    """Return a row per logged iteration with the gap between mean logits of data and contrastive samples (Sec. 5.3)."""
    record, settings, log = training.record, training.settings, training.table("log.csv")
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


def arrival(curve: pd.DataFrame, target: float) -> tuple[float, bool]:
    """Return after how many gradient steps a curve reached a target (or ended), and whether it reached it."""
    arrived = curve.loc[curve["distance"] <= target, "gradient_steps"]
    return (float(arrived.iloc[0]), True) if len(arrived) else (float(curve["gradient_steps"].iloc[-1]), False)
