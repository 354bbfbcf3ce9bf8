"""Monitor image quality during training: the Frechet distance of samples from validation sources (supplement 3)."""

from typing import Any

import numpy as np
import torch

from ..config.training import Monitor as Settings
from ..data.stored import Stored, cuts
from ..device.precision import computed_in
from ..evaluation.along import BATCH, on_the_way
from ..evaluation.captured import captured_step
from ..evaluation.features import load_extractor
from ..evaluation.frechet import Gaussian, frechet_distance
from ..models.energy import Detector
from ..models.folding import frozen
from ..pipeline.job import Job
from ..utils.npy import Rows
from .distributed import Group


class Monitor:
    """Score a model at all numbers of sampling steps with one ascent from the validation sources."""

    def __init__(self, job: Job, settings: Settings, device: torch.device, group: Group, precision: str = "fp32"):
        """Load extractor, reference and sources; `precision` is the run's, used unless the monitor sets its own."""
        self.group, self.settings, self.device = group, settings, device
        self.precision = settings.precision or precision
        self.steps = sorted(set(settings.steps))  # in the order in which trajectory() reaches them
        self.extractor = load_extractor(job.parent("extractor"), device)
        self.reference = Gaussian.of(Rows.of(job.parent("reference") / "features.npy"))
        self.sources = Stored(job.parent("validation_sources"), device, settings.n)

    def distances(self, model: Detector) -> list[dict[str, Any]]:
        """Return a row {steps, distance} per number of sampling steps, the same in all processes of the group.

        Processes take batches in turn, and the results are joined in order, so their number changes no distance.
        """
        batches, how = cuts(len(self.sources), BATCH), (self.settings.step_size, self.settings.noise)
        with computed_in(self.precision, self.device), frozen(model):
            step = captured_step(self.device)  # a new graph each time, since folded weights have new addresses
            mine = [
                on_the_way(model, self.extractor, self.sources[rows], self.steps, *how, rows.start, step)
                for rows in batches[self.group.rank :: self.group.size]
            ]
        dealt = self.group.collect(mine)
        whole = [dealt[i % self.group.size][i // self.group.size] for i in range(len(batches))]
        return [
            {"steps": steps, "distance": frechet_distance(Gaussian.of(np.concatenate(parts)), self.reference)}
            for steps, *parts in zip(self.steps, *whole, strict=True)
        ]
