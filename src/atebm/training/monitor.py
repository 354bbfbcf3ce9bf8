"""Watching image quality during training: Frechet distance of samples from validation sources (supplement 3)."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..attacks.pgd import trajectory
from ..data.loader import load, to_bytes, to_float
from ..energy import Energy
from ..job import Job
from ..metrics.features import extract, load_extractor
from ..metrics.frechet import Gaussian, frechet_distance

BATCH = 250  # images a forward pass


class Monitor:
    """Scores a model at all sampler lengths with one ascent; knows the reference (p_data) and the sources."""

    def __init__(self, job: Job, p_data: Tensor, device: torch.device):
        settings = job.settings["monitor"]
        self.steps: list[int] = settings["steps"]
        self.step_size: float = settings["step_size"]
        self.extractor = load_extractor(job.parent("extractor"), device)
        self.reference = Gaussian.of(extract(self.extractor, p_data)[0])
        self.sources = load(job.parent("validation_sources"), device, settings["n"])

    def distances(self, model: Energy) -> list[dict[str, Any]]:
        """One row {steps, distance} per sampler length."""
        features: dict[int, list[np.ndarray]] = {steps: [] for steps in self.steps}
        for sources in self.sources.split(BATCH):
            start = to_float(sources)
            for steps, x in trajectory(model, start, self.steps, self.step_size):
                features[steps].append(extract(self.extractor, to_bytes(x))[0])
        return [
            {"steps": steps, "distance": frechet_distance(Gaussian.of(np.concatenate(parts)), self.reference)}
            for steps, parts in features.items()
        ]
