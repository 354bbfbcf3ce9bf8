"""What an extractor sees in images."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..data.loader import batches, to_float
from ..energy import Classifier
from ..files import atomic
from ..job import Job, record_of
from ..training.checkpoint import load_weights

Features = NDArray[np.float32]  # (N, d)


class Extractor(NamedTuple):
    """Inception, or the classifier that stands in for it."""

    see: Callable[[Tensor], tuple[Tensor, Tensor]]  # uint8 (b, C, H, W) to features (b, d) and logits (b, classes)
    batch: int  # images a forward pass


def load_extractor(folder: Path, device: torch.device) -> Extractor:
    """The extractor of an `extractor` step."""
    record = record_of(folder)
    if record["kind"] == "inception":
        from .inception import load_inception

        inception = load_inception(folder / "model.safetensors", device)
        return Extractor(lambda images: inception(in_colour(images)), 50)  # as the code of FID's authors
    model = Classifier(record["network"], record["shape"], len(record["classes"]))
    return of_classifier(load_weights(model, folder / "model.safetensors").on(device))


def of_classifier(model: Classifier) -> Extractor:
    def see(images: Tensor) -> tuple[Tensor, Tensor]:
        features = model.features(to_float(images))
        return features, model.head(features)

    return Extractor(see, 250)


def in_colour(images: Tensor) -> Tensor:
    """(b, 3, H, W) of grey or coloured images."""
    return images.expand(-1, 3, -1, -1)


@torch.inference_mode()
def extract(extractor: Extractor, images: Iterable[Tensor]) -> tuple[Features, Features]:
    """Features (N, d) and logits (N, classes) of batches of uint8 images (b, C, H, W) on the extractor's device."""
    seen = [[part.cpu().numpy() for part in extractor.see(batch)] for batch in images]
    features, logits = zip(*seen, strict=True)
    return np.concatenate(features), np.concatenate(logits)


def write_features(job: Job, device: torch.device) -> None:
    """The `features` step: features.npy and logits.npy of a set or of samples."""
    extractor = load_extractor(job.parent("extractor"), device)
    images = batches(job.parent("images"), device, extractor.batch, job.settings["n"])
    features, logits = extract(extractor, images)
    for name, array in (("features.npy", features), ("logits.npy", logits)):
        with atomic(job.folder / name) as temporary:
            np.save(temporary, array)
    seen, of = record_of(job.parent("extractor")), record_of(job.parent("images"))
    job.finish(
        {
            "images": {key: of[key] for key in ("set", "run", "seed", "checkpoint") if key in of},
            "extractor": {key: seen[key] for key in ("extractor", "kind", "classes", "archive") if key in seen}
            | {"sha256": seen["files"]["model.safetensors"]},
            "n": len(features),
        }
    )
