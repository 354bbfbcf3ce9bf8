"""Find and read trained models in git: models/<scale>/<run>/ has weights, a card for people, and a record.

The record has the facts needed for loading, and the sha256 of the two other files. No torch, since `verify` uses this.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..utils.errors import ConfigError, DataError, shown
from ..utils.files import repository
from ..utils.hashing import is_sealed, sha256
from ..utils.meant import did_you_mean

MODELS = "models"  # the folder in a checkout
WEIGHTS, CARD, RECORD = "model.safetensors", "card.md", "model.json"


def committed(root: Path) -> Iterator[Path]:
    """Yield the folders models/<scale>/<run>/ of a checkout, sorted."""
    yield from (path.parent for path in sorted((root / MODELS).glob(f"*/*/{RECORD}")))


def name_of(folder: Path) -> str:
    """Return the name of a committed model: "demo/cifar10"."""
    return f"{folder.parent.name}/{folder.name}"


def find_committed(name: str, root: Path) -> Path | None:
    """Return a model's folder: models/<name>/ in the checkout `root` or in that of this code, or the folder at a path.

    Returns None for the name of a run, which has no slash. Raises ConfigError if no model has the name.
    """
    if "/" not in name and os.sep not in name:
        return None
    for folder in (root / MODELS / name, repository() / MODELS / name, Path(name)):
        if (folder / RECORD).is_file():
            return folder
    known = [name_of(folder) for folder in committed(root)] or [name_of(folder) for folder in committed(repository())]
    raise ConfigError(f"there is no model {shown(name)!r}; {did_you_mean(name, known, 'ls models/*')}")


def read_committed(folder: Path) -> dict[str, Any]:
    """Return the record of a model. Raises DataError if record or weights have changed since they were written."""
    remedy = f"restore it with 'git checkout -- {folder}'"
    record, weights = folder / RECORD, folder / WEIGHTS
    text = record.read_text(encoding="utf-8", errors="replace")
    if not is_sealed(text):
        raise DataError(f"{record} has changed since it was written: {remedy}.")
    contents: dict[str, Any] = json.loads(text)
    digest = contents["files"][WEIGHTS]
    if not weights.exists() or sha256(weights) != digest:
        raise DataError(f"{weights} is missing or damaged (its sha256 is not {digest[:12]}...): {remedy}.")
    return contents


def described(facts: dict[str, Any]) -> str:
    """Say which data a model was trained on: "trained on Fashion-MNIST 16x16, a stand-in for CIFAR-10"."""
    stands_for = f", a stand-in for {facts['stands_for']}" if facts["stands_for"] else ""
    return f"trained on {facts['trained_on']}{stands_for}"
