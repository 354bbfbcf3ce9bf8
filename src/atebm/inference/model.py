"""Use the method from Python: load a trained model, then score, sample or attack; or train on your own images.

import atebm

model = atebm.load("demo/cifar10")   # in models/, in git; "cifar10" would be the run that was trained here
sources = model.sources(16)          # held-out images to start from, uint8 (n, H, W, C)
samples = model.sample(sources)      # PGD, which raises f
model.energy(samples)                # low for images that resemble the data
model.show(sources, samples)         # a picture of both, with their energies
"""

import inspect
import subprocess
import sys
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL.Image import Image as Picture
from torch import Tensor

from ..attacks.auto_pgd import auto_pgd_restarted, spheres
from ..attacks.pgd import pgd
from ..config.load import configured
from ..data.own_images import write_scale
from ..data.pictures import FITS, SQUASH, Notes
from ..data.stored import cuts, to_bytes, to_float
from ..device.select import pick_device
from ..models.committed import find_committed
from ..models.energy import Detector
from ..models.folding import frozen
from ..pipeline.plan import Plan
from ..sampling.ascent import BATCH
from ..utils.bounds import MOST_PROCESSES, MOST_RESTARTS, MOST_SEED, MOST_STEPS, positive_number, whole_number
from ..utils.errors import DataError, ResultError
from .score import TPR, list_images, percentiles, read_images, threshold_at
from .sheet import contact_sheet
from .sources import held_out_sources
from .trained import SAMPLING, Committed, Trained, energies_of, find_run, load_detector

Images = Sequence[str | Path] | str | Path | NDArray[Any] | Tensor


