"""PGD with trained models on your own images: sampling, translation, restoration, interpolation, composition."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..attacks.pgd import summed
from ..data.pictures import Notes
from ..data.stored import cuts, to_float
from ..models.folding import frozen_all
from ..sampling.ascent import BATCH, begin_ascent, climb
from ..utils.errors import ConfigError, DataError, shown
from .score import read_image, read_images
from .trained import Trained, load_detector

AS_THEY_ARE: dict[str, Any] = {"name": "images"}
HOLE: dict[str, Any] = {"name": "occluded", "side": 0.375, "fill": 0.5}


def apply_models(
    trained: Sequence[Trained],
    files: Sequence[Path],
    device: torch.device,
    steps: int,
    step_size: float,
    *,
    start: dict[str, Any] = AS_THEY_ARE,
    mask: Path | None = None,
    every_step: bool = False,
    notes: Notes | None = None,
) -> np.ndarray:
    """Return images from image files by PGD on the (sum of the) models' f.

    uint8 (n, 2, H, W, C), before and after; with `every_step` (n, 1 + steps, H, W, C), which takes that much memory.

    `start` is as in an ascent's configuration, and not noisy; with `mask`, an image, only pixels where it is white are
    changed.
    `notes` takes what is to be said of the files. Raises ConfigError for models of images of different shapes, and
    DataError for images that cannot be read and for a mask without white.
    """
    shapes = {model.name: tuple(model.record["shape"]) for model in trained}
    if len(set(shapes.values())) > 1:
        raise ConfigError(f"runs of images of different shapes cannot be composed: {shapes}.")
    channels, side, _ = shapes[trained[0].name]
    images = to_float(read_images(files, channels, side, notes).to(device))
    starts, free = begin_ascent(images, start, seed=0)
    if mask is not None:
        free = (read_image(mask, 1, side, notes)[None].to(device) > 127).to(images.dtype)
        if not free.any():
            raise DataError(f"{shown(mask)} is white nowhere, once it has {side}x{side} pixels: nothing is to paint.")
        starts = torch.where(free > 0, HOLE["fill"], images)
    models = [load_detector(model, device) for model in trained]
    f = summed(models) if len(models) > 1 else models[0]
    settings = {"steps": [0, steps], "step_size": step_size, "quantise": "round"}
    which, motion = (1, BATCH) if every_step else (0, 0)
    with frozen_all(models):
        parts = [climb(f, models, starts[rows], free, settings, motion)[which] for rows in cuts(len(starts), BATCH)]
    return np.concatenate(parts)
