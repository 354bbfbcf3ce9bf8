"""A checkout in which a run looks trained, and `atebm` in the test's own process: for what users do to commands."""

import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from conftest import checkout, planned
from PIL import Image

from atebm.cli import app
from atebm.models.energy import model_of
from atebm.models.weights import save_weights
from atebm.utils.hashing import canonical

RUN = "cifar10_ood"  # of scale smoke, grey, 8 pixels a side
SIDE = 8


def pretend(root: Path) -> Path:
    """A checkout of scale smoke in which RUN looks trained, with weights of chance, and its held-out set prepared."""
    config = checkout(root) / "config.yaml"
    config.write_text(config.read_text().replace("scale: demo", "scale: smoke", 1))
    scale = root / "workflow/scales/smoke.yaml"  # where detectors are not sampled from
    scale.write_text(
        scale.read_text().replace("samplers:\n", f"samplers:\n  {RUN}: {{ like: cifar10, steps: 3 }}\n", 1)
    )
    plan = planned("smoke")
    step, images = plan.train(RUN, 0), plan.attack(RUN, 0).parents["in"]
    record = {"network": step.settings["network"], "shape": [1, SIDE, SIDE], "best": {"steps": 3}, "iterations": 1}
    torch.manual_seed(0)
    save_weights(model_of(record).state_dict(), root / step.folder / "best.safetensors")
    (root / step.record).write_text(canonical(record))
    (root / images.folder).mkdir(parents=True)
    stored = np.random.default_rng(0).integers(256, size=(400, SIDE, SIDE, 1), dtype=np.uint8)
    np.save(root / images.folder / "images.npy", stored)
    (root / images.record).write_text(canonical({"set": images.name, "n": len(stored)}))
    return root


class Finished(NamedTuple):
    code: int
    out: str
    err: str


def called(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> Finished:
    """`atebm` with these arguments; whatever is no exit is a traceback, and fails the test."""
    capsys.readouterr()
    monkeypatch.setattr(sys, "argv", ["atebm", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        app.main()
        sys.exit(0)
    captured = capsys.readouterr()
    return Finished(int(ended.value.code or 0), captured.out, captured.err)


def image(path: Path, seed: int = 0, size: tuple[int, int] = (SIDE, SIDE), **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(256, size=size[::-1], dtype=np.uint8)
    Image.fromarray(noise).save(path, format="PNG", **options)
    return path
