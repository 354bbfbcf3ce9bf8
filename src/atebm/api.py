"""The method from Python: load a run that was trained here, and score, sample, attack; or train on images of one's own.

import atebm

model = atebm.load("cifar10", root="checkout")
model.energy(["a.png", "b.png"])     # low where an image is like the data
model.sample(["a.png", "b.png"])     # PGD uphill on f, uint8 (n, H, W, C)
"""

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .applying import load as load_detector
from .applying import usual
from .attacks.apgd import auto_pgd_restarted, spheres
from .attacks.pgd import pgd
from .data.loader import cuts, to_bytes, to_float
from .energy import Detector
from .energy.folding import frozen
from .errors import DataError, ResultError
from .hardware import pick
from .job import record_of
from .layers import load as load_config
from .own import write_scale
from .plan import Plan
from .sampling.ascent import BATCH
from .scoring import found, in_distribution, percentiles, read

Images = Sequence[str | Path] | str | Path | NDArray[Any] | Tensor


@dataclass(frozen=True)
class Model:
    """A trained run. Images are given as

    - paths of image files, or of folders of them: made grey or RGB as the run's data, and stretched to its size;
    - uint8 (n, H, W, C), an array, as `sample` returns them;
    - floats (n, C, H, W) in [0, 1], a tensor or an array.

    All methods raise DataError for images of another shape or range, and for files that cannot be read.
    """

    run: str
    detector: Detector  # f as a torch module: (n, C, H, W) in [0, 1] to (n,)
    shape: tuple[int, int, int]  # of an image, (C, H, W)
    device: torch.device
    plan: Plan
    root: Path

    def energy(self, images: Images) -> NDArray[np.float32]:
        """E = -f (n,), low where images are like the run's data (Eq. 1)."""
        x = self.floats(images)
        with frozen(self.detector), torch.inference_mode():
            return np.concatenate([-self.detector(x[part]).cpu().numpy() for part in cuts(len(x), BATCH)])

    def score(self, images: Images) -> NDArray[np.float64]:
        """The share in percent (n,) of in-distribution images with a higher energy; near 0: out of distribution.

        In distribution are the images that `detection` names for the run's task. Raises ConfigError where there is no
        entry for it, or where they are not prepared.
        """
        return percentiles(self._usual, self.energy(images))

    @cached_property
    def _usual(self) -> NDArray[np.float32]:
        with frozen(self.detector):
            return in_distribution(self.plan, self.run, self.detector, self.root, self.device)

    def sample(self, images: Images, steps: int | None = None, step_size: float | None = None) -> NDArray[np.uint8]:
        """PGD from source images uphill on f (Eq. 8): uint8 (n, H, W, C), as `atebm apply sample` writes them.

        Steps, and their size in [0, 1] pixel units, are by default those of the run's sampler.
        """
        usual_steps, usual_size = usual(self.plan, self.run, "sampling", self.root)
        x = self.floats(images)
        with frozen(self.detector):
            ends = [
                pgd(self.detector, x[p], steps or usual_steps, step_size or usual_size) for p in cuts(len(x), BATCH)
            ]
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
        """Images (n, C, H, W) in [0, 1] with a higher f in the L2 ball of that radius: a worst case of detection.

        `auto_pgd` is that of Tables 4 and S8, from random points of the sphere; `pgd` is Eq. 7 from the image itself,
        by steps of `step_size`, by default a fifth of the radius. Both stay in [0, 1]. Raises ValueError for others.
        """
        if method not in ("auto_pgd", "pgd"):
            raise ValueError(f"there is no attack {method!r}; choose auto_pgd or pgd.")
        x, found = self.floats(images), []
        with frozen(self.detector):
            for part in cuts(len(x), BATCH):
                if method == "pgd":
                    found.append(pgd(self.detector, x[part], steps, step_size or radius / 5, eps=radius))
                    continue
                starts = spheres(x[part], radius, restarts, seed, list(range(len(x))[part]))
                found.append(auto_pgd_restarted(self.detector, x[part], starts, radius, steps))
        return torch.cat(found)

    def floats(self, images: Images) -> Tensor:
        """Images as float32 (n, C, H, W) in [0, 1] on the model's device."""
        if isinstance(images, str | Path):
            images = [images]
        if not isinstance(images, np.ndarray | Tensor):
            channels, side, _ = self.shape
            files = found(Path(image) for image in images)
            return to_float(torch.stack([read(file, channels, side) for file in files]).to(self.device))
        given = torch.as_tensor(images)
        whole = given.dtype == torch.uint8
        wanted = (*self.shape[1:], self.shape[0]) if whole else self.shape
        if tuple(given.shape[1:]) != tuple(wanted) or given.ndim != 4:
            raise DataError(
                f"images of shape {tuple(given.shape)}: run {self.run} wants uint8 (n, H, W, C) or floats "
                f"(n, C, H, W), (C, H, W) being {self.shape}."
            )
        if whole:
            return to_float(given.permute(0, 3, 1, 2).to(self.device))
        if not given.is_floating_point() or (given.numel() and not (given.min() >= 0 and given.max() <= 1)):
            raise DataError("images as numbers are uint8 in 0 .. 255, or floats in [0, 1]: divide by 255.")
        return given.to(self.device, torch.float32).contiguous(memory_format=torch.channels_last)


def load(
    run: str, root: str | Path = ".", scale: str | None = None, *, config: Sequence[str] = (), device: str = "auto"
) -> Model:
    """The selected checkpoint of a run's first seed, in the checkout `root`.

    `scale` and `config` are as Snakemake's `--config scale=... ...`; by default those of config.yaml. Raises
    ConfigError for an unknown run, one that is not trained yet, and a folder that is no checkout.
    """
    root = Path(root)
    overrides = [*config, *([f"scale={scale}"] if scale else [])]
    plan = Plan(load_config(root, overrides)[0], overrides)
    where = pick(device)
    detector = load_detector(plan, run, root, where)
    channels, height, width = record_of(root / plan.train(run, plan.config.seed).folder)["shape"]
    return Model(run, detector, (channels, height, width), where, plan, root)


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
    """Train on a folder of images of one's own: what `atebm own` and then `snakemake --config scale=NAME` do.

    Writes workflow/scales/<name>.yaml in the checkout `root`, and runs the workflow there, on all cores by default; its
    messages go to standard error. `config` are further `--config` settings. Raises ConfigError and DataError as
    `own.write_scale`, and ResultError where the workflow fails.
    """
    root = Path(root).resolve()
    own = write_scale(Path(folder), name, root, Path(p_0) if p_0 else None, size, replace)
    wanted = [*config, f"scale={name}"]
    snakemake = ["snakemake", "--cores", str(cores or "all"), "--config", *wanted, "--quiet", "reason"]
    command = [sys.executable, "-m", "atebm", "warm", sys.executable, "-m", *snakemake]
    if subprocess.run(command, cwd=root, stdout=sys.stderr, check=False).returncode:
        again = Plan(own.config, wanted).command()
        raise ResultError(f"the workflow failed; what it said is above. To go on where it stopped, in {root}: {again}")
    return load(name, root, config=wanted, device=device)
