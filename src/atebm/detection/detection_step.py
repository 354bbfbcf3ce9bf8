"""The `detection` step: how well logits distinguish other sets' images from in-distribution ones. Imports no torch."""

from typing import Any

import numpy as np
import pandas as pd

from ..config.roles import CLEAN, HELD_OUT, IN
from ..pipeline.job import Job, record_of
from ..utils.files import atomic
from .auroc import interval, measures


def write_detection(job: Job) -> None:
    """Write detection.csv: a row per set, radius, attack and in-distribution set, with measures and AUROC interval.

    The attacks are `clean` (radius 0), those of the attack step, and `worst`, which has each image's highest logit over
    all attacks and the clean image. If a logit is not finite, such as a diverged model's, the measures are empty.
    """
    folder = job.parent("attack")
    record, scores = record_of(folder), pd.read_csv(folder / "scores.csv", keep_default_na=False, na_values=[""])
    inside = {
        role: scores.loc[scores["row"] == role, CLEAN].to_numpy(float)
        for role in (IN, HELD_OUT)
        if role in record["sets"]
    }
    rows = [
        {"row": row, "set": name, "radius": radius, "attack": attack, "in": role, **numbers(against, outside)}
        for row, name in record["sets"].items()
        if row not in inside
        for radius, attack, outside in attacked(scores, row)
        for role, against in inside.items()
    ]
    with atomic(job.folder / "detection.csv") as temporary:
        pd.DataFrame(rows).to_csv(temporary, index=False)
    described = ("run", "seed", "surrogate", "checkpoint", "sets", "settings", "device")
    job.finish({key: record[key] for key in described if key in record})


def attacked(scores: pd.DataFrame, row: str) -> list[tuple[float, str, np.ndarray]]:
    """Return radius, attack and the logits of the attacked images, for each attack on a set."""
    mine = scores[scores["row"] == row]
    first = mine[mine["radius"] == mine["radius"].min()]
    found = [(0.0, CLEAN, first[CLEAN].to_numpy(float))]
    columns = [name for name in map(str, mine) if name not in ("row", "image", "radius", "distance", CLEAN)]
    for radius in sorted(mine["radius"].unique()):
        part = mine[mine["radius"] == radius]
        found += [(float(radius), name, part[name].to_numpy(float)) for name in columns]
    return found


def numbers(inside: np.ndarray, outside: np.ndarray) -> dict[str, Any]:
    """Return the measures, the AUROC's interval and the numbers of images."""
    found: dict[str, Any] = {"n_in": len(inside), "n_out": len(outside)}
    if not (np.isfinite(inside).all() and np.isfinite(outside).all()):
        return found
    low, high = interval(inside, outside)
    return found | measures(inside, outside) | {"low": low, "high": high}
