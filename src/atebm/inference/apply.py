"""Apply PGD with trained models to your images: sampling, translation, restoration, interpolation, composition."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..attacks.pgd import summed
from ..data.pictures import SQUASH
from ..data.stored import cuts, to_float
from ..models.folding import frozen_all
from ..sampling.ascent import BATCH, begin_ascent, climb
from ..utils.errors import ConfigError, DataError, shown
from .score import read_image
from .trained import Trained, energies, load_detector

AS_THEY_ARE: dict[str, Any] = {"name": "images"}
HOLE: dict[str, Any] = {"name": "occluded", "side": 0.375, "fill": 0.5}


@dataclass(frozen=True)
class Applied:
    """Images before and after PGD, with their energies."""

    frames: np.ndarray  # uint8 (n, 2, H, W, C), before and after; with every step (n, 1 + steps, H, W, C)
    energies: np.ndarray  # (n, 2), before and after, from the sum of the models' f


def apply_models(
    trained: Sequence[Trained],
    given: Tensor,
    device: torch.device,
    steps: int,
    step_size: float,
    *,
    start: dict[str, Any] = AS_THEY_ARE,
    mask: Path | None = None,
    fit: str = SQUASH,
    every_step: bool = False,
) -> Applied:
    """Apply PGD on a model's f, or on the sum of several, to images (n, C, H, W), uint8.

    `start` is as in an ascent's configuration, but not noisy. With `mask`, an image, PGD changes only pixels where the
    mask is white; `fit` says how the mask becomes a square. Raises DataError for a mask that cannot be read or has no
    white pixel.
    """
    images, side = to_float(given.to(device)), given.shape[-1]
    starts, free = begin_ascent(images, start, seed=0)
    if mask is not None:
        free = (read_image(mask, 1, side, None, fit)[None].to(device) > 127).to(images.dtype)
        if not free.any():
            raise DataError(f"{shown(mask)} has no white pixel at {side}x{side} pixels, so there is nothing to paint.")
        starts = torch.where(free > 0, HOLE["fill"], images)
    models = [load_detector(model, device) for model in trained]
    f = summed(models) if len(models) > 1 else models[0]
    settings = {"steps": [0, steps], "step_size": step_size, "quantise": "round"}
    which, motion = (1, BATCH) if every_step else (0, 0)
    with frozen_all(models):
        parts = [climb(f, models, starts[rows], free, settings, motion)[which] for rows in cuts(len(starts), BATCH)]
        frames = np.concatenate(parts)
        ends = [torch.from_numpy(frames[:, end]).permute(0, 3, 1, 2) for end in (0, -1)]
        found = [energies(f, (end[rows].to(device) for rows in cuts(len(end), BATCH))) for end in ends]
    return Applied(frames, np.stack(found, axis=1))


def shape_of(trained: Sequence[Trained]) -> tuple[int, int, int]:
    """Return the shape (C, H, W) of the models' images. Raises ConfigError if the shapes differ."""
    shapes = {model.name: tuple(model.record["shape"]) for model in trained}
    if len(set(shapes.values())) > 1:
        raise ConfigError(f"models for images of different shapes cannot be composed: {shapes}.")
    channels, height, width = shapes[trained[0].name]
    return channels, height, width
