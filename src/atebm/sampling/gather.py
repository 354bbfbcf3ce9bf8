"""Join the shards of a `sample` step. No torch."""

from pathlib import Path

import numpy as np
import pandas as pd

from ..pipeline.job import Job, record_of
from ..utils import npy
from ..utils.files import atomic, room

PATH_COLUMNS = ("logit_source", "logit_sample", "moved")  # f before and after the ascent; L2 distance in pixel units


def steps_of(job: Job) -> int:
    """Return the sampler's number of steps; `selected` is the one that training selected for this checkpoint."""
    steps = job.settings["steps"]
    return record_of(job.parent("model"))[job.settings["checkpoint"]]["steps"] if steps == "selected" else steps


def gather(job: Job, shards: list[Path]) -> None:
    """Join the shards, in order: images.npy (n, H, W, C) uint8 and paths.csv, one line per sample."""
    parts = [np.load(shard) for shard in shards]
    images = job.folder / "images.npy"
    size = sum(shard.stat().st_size for shard in shards)
    with room(images, size), atomic(images) as temporary, temporary.open("wb") as file:
        npy.join(file, shards, "images")
    paths = pd.DataFrame({name: np.concatenate([part[name] for part in parts]) for name in PATH_COLUMNS})
    with atomic(job.folder / "paths.csv") as temporary:
        paths.to_csv(temporary, index_label="sample", float_format="%.6g")
    model, checkpoint = record_of(job.parent("model")), job.settings["checkpoint"]
    job.finish(
        {
            "run": model["run"],
            "seed": model["seed"],
            "checkpoint": checkpoint,
            "iteration": (model[checkpoint] or {"iteration": model["iterations"]})["iteration"],
            "steps": steps_of(job),
            "step_size": job.settings["step_size"],
            "sampler": job.spec["name"].rpartition(".")[0],
            "n": len(paths),
            "device": str(parts[0]["device"]),
        }
    )