@dataclass(frozen=True)
class Model:
    """A trained model, whose repr begins with its training data.

    Pass images as

    - paths of image files or of folders: they are converted to grey or RGB like the run's data, and squashed to its
      size or, with load(..., fit="crop"), cropped; a UserWarning tells which images were changed or left out;
    - an array or a tensor (n, H, W, C), uint8, as `sample` returns them;
    - an array or a tensor (n, C, H, W) of floats in [0, 1]. Arrays may be views of others, such as `image[..., ::-1]`.

    All methods raise DataError if there are no images, for images of another type, shape or range, for unreadable
    files, and for numbers out of range.
    """

    name: str  # of a run, or "demo/cifar10"
    detector: Detector  # f as a torch module, from (n, C, H, W) in [0, 1] to (n,)
    shape: tuple[int, int, int]  # of an image, (C, H, W)
    device: torch.device
    trained: Trained  # the model's files and its run
    fit: str = SQUASH  # how image files that are not square become square

    def __repr__(self) -> str:
        channels, height, width = self.shape
        size = sum(tensor.numel() for tensor in self.detector.parameters())
        return (
            f"{self.trained.words}: {self.name}, f of {width}x{height} pixels in {channels} channel"
            f"{'s' if channels > 1 else ''}, {size:,} parameters, from {self.trained.place}"
        )

    def energy(self, images: Images) -> NDArray[np.float32]:
        """Return the energy E = -f (n,) of images; it is low for images that resemble the run's data (Eq. 1)."""
        x = self.floats(images)
        with frozen(self.detector), torch.inference_mode():
            return np.concatenate([-self.detector(x[part]).cpu().numpy() for part in cuts(len(x), BATCH)])

    def score(self, images: Images) -> NDArray[np.float64]:
        """Return the percentage (n,) of in-distribution images with a higher energy; near 0 means out of distribution.

        The entry of the run's task in `detection` names the in-distribution images. Raises ConfigError if there is no
        such entry or if the images are not prepared; a model in models/ contains their energies.
        """
        return percentiles(self._usual, self.energy(images))

    def threshold(self, tpr: float = TPR) -> float:
        """Return the energy that a share `tpr` of in-distribution images do not exceed.

        Images with a higher energy count as out of distribution. Raises ConfigError if the in-distribution images are
        not configured or not prepared.
        """
        if not 0 < positive_number("tpr", tpr) <= 1:
            raise DataError(f"tpr = {tpr!r}: give a share above 0, up to 1.")
        return threshold_at(self._usual, tpr)

    @cached_property
    def _usual(self) -> NDArray[np.float32]:
        return energies_of(self.trained, self.detector, self.device)

    def sources(self, count: int = 64) -> NDArray[np.uint8]:
        """Return held-out images (n, H, W, C), uint8, of p_0, from which samples of the run start.

        Raises ConfigError if they come from an archive that is not prepared, and DataError if there are fewer.
        """
        return held_out_sources(self.trained, count).permute(0, 2, 3, 1).numpy()

    def show(self, images: Images, after: Images | None = None, title: str = "") -> Picture:
        """Return a picture of enlarged images with their energies; with `after`, each image stands above its partner.

        A notebook shows the picture as the last line of a cell; `.save("sheet.png")` writes it, `.show()` opens it.
        """
        given = [self.floats(part) for part in (images, after) if part is not None]
        if len({len(part) for part in given}) > 1:
            raise DataError(f"{len(given[0])} images before, but {len(given[1])} after: give as many of both.")
        energies = np.stack([self.energy(part) for part in given], axis=1)
        shown = [to_bytes(part, "round").permute(0, 2, 3, 1).cpu().numpy() for part in given]
        return contact_sheet(shown[0], shown[1] if after is not None else None, energies, title)

    def sample(self, images: Images, steps: int | None = None, step_size: float | None = None) -> NDArray[np.uint8]:
        """Return samples (n, H, W, C), uint8, made from source images by PGD on f (Eq. 8), like `atebm apply sample`.

        The number of steps, and their size in [0, 1] pixel units, are by default those of the run's sampler.
        """
        if steps is None or step_size is None:
            usual_steps, usual_size = self.trained.steps(SAMPLING)
        steps = usual_steps if steps is None else whole_number("steps", steps, 1, MOST_STEPS)
        step_size = usual_size if step_size is None else positive_number("step_size", step_size)
        x = self.floats(images)
        with frozen(self.detector):
            ends = [pgd(self.detector, x[part], steps, step_size) for part in cuts(len(x), BATCH)]
        return to_bytes(torch.cat(ends), "round").permute(0, 2, 3, 1).cpu().numpy()

    def attack(
        self,
        images: Images,
        radius: float,
        method: str = "auto_pgd",
        *,
        steps: int = 100,
        restarts: int = 1,
        step_size: float | None = None,
        seed: int = 0,
    ) -> Tensor:
        """Return images (n, C, H, W) in [0, 1], moved within an L2 ball to raise f: a worst case for detection.

        `auto_pgd` is the attack of Tables 4 and S8, from random points on the sphere; `pgd` is Eq. 7 from the image
        itself, with steps of `step_size` (by default a fifth of the radius). Both keep pixels in [0, 1].
        """
        if method not in ("auto_pgd", "pgd"):
            raise DataError(f"there is no attack {method!r}; choose auto_pgd or pgd.")
        radius, steps = positive_number("radius", radius), whole_number("steps", steps, 1, MOST_STEPS)
        restarts, seed = whole_number("restarts", restarts, 1, MOST_RESTARTS), whole_number("seed", seed, 0, MOST_SEED)
        step_size = radius / 5 if step_size is None else positive_number("step_size", step_size)
        x, found = self.floats(images), []
        with frozen(self.detector):
            for part in cuts(len(x), BATCH):
                if method == "pgd":
                    found.append(pgd(self.detector, x[part], steps, step_size, eps=radius))
                    continue
                starts = spheres(x[part], radius, restarts, seed, list(range(len(x))[part]))
                found.append(auto_pgd_restarted(self.detector, x[part], starts, radius, steps))
        return torch.cat(found)

    def floats(self, images: Images) -> Tensor:
        """Return images as float32 (n, C, H, W) in [0, 1] on the model's device."""
        if not isinstance(images, np.ndarray | Tensor):
            return self._of_files(images)
        given = tensor(images)
        in_bytes = given.dtype == torch.uint8
        wanted = (*self.shape[1:], self.shape[0]) if in_bytes else self.shape
        if given.ndim != 4 or tuple(given.shape[1:]) != tuple(wanted) or not len(given):
            raise DataError(
                f"images of shape {tuple(given.shape)}: {self.name} needs uint8 (n, H, W, C) or floats (n, C, H, W) "
                f"with n >= 1 and (C, H, W) = {self.shape}."
            )
        if in_bytes:
            return to_float(given.permute(0, 3, 1, 2).to(self.device))
        if not given.is_floating_point() or not (given.min() >= 0 and given.max() <= 1):
            raise DataError("images must be uint8 from 0 to 255, or floats in [0, 1]: divide by 255.")
        return given.to(self.device, torch.float32).contiguous(memory_format=torch.channels_last)

    def _of_files(self, images: Sequence[str | Path] | str | Path) -> Tensor:
        """Read images from files, and warn of images that were changed or left out."""
        try:
            paths = [Path(image) for image in ([images] if isinstance(images, str | Path) else images)]
        except TypeError:
            raise DataError(
                f"images must be paths, an array or a tensor, not {type(images).__name__}: numpy.stack joins arrays."
            ) from None
        notes, (channels, side, _) = Notes(), self.shape
        stored = read_images(list_images(paths, notes), channels, side, notes, self.fit)
        warn(notes.surprises())
        return to_float(stored.to(self.device))


