"""Compute the `sample` step: PGD from source images, in shards; their number changes no byte (supplement Table 4)."""

import math
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..attacks.langevin import sampler
from ..attacks.pgd import Step
from ..data.stored import Stored, cuts, dealt, to_bytes, to_float
from ..device.out_of_memory import work_in_halves
from ..device.precision import computed_in
from ..device.select import device_name
from ..evaluation.captured import captured_step
from ..models.energy import Detector
from ..models.folding import frozen
from ..models.weights import load_model
from ..pipeline.job import Job
from ..utils import npy
from ..utils.files import atomic, room
from ..utils.progress import progress
from .gather import PATH_COLUMNS, steps_of


def sample_shard(job: Job, shard: str, out: Path, device: torch.device) -> None:
    """Write the samples of shard "i-of-k" as .npz: images (n, H, W, C) uint8, logit_source, logit_sample and moved.

    Only one batch of images is in memory at a time.
    """
    settings = job.settings
    sources = Stored(job.parent("sources"), device, settings["n"])
    mine = dealt(cuts(len(sources), settings["batch_size"]), shard)
    model = load_model(job, device)
    steps = steps_of(job)
    channels, height, width = sources.shape
    number = sum(rows.stop - rows.start for rows in mine)
    paths = np.empty((number, len(PATH_COLUMNS)), np.float32)  # one array: many small ones would fragment the memory
    made = 0
    with ExitStack() as stack:
        stack.enter_context(room(out, number * channels * height * width))
        archive = stack.enter_context(ZipFile(stack.enter_context(atomic(out)), "w"))
        report = stack.enter_context(progress(f"sample {job.spec['name']}, {steps} steps", len(mine)))
        stack.enter_context(computed_in(settings.get("precision", "fp32"), device))
        stack.enter_context(frozen(model))
        step = captured_step(device)
        with archive.open("images.npy", "w", force_zip64=True) as file:
            npy.begin_npy(file, np.uint8, (number, height, width, channels))
            for done, rows in enumerate(mine, start=1):
                images, path = work_in_halves("samples", partial(sampled, model, sources, steps, settings, step), rows)
                npy.append(file, images)
                paths[made : made + len(path)] = path
                made += len(path)
                report(done)
        columns = dict(zip(PATH_COLUMNS, paths.T, strict=True))
        npy.add_arrays(archive, columns | {"device": np.array(device_name(device))})


def sampled(
    model: Detector, sources: Stored, steps: int, settings: dict[str, Any], step: Step, rows: slice
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return samples (b, H, W, C) from one batch of sources, and their PATH_COLUMNS (b, 3); `step` is one PGD step."""
    start = blurred(to_float(sources[rows]), settings["blur"])
    step_size, noise = settings["step_size"], settings.get("noise")
    ((_, x),) = sampler(model, start, [steps], step_size, noise, range(rows.start, rows.stop), step)
    with torch.inference_mode():
        path = torch.stack([model(start), model(x), (x - start).flatten(1).norm(dim=1)], 1)
    return to_bytes(x, settings["quantise"]).permute(0, 2, 3, 1).cpu().numpy(), path.cpu().numpy()


def blurred(x: Tensor, sigma: float) -> Tensor:
    """Blur images (b, C, H, W) by a Gaussian of standard deviation `sigma` in pixels (Fig. S5); 0: no blur.

    The kernel ends at 3 sigma; beyond its edge an image is mirrored.
    """
    if not sigma:
        return x
    from torchvision.transforms.v2.functional import gaussian_blur  # imported here since it takes a second

    side = 2 * math.ceil(3 * sigma) + 1
    return gaussian_blur(x, [side, side], [sigma, sigma])
