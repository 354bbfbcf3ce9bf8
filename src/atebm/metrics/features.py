"""What an extractor sees in images."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..data.loader import Stored, to_float
from ..energy import Classifier
from ..files import atomic
from ..job import Job, record_of
from ..training.checkpoint import load_weights

BATCH = 250  # images a forward pass

Features = NDArray[np.float32]  # (N, d)


@torch.inference_mode()
def extract(extractor: Classifier, batches: Iterable[Tensor]) -> tuple[Features, Features]:
    """Penultimate features (N, d) and logits (N, classes) of uint8 images, in batches (b, C, H, W)."""
    features, logits = [], []
    for batch in batches:
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
    images = Stored(job.parent("images"), device, job.settings["n"])
    features, logits = extract(extractor, images.batches(BATCH))
    for name, array in (("features.npy", features), ("logits.npy", logits)):
        with atomic(job.folder / name) as temporary:
            np.save(temporary, array)
    seen, of = record_of(job.parent("extractor")), record_of(job.parent("images"))
    job.finish(
        {
            "images": {key: of[key] for key in ("set", "run", "seed", "checkpoint") if key in of},
            "extractor": {key: seen[key] for key in ("extractor", "kind", "classes")}
            | {"sha256": seen["files"]["model.safetensors"]},
            "n": len(features),
        }
    )