def warn(said: Iterable[str]) -> None:
    """Issue each warning for the line that called this package."""
    level, frame = 1, inspect.currentframe()
    while frame and frame.f_globals.get("__name__", "").partition(".")[0] == __name__.partition(".")[0]:
        level, frame = level + 1, frame.f_back
    for line in said:
        warnings.warn(line, stacklevel=level)


def tensor(images: NDArray[Any] | Tensor) -> Tensor:
    """Return images as a separate tensor without gradients, uint8 or floats. Raises DataError for other types."""
    if isinstance(images, Tensor):
        return images.detach() if images.layout == torch.strided else images.detach().to_dense()
    if images.dtype != np.uint8 and images.dtype.kind != "f":
        raise DataError(
            f"images of type {images.dtype}: they must be uint8 from 0 to 255, or floats in [0, 1]: divide by 255."
        )
    # a copy, since PyTorch rejects negative strides and foreign byte orders, and warns of read-only arrays
    return torch.from_numpy(np.array(images, np.uint8 if images.dtype == np.uint8 else np.float64, order="C"))


def load(
    name: str | Path,
    root: str | Path = ".",
    scale: str | None = None,
    *,
    config: Sequence[str] = (),
    device: str = "auto",
    fit: str = SQUASH,
) -> Model:
    """Return a trained model by the name of a run, or by a name such as "demo/cifar10" for a model in models/, in git.

    For a run, it is the selected checkpoint of its first seed in the checkout `root`: the one in work/ or, if the run
    was not trained there, the same one in models/. `scale` and `config` select the run's configuration, like
    Snakemake's `--config scale=... ...`; by default config.yaml decides. A model in models/ is searched in `root`, then
    in the checkout of this code; you can also pass the path of its folder. `fit`, "squash" or "crop", says how image
    files become squares.

    Raises ConfigError for an unknown name, for a run that is not trained yet, and for a folder that is not a checkout;
    DataError for a damaged model in models/.
    """
    if fit not in FITS:
        raise DataError(f"there is no fit {fit!r}; choose {' or '.join(FITS)}.")
    root = Path(root)
    name = str(name.absolute()) if isinstance(name, Path) else name
    folder = find_committed(name, root)
    if folder is None:
        overrides = [*config, *([f"scale={scale}"] if scale else [])]
        trained = find_run(Plan(configured(root, overrides), overrides), name, root)
    else:
        trained = Committed.read(folder)
    where = pick_device(device)
    channels, height, width = trained.record["shape"]
    return Model(trained.name, load_detector(trained, where), (channels, height, width), where, trained, fit)


def train(
    folder: str | Path,
    name: str,
    root: str | Path = ".",
    *,
    p_0: str | Path | None = None,
    size: int = 32,
    replace: bool = False,
    config: Sequence[str] = (),
    cores: int | None = None,
    device: str = "auto",
) -> Model:
    """Train on a folder of your own images, like `atebm own` followed by `snakemake --config scale=NAME`.

    Writes workflow/scales/<name>.yaml in the checkout `root` and runs the workflow there, by default on all cores. The
    workflow's messages go to standard error; a UserWarning tells of problems with the images. `config` holds further
    `--config` settings. Raises ConfigError and DataError for mistakes in the arguments or images, and ResultError if
    the workflow fails.
    """
    root = Path(root).resolve()
    how_many = "all" if cores is None else str(whole_number("cores", cores, 1, MOST_PROCESSES))
    own = write_scale(Path(folder), str(name), root, None if p_0 is None else Path(p_0), size, replace)
    warn(own.warnings)
    wanted = [*config, f"scale={name}"]
    snakemake = ["snakemake", "--cores", how_many, "--config", *wanted, "--quiet", "reason"]
    command = [sys.executable, "-m", "atebm", "warm", sys.executable, "-m", *snakemake]
    if subprocess.run(command, cwd=root, stdout=sys.stderr, check=False).returncode:
        again = Plan(own.config, wanted).command()
        raise ResultError(f"the workflow failed, see its messages above. To resume it, run in {root}: {again}")
    return load(name, root, config=wanted, device=device)
