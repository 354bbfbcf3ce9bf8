"""Compute the `ascent` step: PGD from images, blends, noisy or occluded images, kept after several numbers of steps."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ..attacks.pgd import Logit, summed, trajectory
from ..data.hole import hole
from ..data.stored import Stored, cuts, to_bytes, to_float
from ..device.select import device_name
from ..evaluation.along import BATCH, on_the_way
from ..evaluation.features import load_extractor
from ..evaluation.frechet import Gaussian, frechet_distance
from ..evaluation.intervals import t_half_width
from ..models.folding import frozen_all
from ..models.weights import load_model
from ..pipeline.job import Job, record_of
from ..utils.files import atomic
from ..utils.npy import Rows
from ..utils.progress import progress
from ..utils.random import generator

RESTORED = ("noisy", "occluded")  # starts with known originals
NOISE = 4  # stream of random numbers


def write_ascent(job: Job, device: torch.device) -> None:
    """Write frames.npy (n, steps, H, W, C) and motion.npy (motion, 1 + last step, H, W, C), uint8, and the numbers.

    path.csv has a row per image and number of steps: f (and each model's f if several are added), the L2 distance from
    the start in [0, 1] pixel units and, for damaged starts, PSNR (dB) and SSIM to the original. distances.csv has the
    Frechet distance to the reference after each number of steps, if the settings ask for it.
    """
    settings = job.settings
    roles = [role for role in job.spec["parents"] if role.startswith("model")]
    models = [load_model(job, device, role) for role in roles]
    runs = [record_of(job.parent(role))["run"] for role in roles]
    f = summed(models) if len(models) > 1 else models[0]
    images = Stored(job.parent("images"), device)
    originals = images[: settings["n"]]
    starts, mask = begin_ascent(to_float(originals), settings["start"], settings["seed"])
    with frozen_all(models):
        with progress(f"ascent {job.spec['name']}", len(starts)) as report:
            parts = []
            for rows in cuts(len(starts), BATCH):
                parts.append(climb(f, models, starts[rows], mask, settings, max(0, settings["motion"] - rows.start)))
                report(rows.stop)
        distances = distances_on_the_way(job, f, images, device) if settings["distances"] else []
    frames, motion, logits, moved = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    path = table_of_path(settings["steps"], logits, moved, runs)
    if settings["start"]["name"] in RESTORED:
        path = path.assign(**fidelity(originals.permute(0, 2, 3, 1).cpu().numpy(), frames))
    for name, array in (("frames.npy", frames), ("motion.npy", motion)):
        with atomic(job.folder / name) as temporary:
            np.save(temporary, array)
    for name, frame in (("path.csv", path), ("distances.csv", pd.DataFrame(distances, columns=DISTANCES))):
        with atomic(job.folder / name) as temporary:
            frame.to_csv(temporary, index=False, float_format="%.6g")
    of = record_of(job.parent("model"))
    job.finish(
        {
            "run": runs[0],
            "others": runs[1:],
            "seed": of["seed"],
            "iteration": (of["best"] or {"iteration": of["iterations"]})["iteration"],
            "set": record_of(job.parent("images"))["set"],
            **{key: settings[key] for key in ("start", "n", "steps", "step_size", "distances")},
            "device": device_name(device),
        }
    )


def table_of_path(steps: list[int], logits: np.ndarray, moved: np.ndarray, runs: list[str]) -> pd.DataFrame:
    """Return a row per image and number of steps, from the logits (n, S, 1 + terms) and distances (n, S) of `climb`."""
    path = pd.DataFrame(
        {
            "image": np.repeat(np.arange(len(moved)), len(steps)),
            "steps": np.tile(steps, len(moved)),
            "logit": logits[..., 0].ravel(),
            "moved": moved.ravel(),
        }
    )
    terms = {f"logit_{run}": logits[..., k].ravel() for k, run in enumerate(runs, start=1)} if len(runs) > 1 else {}
    return path.assign(**terms)


def begin_ascent(images: Tensor, how: dict[str, Any], seed: int) -> tuple[Tensor, Tensor | None]:
    """Return the start of an ascent: images (N, C, H, W) in [0, 1], and the mask of the pixels that may change.

    `images` are (n, C, H, W) in [0, 1]; `how` is a `config.Start`. The noise is the same on every device.
    """
    match how["name"]:
        case "blends":
            share = torch.linspace(0, 1, how["count"], device=images.device).view(1, -1, 1, 1, 1)
            return torch.lerp(images[0::2, None], images[1::2, None], share).flatten(0, 1), None
        case "noisy":
            noise = torch.randn(images.shape, generator=generator(seed, NOISE))
            return (images + how["sigma"] * noise.to(images.device)).clamp(0, 1), None
        case "occluded":
            mask = torch.zeros(1, 1, *images.shape[2:], device=images.device)
            mask[..., *hole(images.shape[2:], how["side"])] = 1
            return torch.where(mask > 0, how["fill"], images), mask
    return images, None


def climb(
    f: Logit, terms: Sequence[Logit], start: Tensor, mask: Tensor | None, settings: dict[str, Any], motion: int
) -> tuple[np.ndarray, ...]:
    """Return, for one batch, frames (b, S, H, W, C), every step of the first `motion` images, logits, and distances.

    Logits (b, S, 1 + terms) are those of f and, if f is a sum, of its terms. Distances (b, S) are from the start.
    """
    steps, how = settings["steps"], settings["quantise"]
    frames, moving, logits, moved = [], [], [], []
    for done, x in trajectory(f, start, range(steps[-1] + 1) if motion else steps, settings["step_size"], mask=mask):
        moving.append(to_bytes(x[:motion], how))
        if done in steps:
            frames.append(to_bytes(x, how))
            with torch.inference_mode():
                logits.append(torch.stack([g(x) for g in ([f, *terms] if len(terms) > 1 else [f])], 1))
                moved.append((x - start).flatten(1).norm(dim=1))
    channels_last = (0, 1, 3, 4, 2)
    pictures = (torch.stack(part, 1).permute(channels_last) for part in (frames, moving if motion else frames))
    kept, all_of_them = (part.cpu().numpy() for part in pictures)
    return kept, all_of_them[:motion], torch.stack(logits, 1).cpu().numpy(), torch.stack(moved, 1).cpu().numpy()


DISTANCES = ["steps", "distance", "ci95", "n"]


def distances_on_the_way(job: Job, f: Logit, images: Stored, device: torch.device) -> list[dict[str, Any]]:
    """Return the Frechet distance of the first images to the reference after each number of steps."""
    settings = job.settings
    extractor = load_extractor(job.parent("extractor"), device)
    reference = Gaussian.of(Rows.of(job.parent("reference") / "features.npy"))
    parts = []
    with progress(f"ascent {job.spec['name']}, distances", settings["distances"]) as report:
        for rows in cuts(settings["distances"], BATCH):
            parts.append(on_the_way(f, extractor, images[rows], settings["steps"], settings["step_size"]))
            report(rows.stop)
    table = []
    for steps, *features in zip(settings["steps"], *parts, strict=True):
        whole = np.concatenate(features)
        blocks = [frechet_distance(Gaussian.of(b), reference) for b in np.array_split(whole, settings["blocks"])]
        distance = frechet_distance(Gaussian.of(whole), reference)
        table.append({"steps": steps, "distance": distance, "ci95": t_half_width(blocks), "n": len(whole)})
    return table


def fidelity(originals: np.ndarray, frames: np.ndarray) -> dict[str, list[float]]:
    """Return PSNR in dB and SSIM of frames (n, S, H, W, C) to originals (n, H, W, C), all uint8, by scikit-image."""
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity

    window = min(7, *(side - 1 + side % 2 for side in originals.shape[1:3]))  # 7 by default, always odd
    pairs = [(original, frame) for original, images in zip(originals, frames, strict=True) for frame in images]
    with np.errstate(divide="ignore"):  # PSNR of equal images is infinite
        psnr = [float(peak_signal_noise_ratio(*pair, data_range=255)) for pair in pairs]
    ssim = [float(structural_similarity(*pair, data_range=255, channel_axis=-1, win_size=window)) for pair in pairs]
    return {"psnr": psnr, "ssim": ssim}
