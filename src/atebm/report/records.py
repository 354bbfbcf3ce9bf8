"""Records and logs of steps in frames: what figures, tables and claims are drawn from."""

from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from ..evaluation.intervals import t_half_width
from .needs import Needs, Result

Record = dict[str, Any]  # a metric.json
NEAR = 1.5  # of Fig. 5: training has arrived at this many times the least distance of the better run
WINDOW = 100  # iterations, of the median gap in Sec. 5.3


def of(records: Iterable[Record], metric: str) -> list[Record]:
    """Return the records of one metric."""
    return [record for record in records if record["metric"] == metric]


def extractor_of(record: Record) -> str:
    """Return name and beginning of the sha256 of the extractor behind a number."""
    return f"{record['extractor']['extractor']} {record['extractor']['sha256'][:12]}"


def interval(records: Sequence[Record]) -> float:
    """Return half of a 95 % interval: of the mean over several seeds, else as the metric itself states it."""
    return t_half_width([record["value"] for record in records]) if len(records) > 1 else records[0]["ci95"]


def evaluations(needs: Needs) -> pd.DataFrame:
    """Return one row per run, seed and evaluation: the least distance of all sampler lengths, and whether it was kept.

    A run whose weights the authors trained has none.
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
    """Return a row per logged iteration: the gap between mean logits of data and of contrastive samples (Sec. 5.3)."""
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
    """Return the gradient steps until a curve is at or below a target, or all it took, and whether it arrived."""
    arrived = curve.loc[curve["distance"] <= target, "gradient_steps"]
    return (float(arrived.iloc[0]), True) if len(arrived) else (float(curve["gradient_steps"].iloc[-1]), False)
