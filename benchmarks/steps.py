"""Steps that are made by hand, for benchmarks that call the product's own commands on them."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from atebm.models.energy import Classifier
from atebm.models.weights import save_weights
from atebm.pipeline.job import Job, record_file
from atebm.utils.files import write_text
from atebm.utils.hashing import canonical


def step(work: Path, kind: str, name: str, settings: dict[str, Any], **parents: Path) -> Job:
    """A job, whose parents are given by their folders."""
    spec = work / f"specs/{kind}/{name}-00000000.json"
    steps = {role: f"{folder.parent.name}/{folder.name}" for role, folder in parents.items()}
    write_text(spec, canonical({"kind": kind, "name": name, "settings": settings, "parents": steps, "revision": 1}))
    return Job(spec)


def made(work: Path, kind: str, name: str, record: dict[str, Any]) -> Path:
    """The folder of a step that is there, with its record; what else it has, the caller writes."""
    folder = work / f"{kind}/{name}-00000000"
    folder.mkdir(parents=True, exist_ok=True)
    write_text(record_file(folder), canonical(record))
    return folder


def noise(work: Path, name: str, n: int, shape: tuple[int, int, int]) -> Path:
    """A prepared set of n images (C, H, W)."""
    folder = made(work, "data", name, {"set": name, "n": n, "classes": ["noise"]})
    channels, height, width = shape
    random = np.random.default_rng(0)
    np.save(folder / "images.npy", random.integers(256, size=(n, height, width, channels), dtype=np.uint8))
    return folder


def model(work: Path, network: dict[str, Any], shape: tuple[int, int, int]) -> Path:
    """A run that was trained for no iterations."""
    torch.manual_seed(0)
    record = {"run": "noise", "seed": 0, "iterations": 0, "network": network, "shape": list(shape), "best": None}
    folder = made(work, "train", "noise", record)
    save_weights(Classifier(network, shape, outputs=1).state_dict(), folder / "best.safetensors")
    return folder


def sampler(
    work: Path, n: int, steps: int, batch_size: int, network: dict[str, Any], shape: tuple[int, int, int]
) -> Job:
    settings = {"checkpoint": "best", "n": n, "steps": steps, "step_size": 0.5, "batch_size": batch_size}
    settings |= {"blur": 0, "quantise": "truncate"}
    parents = {"model": model(work, network, shape), "sources": noise(work, "sources", n, shape)}
    return step(work, "sample", "noise.best", settings, **parents)


def classifier(work: Path, network: dict[str, Any], shape: tuple[int, int, int], classes: int) -> Path:
    """An extractor that was trained for no iterations."""
    torch.manual_seed(0)
    record = {"extractor": "classifier", "kind": "classifier", "network": network, "shape": list(shape)}
    record |= {"classes": list(map(str, range(classes))), "files": {"model.safetensors": ""}}
    folder = made(work, "extractor", "classifier", record)
    save_weights(Classifier(network, shape, classes).state_dict(), folder / "model.safetensors")
    return folder
