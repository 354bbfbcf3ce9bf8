"""Watching image quality during training: Frechet distance of samples from validation sources (supplement 3)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..arrays import Rows
from ..attacks.pgd import Logit, trajectory
from ..data.loader import Stored, cuts, to_bytes, to_float
from ..energy import Detector
from ..energy.folding import frozen
from ..halving import halving
from ..job import Job
from ..metrics.features import Extractor, extract, load_extractor
from ..metrics.frechet import Gaussian, frechet_distance
from .distributed import Group

BATCH = 250  # images a forward pass


class Monitor:
    """Scores a model at all sampler lengths with one ascent; knows the sources and the reference, p_data's features."""

    def __init__(self, job: Job, device: torch.device, group: Group):
        self.group = group
        settings = job.settings["monitor"]
        self.steps: list[int] = sorted(set(settings["steps"]))  # as trajectory() passes through them
        self.step_size: float = settings["step_size"]
        self.extractor = load_extractor(job.parent("extractor"), device)
        self.reference = Gaussian.of(Rows.of(job.parent("reference") / "features.npy"))
        self.sources = Stored(job.parent("validation_sources"), device, settings["n"])

    def distances(self, model: Detector) -> list[dict[str, Any]]:
        """One row {steps, distance} per sampler length; the same in every process of the group, which shares the work.

        Batches are dealt in turn and put together in order, so that the number of processes changes no distance.
        """
        batches = cuts(len(self.sources), BATCH)
        with frozen(model):
            mine = [self.features(model, self.sources[rows]) for rows in batches[self.group.rank :: self.group.size]]
        dealt = self.group.collect(mine)
        whole = [dealt[i % self.group.size][i // self.group.size] for i in range(len(batches))]
        return [
            {"steps": steps, "distance": frechet_distance(Gaussian.of(np.concatenate(parts)), self.reference)}
            for steps, *parts in zip(self.steps, *whole, strict=True)
        ]

    def features(self, model: Detector, sources: Tensor) -> list[np.ndarray]:
        return on_the_way(model, self.extractor, sources, self.steps, self.step_size)


def on_the_way(
    f: Logit, extractor: Extractor, sources: Tensor, steps: Sequence[int], step_size: float
) -> list[np.ndarray]:
    """What the extractor sees in the samples of one batch of uint8 sources (b, C, H, W): (b, d) per number of steps."""

    def work(rows: slice) -> list[np.ndarray]:
        ascent = trajectory(f, to_float(sources[rows]), steps, step_size)
        return [extract(extractor, to_bytes(x).split(extractor.batch))[0] for _, x in ascent]

    return halving(work, slice(0, len(sources)))
