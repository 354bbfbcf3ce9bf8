"""Train the embedded extractors again and measure how far a fresh training on this machine differs.

Each record in data/embedded/extractors/ holds its own recipe. Nothing there is changed unless `write` says so.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from ..archives.extractors import EXTRACTORS
from ..archives.tensors import load_tensors
from ..data.content import Places, content_of
from ..evaluation.embedded import load_embedded, rounded
from ..evaluation.features import Features, extract, of_classifier
from ..evaluation.frechet import Gaussian, frechet_distance
from ..models.weights import save_weights
from ..pipeline.job import Job, record_of
from ..pipeline.step import Step, write_specs
from ..training.classifier import held_out_accuracy, train_classifier
from ..utils.errors import DataError
from ..utils.files import atomic, write_text
from ..utils.hashing import canonical, sha256

CPU = torch.device("cpu")
ROLES = {"p_data": "train", "held_out": "held_out"}  # roles of the training, and their names in a recipe
# Two fixed sets: their distance by two extractors shows how far these differ. Clothes, and sources of samplers.
CLOTHES = {"reader": "fashion_mnist", "split": "held_out", "held_out": 2000, "size": 16}
PHOTOGRAPHS = {
    "reader": "photographs",
    "photographs": ["coffee", "flower", "rocket", "coins"],
    "n": 2000,
    "seed": 2,
    "size": 16,
    "crop_min": 48,
    "crop_max": 300,
    "min_std": 16,
}
Images = np.ndarray[Any, np.dtype[np.uint8]]  # (N, H, W, C)


@dataclass(frozen=True)
class Remade:
    """The result of training an extractor again, compared with the embedded one."""

    name: str
    accuracy: float
    embedded_accuracy: float | None  # None, like all comparisons, if nothing is embedded yet
    same: bool  # whether the weights are the same bytes
    features: float | None  # norm of the difference in features of CLOTHES, relative to the embedded one's features
    distance: float  # Frechet distance of PHOTOGRAPHS to CLOTHES
    embedded_distance: float | None

    def describe(self) -> str:
        """Return one line that describes the result."""
        said = f"{self.name}: accuracy {self.accuracy:.4f}, distance of photographs to clothes {self.distance:.6g}"
        if self.features is None or self.embedded_distance is None:
            return f"{said}; there is no embedded extractor to compare with yet."
        off = abs(self.distance / self.embedded_distance - 1)
        what = "has the same bytes" if self.same else "has other bytes"
        return (
            f"{said}; embedded: {self.embedded_accuracy:.4f} and {self.embedded_distance:.6g}. The distance differs by "
            f"{off:.2%}, the features differ by {self.features:.2%}, and the new file of weights {what}."
        )


def remake(names: Sequence[str], write: bool, folder: Path = EXTRACTORS) -> Iterator[Remade]:
    """Train extractors of a folder again (by default all) and yield how far each differs; `write` keeps the new ones.

    Raises ResultError if one does not reach the accuracy that its recipe requires, DataError for an unknown name.
    """
    known = {path.stem: path for path in sorted(folder.glob("*.json"))}
    for name in names:
        if name not in known:
            raise DataError(f"there is no recipe {folder / name}.json; the recipes are: {', '.join(known)}.")
    fixed = [images_of({"set": settings})[0] for settings in (CLOTHES, PHOTOGRAPHS)]
    for path in (known[name] for name in names or known):
        with TemporaryDirectory() as work:
            made = train_again(path.stem, json.loads(path.read_text(encoding="utf-8"))["recipe"], Path(work))
            found = compared(path, made, fixed)
            if write:
                keep(path, made)
            yield found


def train_again(name: str, recipe: dict[str, Any], work: Path) -> Path:
    """Run an `extractor` step below `work` by a recipe, round its weights, and return its folder."""
    sets = {role: Step("data", role, {"parts": recipe[key]}) for role, key in ROLES.items()}
    training = {key: value for key, value in recipe.items() if key not in ROLES.values()}
    step = Step("extractor", name, {"kind": "classifier", **training, **{role: role for role in ROLES}}, sets)
    write_specs(step.ancestry(), work)
    for part in sets.values():
        write_joined(Job(work / part.spec_file))
    job = Job(work / step.spec_file)
    train_classifier(job, CPU)
    weights, record = job.folder / "model.safetensors", record_of(job.folder)
    save_weights(rounded(load_tensors(weights)), weights)
    accuracy = held_out_accuracy(load_embedded(record, weights), job, record["shape"][1], CPU)
    job.finish({key: record[key] for key in ("network", "shape", "classes")} | {"accuracy": accuracy})
    return job.folder


def write_joined(job: Job) -> None:
    """Write a `data` step's folder: the parts of a set one after the other, each with its own classes."""
    images, labels = [], []
    classes: list[str] = []
    for part in job.settings["parts"]:
        pixels, numbers, names = images_of(part)
        images.append(pixels)
        labels.append(numbers + len(classes))
        classes += names
    joined = np.concatenate(images)
    job.folder.mkdir(parents=True)
    np.save(job.folder / "images.npy", joined)
    np.save(job.folder / "labels.npy", np.concatenate(labels))
    job.finish({"set": job.spec["name"], "n": len(joined), "shape": list(joined.shape[1:]), "classes": classes})


def images_of(part: dict[str, Any]) -> tuple[Images, Any, list[str]]:
    """Return the images, labels and classes of a part of a recipe: a set, or only its rows [from, to)."""
    content = content_of(part["set"], Places())
    images = np.concatenate(list(content.images(0, 1)))
    labels, classes = content.labels()
    rows = slice(*part.get("rows", (None,)))
    return images[rows], labels[rows], classes


def compared(path: Path, made: Path, fixed: list[Images]) -> Remade:
    """Compare a fresh extractor with the embedded one of the record at `path`, if there is one."""
    fresh, record = record_of(made), json.loads(path.read_text(encoding="utf-8"))
    clothes, photographs = (seen_by(fresh, made / "model.safetensors", images) for images in fixed)
    distance = distance_of(photographs, clothes)
    weights = path.with_suffix(".safetensors")
    if not weights.exists() or "sha256" not in record:
        return Remade(path.stem, fresh["accuracy"], None, False, None, distance, None)
    former, former_photographs = (seen_by(record, weights, images) for images in fixed)
    return Remade(
        path.stem,
        fresh["accuracy"],
        record["accuracy"],
        sha256(weights) == sha256(made / "model.safetensors"),
        float(np.linalg.norm(clothes - former) / np.linalg.norm(former)),
        distance,
        distance_of(former_photographs, former),
    )


def seen_by(record: dict[str, Any], weights: Path, images: Images) -> Features:
    """Return the features of images by the extractor with a record and a file of weights."""
    extractor = of_classifier(load_embedded(record, weights).on(CPU))
    tensor = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()
    return extract(extractor, tensor.split(extractor.batch))[0]


def distance_of(samples: Features, reference: Features) -> float:
    return frechet_distance(Gaussian.of(samples), Gaussian.of(reference))


def keep(path: Path, made: Path) -> None:
    """Replace the embedded record and weights by those of a fresh extractor."""
    record, fresh, weights = json.loads(path.read_text(encoding="utf-8")), record_of(made), made / "model.safetensors"
    record |= {key: fresh[key] for key in ("network", "shape", "classes", "accuracy")}
    record |= {"sha256": sha256(weights), "torch": torch.__version__}
    with atomic(path.with_suffix(".safetensors")) as temporary:
        temporary.write_bytes(weights.read_bytes())
    write_text(path, canonical(record))
