"""Energies of any images, with a model that was trained here: out-of-distribution detection as a tool."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..data.pictures import Notes, pixels, unreadable
from ..data.stored import Stored, cuts, to_float
from ..data.subsets import draw
from ..data.walk import walk
from ..models.energy import Detector
from ..models.folding import frozen
from ..models.weights import load_checkpoint
from ..pipeline.job import record_of
from ..pipeline.plan import Plan
from ..pipeline.step import Step
from ..utils.errors import ConfigError, DataError, shown

BATCH = 100  # images a forward pass


@dataclass(frozen=True)
class Scored:
    """One image: its energy -f(x), and the share in percent of in-distribution images with a higher one.

    At 50 it is as typical as the median; near 0 nearly all in-distribution images have a lower energy. Where the file
    cannot be read, both are None, and `error` says why.
    """

    path: Path
    energy: float | None
    percentile: float | None
    error: str | None = None

    @property
    def facts(self) -> dict[str, Any]:
        """As JSON; `error` only where there is one."""
        facts = {"image": str(self.path), "energy": self.energy, "percentile": self.percentile}
        return facts | ({"error": self.error} if self.error else {})


def score_images(
    plan: Plan, run: str, paths: Iterable[Path], root: Path, device: torch.device, notes: Notes | None = None
) -> Iterator[Scored]:
    """Score image files, and those in folders, by the run's best checkpoint in the checkout `root`.

    Each is made grey or RGB as the run's data and squashed to its size, bilinear, as the sets of Tables 4 and S8 are.
    Percentiles are of the in-distribution images that `detection` names for the run's task. `notes` takes what is to
    be said of the files. Raises ConfigError for an unknown run and for one that is not trained yet, and DataError where
    a folder holds no image.
    """
    train, _ = needed(plan, run)
    require_computed(plan, train, root)
    files = list_images(paths, notes)
    model = load_checkpoint(root / train.folder, "best", device)
    channels, side, _ = record_of(root / train.folder)["shape"]
    with frozen(model):
        usual = in_distribution(plan, run, model, root, device)
        for part in cuts(len(files), BATCH):
            images, errors = read_what_can_be(files[part], channels, side, notes)
            values = energies(model, [torch.stack(list(images.values())).to(device)]) if images else np.empty(0)
            shares = percentiles(usual, values)
            places = {path: place for place, path in enumerate(images)}
            for path in files[part]:
                if path in errors:
                    yield Scored(path, None, None, errors[path])
                else:
                    yield Scored(path, float(values[places[path]]), float(shares[places[path]]))


def describe_scores(found: Iterable[Scored]) -> Iterator[str]:
    """A table of what could be read, image by image as they come."""
    header = "energy\tpercentile\timage"
    for image in found:
        if header:
            yield header
            header = ""
        if image.error is None:
            yield f"{image.energy:.4f}\t{image.percentile:.1f}\t{shown(image.path)}"


def in_distribution(plan: Plan, run: str, model: Detector, root: Path, device: torch.device) -> np.ndarray:
    """Energies (n,), ascending, of the images that `detection` names for the run's task."""
    _, images = needed(plan, run)
    require_computed(plan, images, root)
    spec, stored = plan.config.detection[plan.config.runs[run].task], Stored(root / images.folder, device)
    rows = torch.from_numpy(draw(len(stored), spec.n, spec.seed))
    return np.sort(energies(model, (stored[rows[part]] for part in cuts(len(rows), BATCH))))


def percentiles(usual: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The share in percent of ascending energies (n,) that are above each of other ones (m,): (m,)."""
    return 100 * (1 - np.searchsorted(usual, values, side="right") / len(usual))


def needed(plan: Plan, run: str) -> tuple[Step, Step]:
    """The training and the in-distribution set behind the scores of a run."""
    require_run(plan, run)
    attack = plan.attack(run, plan.config.seed)
    return attack.parents["model"], attack.parents["in"]


def require_run(plan: Plan, run: str) -> None:
    """Raise ConfigError unless config.yaml has a run of this name."""
    if run not in plan.config.runs:
        raise ConfigError(f"there is no run {run!r}; config.yaml has: {', '.join(plan.config.runs)}.")


def require_trained(plan: Plan, run: str, root: Path) -> Step:
    """The training of a run's first seed. Raises ConfigError for an unknown run, and one that is not trained yet."""
    require_run(plan, run)
    step = plan.train(run, plan.config.seed)
    require_computed(plan, step, root)
    return step


def require_computed(plan: Plan, step: Step, root: Path) -> None:
    """Raise ConfigError unless a step was computed in the checkout `root`."""
    if not (root / step.record).exists():
        raise ConfigError(f"{step.kind} {step.name} is not here yet: {plan.command(step.record)}")


@torch.inference_mode()
def energies(model: torch.nn.Module, batches: Iterable[Tensor]) -> np.ndarray:
    """-f (N,) of uint8 images (b, C, H, W) on the model's device."""
    return np.concatenate([-model(to_float(batch)).cpu().numpy() for batch in batches])


def list_images(paths: Iterable[Path], notes: Notes | None = None) -> list[Path]:
    """The files, and the image files in folders and below, by their suffixes; sorted within a folder.

    `notes` takes what was left out in folders. Raises DataError where a folder has none, and where there are no paths.
    """
    files = []
    for path in paths:
        if not path.is_dir():
            files.append(path)
            continue
        inside = walk(path)
        if not inside.files:
            raise DataError(
                f"{shown(path)} holds no image file: name a folder with images such as .png or .jpg. "
                f"{'; '.join([inside.taken, *inside.lines()])}."
            )
        if notes:
            notes.taken.append(inside.taken)
            notes.left += inside.lines()
        files += inside.files
    if not files:
        raise DataError("there is no image: name image files, or folders of them.")
    return files


def read_image(path: Path, channels: int, side: int, notes: Notes | None = None) -> Tensor:
    """One image, uint8 (C, side, side). Raises DataError where it cannot be read."""
    return torch.from_numpy(pixels(path, channels, side, notes)).permute(2, 0, 1)


def read_what_can_be(
    files: Iterable[Path], channels: int, side: int, notes: Notes | None = None
) -> tuple[dict[Path, Tensor], dict[Path, str]]:
    """The images of those files that can be read, as `read_image` gives them, and what is wrong with the others."""
    images, errors = {}, {}
    for path in dict.fromkeys(files):
        try:
            images[path] = read_image(path, channels, side, notes)
        except DataError as error:
            errors[path] = str(error)
    return images, errors


def read_images(files: Sequence[Path], channels: int, side: int, notes: Notes | None = None) -> Tensor:
    """All images, uint8 (n, C, side, side). Raises DataError, naming them, where some cannot be read."""
    images, errors = read_what_can_be(files, channels, side, notes)
    if errors:
        raise DataError(unreadable(list(errors.values()), len(images) + len(errors)))
    return torch.stack([images[path] for path in files])
