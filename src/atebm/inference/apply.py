"""PGD with trained runs on your own images: sampling, translation, restoration, interpolation, composition."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..attacks.pgd import summed
from ..data.pictures import Notes
from ..data.stored import cuts, to_float
from ..models.energy import Detector
from ..models.folding import frozen_all
from ..models.weights import load_checkpoint
from ..pipeline.job import record_of
from ..pipeline.plan import Plan
from ..sampling.ascent import BATCH, begin_ascent, climb
from ..utils.errors import ConfigError, DataError, shown
from .score import read_image, read_images, require_trained

AS_THEY_ARE: dict[str, Any] = {"name": "images"}
HOLE: dict[str, Any] = {"name": "occluded", "side": 0.375, "fill": 0.5}
RESTORING = ("denoising", "inpainting")


def apply_runs(
    plan: Plan,
    runs: Sequence[str],
    files: Sequence[Path],
    root: Path,
    device: torch.device,
    steps: int,
    step_size: float,
    *,
    start: dict[str, Any] = AS_THEY_ARE,
    mask: Path | None = None,
    every_step: bool = False,
    notes: Notes | None = None,
) -> np.ndarray:
    """Images from image files by PGD on the (sum of the) runs' f.

    uint8 (n, 2, H, W, C), before and after; with `every_step` (n, 1 + steps, H, W, C), which takes that much memory.

    `start` is as in an ascent's configuration; with `mask`, an image, only pixels where it is white are changed.
    `notes` takes what is to be said of the files. Raises ConfigError for runs of images of different shapes, and
    DataError for images that cannot be read and for a mask without white.
    """
    shapes = {run: tuple(record_of(root / plan.train(run, plan.config.seed).folder)["shape"]) for run in runs}
    if len(set(shapes.values())) > 1:
        raise ConfigError(f"runs of images of different shapes cannot be composed: {shapes}.")
    channels, side, _ = shapes[runs[0]]
    images = to_float(read_images(files, channels, side, notes).to(device))
    starts, free = begin_ascent(images, start, plan.config.seed)
    if mask is not None:
        free = (read_image(mask, 1, side, notes)[None].to(device) > 127).to(images.dtype)
        if not free.any():
            raise DataError(f"{shown(mask)} is white nowhere, once it has {side}x{side} pixels: nothing is to paint.")
        starts = torch.where(free > 0, HOLE["fill"], images)
    models = [load_run(plan, run, root, device) for run in runs]
    f = summed(models) if len(models) > 1 else models[0]
    settings = {"steps": [0, steps], "step_size": step_size, "quantise": "round"}
    which, motion = (1, BATCH) if every_step else (0, 0)
    with frozen_all(models):
        parts = [climb(f, models, starts[rows], free, settings, motion)[which] for rows in cuts(len(starts), BATCH)]
    return np.concatenate(parts)


def load_run(plan: Plan, run: str, root: Path, device: torch.device) -> Detector:
    """Return the best checkpoint of a run's first seed. Raises ConfigError for a run that is unknown or not trained."""
    return load_checkpoint(root / require_trained(plan, run, root).folder, "best", device)


def default_steps(plan: Plan, run: str, way: str, root: Path) -> tuple[int, float]:
    """How many steps of which size; of a restoration without an entry in `ascents`, a quarter of the sampler's.

    `way` is sampling, denoising or inpainting. Raises ConfigError for an unknown run or one that is not trained.
    """
    require_trained(plan, run, root)
    ascent = plan.config.ascents.get(f"{run}_{way}")
    if ascent is not None:
        return ascent.steps[-1], ascent.step_size
    sample = plan.sample(run, plan.config.seed, "best")
    steps, step_size = sample.settings["steps"], sample.settings["step_size"]
    if steps == "selected":
        steps = record_of(root / sample.parents["model"].folder)["best"]["steps"]
    return (max(1, steps // 4) if way in RESTORING else steps), step_size
