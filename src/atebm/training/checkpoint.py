"""Weights as safetensors, resume state as a weights-only torch file; whole or absent, both."""

import hashlib
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from ..archives.tensors import ZIP, load_pickled
from ..utils.errors import DataError
from ..utils.files import atomic

DIGEST = hashlib.sha256().digest_size
STATE, FORMER = "state.pt", "former.pt"  # of a training under way: where it stands, and where it stood before
STATES = 3  # on the disk at once, while a new one is written beside these


def tensors(state: Any) -> Iterator[torch.Tensor]:
    """Yield all tensors in nested dicts and lists."""
    if isinstance(state, torch.Tensor):
        yield state
    elif isinstance(state, dict | list):
        for part in state.values() if isinstance(state, dict) else state:
            yield from tensors(part)


def finite(state: Any) -> bool:
    """Return whether no tensor in nested dicts and lists holds NaN or an infinity. The host waits for the device."""
    return all(bool(tensor.isfinite().all()) for tensor in tensors(state))


def save_state(state: dict[str, Any], folder: Path) -> None:
    """Keep what a training goes on from, behind the sha256 of its bytes; the one before stays, as FORMER."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    content = buffer.getvalue()
    with atomic(folder / STATE) as temporary:
        with temporary.open("wb") as file:
            file.write(hashlib.sha256(content).digest() + content)
            file.flush()
            os.fsync(file.fileno())  # or else a power loss could leave a name without its bytes, twice
        if (folder / STATE).exists():
            (folder / STATE).replace(folder / FORMER)


def load_state(folder: Path, device: torch.device) -> dict[str, Any] | None:
    """Return the last whole state in `folder`, or None if no training was interrupted. Nothing in a file is executed.

    Raises DataError where there are only damaged ones.
    """
    found = [folder / name for name in (STATE, FORMER) if (folder / name).exists()]
    for path in found:
        content = path.read_bytes()
        if hashlib.sha256(content[DIGEST:]).digest() == content[:DIGEST]:
            return load_pickled(io.BytesIO(content[DIGEST:]), path, device)
        # of a version whose states began with no sha256
        wrong = "of another version of this program" if content.startswith(ZIP) else "damaged"
        print(f"warning: {path} is {wrong}.", flush=True)
    if found:
        raise DataError(f"no whole state is left in {folder}: remove that folder, and training begins anew.")
    return None
