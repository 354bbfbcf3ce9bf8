"""Energies of any images, with a model that was trained here: out-of-distribution detection as a tool."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from .data.drawn import draw
from .data.loader import Stored, cuts, to_float
from .data.readers.transforms import squash
from .energy.folding import frozen
from .errors import ConfigError, DataError
from .job import record_of
from .plan import Plan, Step
from .sampling.generate import load_checkpoint

BATCH = 100  # images a forward pass
SUFFIXES = frozenset(Image.registered_extensions())


@dataclass(frozen=True)
class Scored:
    """One image: its energy -f(x), and the share in percent of in-distribution images with a higher one.

    At 50 it is as typical as the median; near 0 nearly all in-distribution images have a lower energy.
    """

    path: Path
    energy: float
    percentile: float


def scored(plan: Plan, run: str, paths: Iterable[Path], root: Path, device: torch.device) -> Iterator[Scored]:
    """Score image files, and those in folders, by the run's best checkpoint in the checkout `root`.

    Each is made grey or RGB as the run's data and squashed to its size, bilinear, as the sets of Tables 4 and S8 are.
    Percentiles are of the in-distribution images that `detection` names for the run's task. Raises ConfigError for an
    unknown run and for one that is not trained yet, and DataError where there is no image, or one that cannot be read.
    """
    train, images = needed(plan, run)
    for step in (train, images):
        here(step, root)
    files = found(paths)
    model = load_checkpoint(root / train.folder, "best", device)
    channels, side, _ = record_of(root / train.folder)["shape"]
    spec, stored = plan.config.detection[plan.config.runs[run].task], Stored(root / images.folder, device)
    rows = torch.from_numpy(draw(len(stored), spec.n, spec.seed))
    with frozen(model):
        usual = np.sort(energies(model, (stored[rows[part]] for part in cuts(len(rows), BATCH))))
        for part in cuts(len(files), BATCH):
            batch = torch.stack([read(path, channels, side) for path in files[part]]).to(device)
            for path, energy in zip(files[part], energies(model, [batch]), strict=True):
                above = 1 - np.searchsorted(usual, energy, side="right") / len(usual)
                yield Scored(path, float(energy), 100 * float(above))


def needed(plan: Plan, run: str) -> tuple[Step, Step]:
    """The training and the in-distribution set behind the scores of a run."""
    known(plan, run)
    attack = plan.attack(run, plan.config.seed)
    return attack.parents["model"], attack.parents["in"]


def known(plan: Plan, run: str) -> None:
    """Raise ConfigError unless config.yaml has a run of this name."""
    if run not in plan.config.runs:
        raise ConfigError(f"there is no run {run!r}; config.yaml has: {', '.join(plan.config.runs)}.")


def here(step: Step, root: Path) -> None:
    """Raise ConfigError unless a step was computed in the checkout `root`."""
    if not (root / step.record).exists():
        raise ConfigError(f"{step.kind} {step.name} is not here yet: snakemake --cores all {step.record}")


@torch.inference_mode()
def energies(model: torch.nn.Module, batches: Iterable[Tensor]) -> np.ndarray:
    """-f (N,) of uint8 images (b, C, H, W) on the model's device."""
    return np.concatenate([-model(to_float(batch)).cpu().numpy() for batch in batches])


def found(paths: Iterable[Path]) -> list[Path]:
    """The files, and the image files in folders and below, by their suffixes; sorted within a folder."""
    files = []
    for path in paths:
        inside = (
            sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES) if path.is_dir() else [path]
        )
        if not inside:
            raise DataError(f"{path} holds no image file: name a folder with images such as .png or .jpg.")
        files += inside
    return files


def read(path: Path, channels: int, side: int) -> Tensor:
    """One image, uint8 (C, side, side)."""
    try:
        with Image.open(path) as picture:
            pixels = squash(picture.convert("L" if channels == 1 else "RGB"), side)
    except Exception as error:  # decoders of damaged bytes raise nearly anything
        why = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{path} is no image that can be read ({why}): leave it out.") from error
    return torch.from_numpy(pixels).view(side, side, channels).permute(2, 0, 1)
