"""Read the results for one model of a plan, for its card, from the records of steps in work/."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from ..config.evaluation import METRICS
from ..config.roles import CLEAN, IN, PUBLISHED, WORST
from ..pipeline.job import record_of
from ..pipeline.naming import labelled
from ..pipeline.plan import Plan
from ..pipeline.step import Step

ATTACKS = {CLEAN: "clean", PUBLISHED: "Auto-PGD", WORST: "worst case of all attacks"}


@dataclass(frozen=True)
class Numbers:
    """Tables for a card; a table is empty if nothing of it was measured."""

    quality: pd.DataFrame  # of samples, and of source and held-out images as references
    detection: pd.DataFrame  # AUROC in percent


def numbers_behind(plan: Plan, run: str) -> list[Step]:
    """Return the steps of a plan that measured the first model of a run."""
    return [*(step for _, step in quality_steps(plan, run)), *detection_steps(plan, run)]


def quality_steps(plan: Plan, run: str) -> Iterator[tuple[str, Step]]:
    """Yield the metrics of a run's samples, and the distances of its sources and held-out images, each with a name."""
    if run not in plan.config.samplers:
        return
    seed, task = plan.config.seed, plan.task(run)
    found = [("its samples", plan.score(metric, run, seed)) for metric in METRICS if measures(metric)]
    found.append((f"source images, unchanged: {plan.config.title_of(task.sources)}", sources(plan, run)))
    if task.held_out != task.p_data:
        found.append(("held-out real images", plan.metric("frechet", plan.data(task.held_out), task.p_data)))
    yield from ((words, step) for words, step in found if (step.kind, step.id) in plan.steps)


def measures(metric: str) -> bool:
    return metric in ("frechet", "inception_score", "kid")


def sources(plan: Plan, run: str) -> Step:
    return plan.distance_of_sources(plan.config.runs[run].task, plan.config.seed)


def detection_steps(plan: Plan, run: str) -> Iterator[Step]:
    """Yield the detection step of a run's model in the worst case, if the plan has it."""
    if plan.config.runs[run].task in plan.config.detection:
        step = plan.worst_case(run, plan.config.seed)
        if (step.kind, step.id) in plan.steps:
            yield step


def numbers_of(plan: Plan, run: str, root: Path) -> Numbers:
    """Return the results for the first model of a run."""
    quality = [quality_row(words, record_of(root / step.folder)) for words, step in quality_steps(plan, run)]
    detection = [row for step in detection_steps(plan, run) for row in detection_rows(plan, run, root / step.folder)]
    return Numbers(pd.DataFrame(quality), pd.DataFrame(detection))


def quality_row(words: str, record: dict[str, Any]) -> dict[str, str]:
    return {
        "images": words,
        "measure": record["name"],
        "value": f"{record['value']:.4g} ± {record['ci95']:.2g}",
        "of": f"{record['n_samples']:,} images",
    }


def detection_rows(plan: Plan, run: str, folder: Path) -> Iterator[dict[str, str]]:
    """Yield a row per out-of-distribution set: AUROC in percent with its interval, clean and attacked."""
    frame = pd.read_csv(folder / "detection.csv")
    frame = frame[frame["in"] == IN]
    for row, of_row in frame.groupby("row", sort=False):
        images = plan.config.title_of(of_row["set"].iloc[0])
        cells = {"out of distribution": labelled(images, str(row))}
        for attack, words in ATTACKS.items():
            for _, found in of_row[of_row["attack"] == attack].iterrows():
                at = "" if attack == CLEAN else f", radius {found['radius']:g}"
                value, low, high = (100 * found[key] for key in ("auroc", "low", "high"))
                cells[f"{words}{at}"] = f"{value:.2f} [{low:.2f}, {high:.2f}]"
        yield cells
