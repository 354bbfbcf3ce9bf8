"""Energies of any images, with a model that was trained here: out-of-distribution detection as a tool."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .data.drawn import draw
from .data.folder import image_files, pixels
from .data.loader import Stored, cuts, to_float
from .energy import Detector
from .energy.folding import frozen
from .errors import ConfigError, DataError
from .job import record_of
from .plan import Plan, Step
from .sampling.generate import load_checkpoint

BATCH = 100  # images a forward pass


@dataclass(frozen=True)
class Scored:
    """One image: its energy -f(x), and the share in percent of in-distribution images with a higher one.

    At 50 it is as typical as the median; near 0 nearly all in-distribution images have a lower energy.
    """

    path: Path
    energy: float
    percentile: float

    @property
    def facts(self) -> dict[str, Any]:
        """As JSON."""
        return {"image": str(self.path), "energy": self.energy, "percentile": self.percentile}


def scored(plan: Plan, run: str, paths: Iterable[Path], root: Path, device: torch.device) -> Iterator[Scored]:
    """Score image files, and those in folders, by the run's best checkpoint in the checkout `root`.

    Each is made grey or RGB as the run's data and squashed to its size, bilinear, as the sets of Tables 4 and S8 are.
    Percentiles are of the in-distribution images that `detection` names for the run's task. Raises ConfigError for an
    unknown run and for one that is not trained yet, and DataError where there is no image, or one that cannot be read.
    """
    train, _ = needed(plan, run)
    here(plan, train, root)
    files = found(paths)
    model = load_checkpoint(root / train.folder, "best", device)
    channels, side, _ = record_of(root / train.folder)["shape"]
    with frozen(model):
        usual = in_distribution(plan, run, model, root, device)
        for part in cuts(len(files), BATCH):
            batch = torch.stack([read(path, channels, side) for path in files[part]]).to(device)
            values = energies(model, [batch])
            for path, energy, share in zip(files[part], values, percentiles(usual, values), strict=True):
                yield Scored(path, float(energy), float(share))


def lines(found: Iterable[Scored]) -> Iterator[str]:
    """A table, image by image as they come."""
    yield "energy\tpercentile\timage"
    for image in found:
        yield f"{image.energy:.4f}\t{image.percentile:.1f}\t{image.path}"


def in_distribution(plan: Plan, run: str, model: Detector, root: Path, device: torch.device) -> np.ndarray:
    """Energies (n,), ascending, of the images that `detection` names for the run's task."""
    _, images = needed(plan, run)
    here(plan, images, root)
    spec, stored = plan.config.detection[plan.config.runs[run].task], Stored(root / images.folder, device)
    rows = torch.from_numpy(draw(len(stored), spec.n, spec.seed))
    return np.sort(energies(model, (stored[rows[part]] for part in cuts(len(rows), BATCH))))


def percentiles(usual: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The share in percent of ascending energies (n,) that are above each of other ones (m,): (m,)."""
    return 100 * (1 - np.searchsorted(usual, values, side="right") / len(usual))


def needed(plan: Plan, run: str) -> tuple[Step, Step]:
    """The training and the in-distribution set behind the scores of a run."""
    known(plan, run)
    attack = plan.attack(run, plan.config.seed)
    return attack.parents["model"], attack.parents["in"]


def known(plan: Plan, run: str) -> None:
    """Raise ConfigError unless config.yaml has a run of this name."""
    if run not in plan.config.runs:
        raise ConfigError(f"there is no run {run!r}; config.yaml has: {', '.join(plan.config.runs)}.")


def here(plan: Plan, step: Step, root: Path) -> None:
    """Raise ConfigError unless a step was computed in the checkout `root`."""
    if not (root / step.record).exists():
        raise ConfigError(f"{step.kind} {step.name} is not here yet: {plan.command(step.record)}")


@torch.inference_mode()
def energies(model: torch.nn.Module, batches: Iterable[Tensor]) -> np.ndarray:
    """-f (N,) of uint8 images (b, C, H, W) on the model's device."""
    return np.concatenate([-model(to_float(batch)).cpu().numpy() for batch in batches])


def found(paths: Iterable[Path]) -> list[Path]:
    """The files, and the image files in folders and below, by their suffixes; sorted within a folder."""
    files = []
    for path in paths:
        inside = image_files(path) if path.is_dir() else [path]
        if not inside:
            raise DataError(f"{path} holds no image file: name a folder with images such as .png or .jpg.")
        files += inside
    return files


def read(path: Path, channels: int, side: int) -> Tensor:
    """One image, uint8 (C, side, side)."""
    return torch.from_numpy(pixels(path, channels, side)).permute(2, 0, 1)
