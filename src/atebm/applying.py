"""PGD with trained runs on images of one's own: sampling, translation, restoration, interpolation, composition."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from .attacks.pgd import summed
from .data.loader import cuts, to_float
from .data.readers.bitmaps import opened
from .energy import Detector
from .energy.folding import frozen_all
from .errors import ConfigError, DataError
from .files import atomic
from .job import record_of
from .plan import Plan
from .report.drawing import animate
from .sampling.ascent import BATCH, begin, climb
from .sampling.generate import load_checkpoint
from .scoring import here, known, read

AS_THEY_ARE: dict[str, Any] = {"name": "images"}
HOLE: dict[str, Any] = {"name": "occluded", "side": 0.375, "fill": 0.5}
RESTORING = ("denoising", "inpainting")


def applied(
    plan: Plan,
    runs: Sequence[str],
    files: Sequence[Path],
    root: Path,
    device: torch.device,
    *,
    way: str = "sampling",
    steps: int | None = None,
    step_size: float | None = None,
    start: dict[str, Any] = AS_THEY_ARE,
    mask: Path | None = None,
    every_step: bool = False,
) -> tuple[np.ndarray, int]:
    """Images from image files by PGD on the (sum of the) runs' f, and how many steps.

    uint8 (n, 2, H, W, C), before and after; with `every_step` (n, 1 + steps, H, W, C), which takes that much memory.

    Steps and step size are by default those of the run's sampler or, where `way` is denoising or inpainting, of its
    entry of `ascents`. `start` is a `config.Start`; with `mask`, an image, only pixels where it is white are changed.
    Raises ConfigError for an unknown run, one that is not trained yet, and runs of images of different shapes, and
    DataError for an image that cannot be read.
    """
    models = [load(plan, run, root, device) for run in runs]
    shapes = {run: tuple(record_of(root / plan.train(run, plan.config.seed).folder)["shape"]) for run in runs}
    if len(set(shapes.values())) > 1:
        raise ConfigError(f"runs of images of different shapes cannot be composed: {shapes}.")
    channels, side, _ = shapes[runs[0]]
    usual_steps, usual_size = usual(plan, runs[0], way, root)
    steps = steps or usual_steps
    settings = {"steps": [0, steps], "step_size": step_size or usual_size, "quantise": "round"}
    images = to_float(torch.stack([read(path, channels, side) for path in files]).to(device))
    starts, free = begin(images, start, plan.config.seed)
    if mask is not None:
        free = (read(mask, 1, side)[None].to(device) > 127).to(images.dtype)
        starts = torch.where(free > 0, HOLE["fill"], images)
    f = summed(models) if len(models) > 1 else models[0]
    which, motion = (1, BATCH) if every_step else (0, 0)
    with frozen_all(models):
        parts = [climb(f, models, starts[rows], free, settings, motion)[which] for rows in cuts(len(starts), BATCH)]
    return np.concatenate(parts), steps


def load(plan: Plan, run: str, root: Path, device: torch.device) -> Detector:
    """The best checkpoint of a run's first seed."""
    known(plan, run)
    step = plan.train(run, plan.config.seed)
    here(plan, step, root)
    return load_checkpoint(root / step.folder, "best", device)


def usual(plan: Plan, run: str, way: str, root: Path) -> tuple[int, float]:
    """How many steps of which size; of a restoration without an entry in `ascents`, a quarter of the sampler's."""
    ascent = plan.config.ascents.get(f"{run}_{way}")
    if ascent is not None:
        return ascent.steps[-1], ascent.step_size
    sample = plan.sample(run, plan.config.seed, "best")
    steps, step_size = sample.settings["steps"], sample.settings["step_size"]
    if steps == "selected":
        steps = record_of(root / sample.parents["model"].folder)["best"]["steps"]
    return (max(1, steps // 4) if way in RESTORING else steps), step_size


def resized(files: Sequence[Path], side: int) -> list[str]:
    """What is said of images that do not have the run's size."""
    lines = []
    for path in files:
        with opened(path) as picture:
            if picture.size != (side, side):
                lines.append(f"{path}: {picture.width}x{picture.height} squashed to {side}x{side}")
    return lines


def names(files: Sequence[Path]) -> list[str]:
    """A name for what is made of each file: its own without suffix, or with it where two would be the same."""
    stems = [path.stem for path in files]
    return [stem if stems.count(stem) == 1 else path.name for path, stem in zip(files, stems, strict=True)]


def refuse(paths: Iterable[Path]) -> None:
    """Raise DataError where one is there already."""
    for path in paths:
        if path.exists():
            raise DataError(f"{path} exists: name another folder with -o, or remove it.")


def write(images: dict[str, np.ndarray], out: Path) -> None:
    """Write images by name to the folder `out`: (H, W, C) as .png, (frames, H, W, C) as .gif.

    Raises DataError, before anything is written, where one is there already.
    """
    paths = {out / f"{name}.{'png' if image.ndim == 3 else 'gif'}": image for name, image in images.items()}
    refuse(paths)
    out.mkdir(parents=True, exist_ok=True)
    try:
        for path, image in paths.items():
            if image.ndim == 4:
                animate(image[None], path)
                continue
            with atomic(path) as temporary:
                Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(temporary, format="PNG")
    except OSError:  # such as a full disk: with some of them there, the command could not be repeated
        for path in paths:
            path.unlink(missing_ok=True)
        raise
