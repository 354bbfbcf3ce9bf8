"""Score any images with a trained model: out-of-distribution detection as a tool."""

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

TPR = 0.95  # share of in-distribution images below the threshold
IN, OUT = "in", "out"


@dataclass(frozen=True)
class Scored:
    """One image: its energy -f(x), and the percentage of in-distribution images with a higher energy.

    `word` says on which side of the threshold the energy lies. An image at percentile 50 is as typical as the median;
    near 0, nearly all in-distribution images have a lower energy. If the file cannot be read, all values are None and
    `error` says why.
    """

    path: Path
    energy: float | None
    percentile: float | None
    threshold: float | None = None  # a share TPR of in-distribution images have at most this energy
    error: str | None = None

    @property
    def word(self) -> str | None:
        """Return "in" or "out", of distribution."""
        if self.energy is None or self.threshold is None:
            return None
        return IN if self.energy <= self.threshold else OUT

    @property
    def facts(self) -> dict[str, Any]:
        """Return the facts as JSON; `error` only if there is one."""
        facts = {"image": str(self.path), "energy": self.energy, "percentile": self.percentile}
        facts |= {"threshold": self.threshold, "word": self.word}
        return facts | ({"error": self.error} if self.error else {})


def score_images(
    trained: Trained, paths: Iterable[Path], device: torch.device, notes: Notes | None = None, fit: str = SQUASH
) -> Iterator[Scored]:
    """Score image files, and those in folders, with a trained model.

    Each image is converted to grey or RGB like the model's data and squashed to its size, bilinear, like the sets of
    Tables 4 and S8, or cropped, as `fit` says. Percentiles and the threshold come from the in-distribution images that
    `detection` names for the run's task. `notes` collects messages about the files. Raises ConfigError if the
    in-distribution images are not prepared, and DataError if a folder contains no image.
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
    """Yield a table of the readable images, line by line as they are scored."""
    header = "energy\tpercentile\tword\timage"
    for image in found:
        if header:
            yield header
            header = ""
        if image.error is None:
            yield f"{rounded(image.energy or 0, 4)}\t{image.percentile:.1f}\t{image.word}\t{shown(image.path)}"


def threshold_at(usual: np.ndarray, tpr: float = TPR) -> float:
    """Return the least of ascending in-distribution energies (n,) that a share `tpr` of them do not exceed."""
    return float(np.quantile(usual, tpr, method="inverted_cdf"))


def describe_threshold(threshold: float) -> str:
    """Say what the words in a table mean."""
    share = f"{TPR:.0%}".replace("%", " %")
    return (
        f'"{IN}" means an energy of at most {rounded(threshold, 4)}, the threshold at {share} TPR: {share} of held-out '
        "images like the training data have at most this energy."
    )


def percentiles(usual: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return, for each of `values` (m,), the percentage (m,) of ascending energies `usual` (n,) that are higher."""
    return 100 * (1 - np.searchsorted(usual, values, side="right") / len(usual))


def list_images(paths: Iterable[Path], notes: Notes | None = None) -> list[Path]:
    """Return the named files, and the image files (by suffix) in named folders and below, sorted within a folder.

    `notes` collects files that were left out. Raises DataError if a folder contains no image, and if there are no
    paths.
    """
    files = []
    for path in paths:
        if not path.is_dir():
            files.append(path)
            continue
        inside = walk(path)
        if not inside.files:
            raise DataError(
                f"{shown(path)} contains no image file: name a folder with images such as .png or .jpg. "
                f"{'; '.join([inside.taken, *inside.lines()])}."
            )
        if notes:
            notes.taken.append(inside.taken)
            notes.left += inside.lines()
        files += inside.files
    if not files:
        raise DataError("no images were given: name image files or folders of images.")
    return files


def read_image(path: Path, channels: int, side: int, notes: Notes | None = None, fit: str = SQUASH) -> Tensor:
    """Read one image, uint8 (C, side, side). Raises DataError if it cannot be read."""
    return torch.from_numpy(pixels(path, channels, side, notes, fit)).permute(2, 0, 1)


def read_what_can_be(
    files: Iterable[Path], channels: int, side: int, notes: Notes | None = None, fit: str = SQUASH
) -> tuple[dict[Path, Tensor], dict[Path, str]]:
    """Return the images of readable files, as from `read_image`, and an error message for each of the others."""
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
    """Read all images, uint8 (n, C, side, side). Raises DataError that names the files which cannot be read."""
    images, errors = read_what_can_be(files, channels, side, notes, fit)
    if errors:
        raise DataError(unreadable(list(errors.values()), len(images) + len(errors)))
    return torch.stack([images[path] for path in files])
