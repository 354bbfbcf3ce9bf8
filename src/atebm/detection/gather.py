"""Joining the shards of an `attack` step. Imports neither torch nor scikit-learn."""

from pathlib import Path

import numpy as np
import pandas as pd

from ..pipeline.job import Job, record_of
from ..utils.files import atomic


def gather_scores(job: Job, shards: list[Path]) -> None:
    """Join the shards of an attack step into scores.csv and images.npy.

    scores.csv has a line per image and radius. images.npy has the worst cases of each set's first images at the first
    radius, floats (k, H, W, C) in [0, 1].
    """
    parts = [np.load(shard) for shard in shards]
    filled = [part for part in parts if len(part.files) > 1]  # if there are more shards than batches, some are empty
    images = np.concatenate([part["images"] for part in filled])
    with atomic(job.folder / "images.npy") as temporary:
        np.save(temporary, images)
    columns = [name for name in filled[0].files if name not in ("device", "images")]
    scores = pd.DataFrame({name: np.concatenate([part[name] for part in filled]) for name in columns})
    with atomic(job.folder / "scores.csv") as temporary:
        scores.to_csv(temporary, index=False, float_format="%.9g")  # all digits of a float32
    model = record_of(job.parent("model"))
    sets = {role: record_of(job.parent(role))["set"] for role in scores["row"].unique()}
    surrogate = {"surrogate": job.spec["parents"]["surrogate"]} if "surrogate" in job.spec["parents"] else {}
    job.finish(
        {
            **{key: model[key] for key in ("run", "seed")},
            **surrogate,
            "checkpoint": job.settings["checkpoint"],
            "sets": sets,
            "settings": job.settings,
            "device": str(parts[0]["device"]),
        }
    )
