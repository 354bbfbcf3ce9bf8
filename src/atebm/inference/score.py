"""Energies of any images, with a trained model: out-of-distribution detection as a tool."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..data.pictures import SQUASH, Notes, pixels, unreadable
from ..data.stored import cuts
from ..data.walk import walk
from ..models.folding import frozen
from ..utils.errors import DataError, shown
from ..utils.quantities import rounded
from .trained import BATCH, Trained, energies, load_detector

TPR = 0.95  # share of in-distribution images that are to count as such
IN, OUT = "in", "out"


@dataclass(frozen=True)
class Scored:
    """One image: its energy -f(x), and the share in percent of in-distribution images with a higher one.

    `word` says on which side of the threshold it is. At a percentile of 50 it is as typical as the median; near 0
    nearly all in-distribution images have a lower energy. Where the file cannot be read, all are None, and `error` says
    why.
    """

    path: Path
    energy: float | None
    percentile: float | None
    threshold: float | None = None  # of energies: TPR of in-distribution images have at most this one
    error: str | None = None

    @property
    def word(self) -> str | None:
        """Return "in" or "out", of distribution."""
        if self.energy is None or self.threshold is None:
            return None
        return IN if self.energy <= self.threshold else OUT

    @property
    def facts(self) -> dict[str, Any]:
        """Return the facts as JSON; `error` only where there is one."""
        facts = {"image": str(self.path), "energy": self.energy, "percentile": self.percentile}
        facts |= {"threshold": self.threshold, "word": self.word}
        return facts | ({"error": self.error} if self.error else {})


def score_images(
    trained: Trained, paths: Iterable[Path], device: torch.device, notes: Notes | None = None, fit: str = SQUASH
) -> Iterator[Scored]:
    """Score image files, and those in folders, by a trained model.

    Each is made grey or RGB as the model's data and squashed to its size, bilinear, as the sets of Tables 4 and S8 are,
    or cropped, as `fit` says. Percentiles and the threshold are of the in-distribution images that `detection` names
    for the run's task. `notes` takes what is to be said of the files. Raises ConfigError where these images are not
    prepared, and DataError where a folder holds no image.
    """
    trained.require_usual()
    files = list_images(paths, notes)
    model = load_detector(trained, device)
    channels, side, _ = trained.record["shape"]
    with frozen(model):
        usual = trained.usual(model, device)
        threshold = threshold_at(usual)
        for part in cuts(len(files), BATCH):
            images, errors = read_what_can_be(files[part], channels, side, notes, fit)
            values = energies(model, [torch.stack(list(images.values())).to(device)]) if images else np.empty(0)
            shares = percentiles(usual, values)
            places = {path: place for place, path in enumerate(images)}
            for path in files[part]:
                if path in errors:
                    yield Scored(path, None, None, None, errors[path])
                else:
                    yield Scored(path, float(values[places[path]]), float(shares[places[path]]), threshold)


def describe_scores(found: Iterable[Scored]) -> Iterator[str]:
    """Yield a table of what could be read, image by image as they come."""
    header = "energy\tpercentile\tword\timage"
    for image in found:
        if header:
            yield header
            header = ""
        if image.error is None:
            yield f"{rounded(image.energy or 0, 4)}\t{image.percentile:.1f}\t{image.word}\t{shown(image.path)}"


def threshold_at(usual: np.ndarray, tpr: float = TPR) -> float:
    """Return the least energy that a share `tpr` of ascending in-distribution energies (n,) do not exceed."""
    return float(np.quantile(usual, tpr, method="inverted_cdf"))


def describe_threshold(threshold: float) -> str:
    """Say what the words of a table mean."""
    share = f"{TPR:.0%}".replace("%", " %")
    return (
        f'"{IN}" is an energy of at most {rounded(threshold, 4)}, the threshold at {share} TPR: so many held-out '
        "images that are like the training data have such a one."
    )


def percentiles(usual: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the share in percent of ascending energies (n,) that are above each of other ones (m,): (m,)."""
    return 100 * (1 - np.searchsorted(usual, values, side="right") / len(usual))


def list_images(paths: Iterable[Path], notes: Notes | None = None) -> list[Path]:
    """Return the files, and the image files in folders and below, by their suffixes; sorted within a folder.

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


def read_image(path: Path, channels: int, side: int, notes: Notes | None = None, fit: str = SQUASH) -> Tensor:
    """Return one image, uint8 (C, side, side). Raises DataError where it cannot be read."""
    return torch.from_numpy(pixels(path, channels, side, notes, fit)).permute(2, 0, 1)


def read_what_can_be(
    files: Iterable[Path], channels: int, side: int, notes: Notes | None = None, fit: str = SQUASH
) -> tuple[dict[Path, Tensor], dict[Path, str]]:
    """Return the images of the files that can be read, by `read_image`, and what is wrong with the others."""
    images, errors = {}, {}
    for path in dict.fromkeys(files):
        try:
            images[path] = read_image(path, channels, side, notes, fit)
        except DataError as error:
            errors[path] = str(error)
    return images, errors


def read_images(
    files: Sequence[Path], channels: int, side: int, notes: Notes | None = None, fit: str = SQUASH
) -> Tensor:
    """Return all images, uint8 (n, C, side, side). Raises DataError, naming them, where some cannot be read."""
    images, errors = read_what_can_be(files, channels, side, notes, fit)
    if errors:
        raise DataError(unreadable(list(errors.values()), len(images) + len(errors)))
    return torch.stack([images[path] for path in files])
