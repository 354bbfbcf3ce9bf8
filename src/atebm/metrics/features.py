"""What an extractor sees in images."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..data.loader import load, resized, to_float
from ..energy import Classifier
from ..files import atomic
from ..job import Job, record_of
from ..training.checkpoint import load_weights

BATCH = 250  # images a forward pass

Features = NDArray[np.float32]  # (N, d)


@torch.inference_mode()
def extract(extractor: Classifier, images: Tensor) -> tuple[Features, Features]:
    """Penultimate features (N, d) and logits (N, classes) of uint8 images (N, C, H, W)."""
    features, logits = [], []
    for batch in images.split(BATCH):
        seen = extractor.features(to_float(batch))
        features.append(seen.cpu().numpy())
        logits.append(extractor.head(seen).cpu().numpy())
    return np.concatenate(features), np.concatenate(logits)


def load_extractor(folder: Path, device: torch.device) -> Classifier:
    """The extractor of an `extractor` step."""
    record = record_of(folder)
    model = Classifier(record["network"], record["shape"], len(record["classes"]))
    return load_weights(model, folder / "model.safetensors").on(device)


def write_features(job: Job, device: torch.device) -> None:
    """The `features` step: features.npy and logits.npy of a set or of samples."""
    extractor = load_extractor(job.parent("extractor"), device)
    seen, of = record_of(job.parent("extractor")), record_of(job.parent("images"))
    images, size = load(job.parent("images"), device, job.settings["n"]), job.settings["size"]
    if size:
        images = resized(images, size, "area")
        if "shape" in seen:  # a classifier sees images of one size; Inception enlarges them itself
            images = resized(images, seen["shape"][1], "bilinear")
    features, logits = extract(extractor, images)
    for name, array in (("features.npy", features), ("logits.npy", logits)):
        with atomic(job.folder / name) as temporary:
            np.save(temporary, array)
    described = ("set", "run", "seed", "checkpoint", "steps", "step_size")
    job.finish(
        {
            "images": {key: of[key] for key in described if key in of} | {"size": size},
            "extractor": {key: seen[key] for key in ("extractor", "kind", "classes")}
            | {"sha256": seen["files"]["model.safetensors"]},
            "n": len(features),
        }
    )
