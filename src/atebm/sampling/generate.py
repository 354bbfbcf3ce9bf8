"""The `sample` step: PGD from source images, in shards whose number changes no byte (supplement Table 4)."""

import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..attacks.pgd import pgd
from ..data.loader import Stored, cuts, dealt, to_bytes, to_float
from ..energy import Detector, model_of
from ..energy.folding import frozen
from ..files import atomic
from ..job import Job, record_of
from ..progress import progress
from ..training.checkpoint import load_weights
from ..training.loop import device_name
from .gather import PATH_COLUMNS, steps_of


def sample_shard(job: Job, shard: str, out: Path, device: torch.device) -> None:
    """Samples of shard "i-of-k" as .npz: images (n, H, W, C) uint8, and per image logit_source, logit_sample, moved."""
    settings = job.settings
    sources = Stored(job.parent("sources"), device, settings["n"])
    mine = dealt(cuts(len(sources), settings["batch_size"]), shard)
    model = load_model(job, device)
    steps = steps_of(job)
    parts: list[dict[str, np.ndarray]] = []
    with frozen(model), progress(f"sample {job.spec['name']}, {steps} steps", len(mine)) as report:
        for done, rows in enumerate(mine, start=1):
            start = blurred(to_float(sources[rows]), settings["blur"])
            parts.append(ascend(model, start, steps, settings["step_size"], settings["quantise"]))
            report(done)
    shape = tuple(sources.shape[i] for i in (1, 2, 0))
    empty = {"images": np.empty((0, *shape), np.uint8), **{name: np.empty(0, np.float32) for name in PATH_COLUMNS}}
    columns = {name: np.concatenate([empty[name], *(part[name] for part in parts)]) for name in empty}
    with atomic(out) as temporary:
        np.savez(temporary, allow_pickle=False, device=np.array(device_name(device)), **columns)


def blurred(x: Tensor, sigma: float) -> Tensor:
    """Images (b, C, H, W) under a Gaussian blur of that standard deviation in pixels (Fig. S5); 0: none.

    Cut off beyond 3 sigma; what lies outside the image is its mirror image.
    """
    if not sigma:
        return x
    from torchvision.transforms.v2.functional import gaussian_blur  # here: it takes a second

    side = 2 * math.ceil(3 * sigma) + 1
    return gaussian_blur(x, [side, side], [sigma, sigma])


def ascend(model: Detector, start: Tensor, steps: int, step_size: float, quantise: str) -> dict[str, np.ndarray]:
    """One batch of sources: samples as bytes, f before and after, and the L2 distance moved, in [0, 1] pixel units."""
    x = pgd(model, start, steps, step_size)
    with torch.inference_mode():
        columns = (model(start), model(x), (x - start).flatten(1).norm(dim=1))
    images = to_bytes(x, quantise).permute(0, 2, 3, 1).contiguous()
    return {"images": images.cpu().numpy()} | {
        name: column.cpu().numpy() for name, column in zip(PATH_COLUMNS, columns, strict=True)
    }


def load_model(job: Job, device: torch.device, role: str = "model") -> Detector:
    """What the `train` step that is a parent has learnt, with the weights of the checkpoint that the job names."""
    return load_checkpoint(job.parent(role), job.settings["checkpoint"], device)


def load_checkpoint(folder: Path, checkpoint: str, device: torch.device) -> Detector:
    """What a `train` step has learnt by its `best` or `last` checkpoint."""
    return load_weights(model_of(record_of(folder)), folder / f"{checkpoint}.safetensors").on(device)
