"""The `features` step: an extractor's features and logits of images."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..data.stored import Stored, resized, to_float
from ..device.precision import computed_in
from ..models.energy import Classifier
from ..models.weights import load_weights
from ..pipeline.job import Job, described, record_of
from ..utils import npy
from ..utils.errors import ResultError
from ..utils.files import atomic, room
from ..utils.progress import progress

Features = NDArray[np.float32]  # (N, d)
Record = dict[str, Any]


KEPT = ("extractor", "kind", "classes", "archive", "package", "trained_on")  # fields of an extractor in other records


class Extractor(NamedTuple):
    """Inception, or a network that stands in for it."""

    see: Callable[[Tensor], tuple[Tensor, Tensor]]  # uint8 (b, C, H, W) to features (b, d) and logits (b, classes)
    batch: int  # images per forward pass


def load_extractor(folder: Path, device: torch.device) -> Extractor:
    """Return the extractor of an `extractor` step."""
    record = record_of(folder)
    if record["kind"] == "inception":
        from .inception import load_inception

        inception = load_inception(folder / "model.safetensors", device)
        # Inception resizes each image to 299 x 299 pixels, which take 5.5 MB in its widest layer. On a CPU, a batch of
        # 50 takes 2.6 GB in all; a batch of 10 takes 1.1 GB and is as fast per image.
        batch = 10 if device.type == "cpu" else 250
        return Extractor(lambda images: inception(in_colour(images)), batch)
    if record["kind"] == "efficientnet_lite0":
        from .efficientnet import load_efficientnet

        efficientnet = load_efficientnet(folder / "model.safetensors", record["size"], device)
        return Extractor(lambda images: efficientnet(in_colour(images)), 50 if device.type == "cpu" else 250)
    model = Classifier(record["network"], record["shape"], len(record["classes"]))
    return of_classifier(load_weights(model, folder / "model.safetensors").on(device))


def of_classifier(model: Classifier) -> Extractor:
    def see(images: Tensor) -> tuple[Tensor, Tensor]:
        features = model.features(to_float(images))
        return features, model.head(features)

    return Extractor(see, 250)


def in_colour(images: Tensor) -> Tensor:
    """Return grey or coloured images as (b, 3, H, W)."""
    return images.expand(-1, 3, -1, -1)


@torch.inference_mode()
def views(extractor: Extractor, images: Iterable[Tensor]) -> Iterator[tuple[Features, Features]]:
    """Yield features (b, d) and logits (b, classes) of each batch of uint8 images, on the extractor's device."""
    for batch in images:
        features, logits = extractor.see(batch)
        yield features.float().cpu().numpy(), logits.float().cpu().numpy()


def extract(extractor: Extractor, images: Iterable[Tensor]) -> tuple[Features, Features]:
    """Return features (N, d) and logits (N, classes) of all batches together."""
    features, logits = zip(*views(extractor, images), strict=True)
    return np.concatenate(features), np.concatenate(logits)


def shrunk(size: int | None, shape: list[int] | None) -> Callable[[Tensor], Tensor]:
    """Return a function that shrinks images to `size` pixels a side before an extractor sees them.

    For an extractor that takes only one `shape` (C, H, W), images are then enlarged to it; Inception does this itself.
    """

    def shrink(images: Tensor) -> Tensor:
        if size is None:
            return images
        images = resized(images, size, "area")
        return resized(images, shape[1], "bilinear") if shape else images

    return shrink


def check_shape(job: Job, images: Stored, seen: Record) -> None:
    """Raise ResultError if an extractor takes images of one shape only, and the images have another."""
    if seen.get("shape") not in (None, list(images.shape)):
        here, needed = ("x".join(map(str, shape)) for shape in (images.shape, seen["shape"]))
        raise ResultError(
            f"features of {job.spec['name']}: its images are {here} (channels x pixels), but extractor "
            f"{seen['extractor']} takes {needed}: choose another one in metrics.extractor or metrics.rulers."
        )


def write_features(job: Job, device: torch.device) -> None:
    """Make the `features` step: features.npy and logits.npy of a set or of samples, with one batch at a time in memory.

    Raises ResultError if they are not finite, since no distance could be computed from them.
    """
    extractor = load_extractor(job.parent("extractor"), device)
    seen, of = record_of(job.parent("extractor")), record_of(job.parent("images"))
    images = Stored(job.parent("images"), device, job.settings["n"])
    shrink = shrunk(job.settings["size"], seen.get("shape"))
    check_shape(job, images, seen)
    with ExitStack() as stack:
        paths = [stack.enter_context(atomic(job.folder / name)) for name in ("features.npy", "logits.npy")]
        files = [stack.enter_context(path.open("wb")) for path in paths]
        stack.enter_context(computed_in(job.settings.get("precision", "fp32"), device))
        report, done = stack.enter_context(progress(f"features of {job.spec['name']}", len(images))), 0
        for parts in views(extractor, map(shrink, images.batches(extractor.batch))):
            for file, part in zip(files, parts, strict=True):
                if file.tell() == 0:
                    stack.enter_context(room(job.folder / "features.npy", len(images) * part[0].nbytes))
                    npy.begin_npy(file, part.dtype, (len(images), part.shape[1]))
                if not np.isfinite(part).all():
                    raise ResultError(
                        f"features of {job.spec['name']}: images {done} to {done + len(part) - 1} have features that "
                        "are not finite. Does `python -m atebm verify` find an altered extractor? If not, try --device "
                        "cpu."
                    )
                npy.append(file, part)
            done += len(parts[0])
            report(done)
    job.finish(
        {
            "images": described(of) | {"size": job.settings["size"]},
            "extractor": {key: seen[key] for key in KEPT if key in seen}
            | {"sha256": seen["files"]["model.safetensors"]},
            "n": len(images),
        }
    )
