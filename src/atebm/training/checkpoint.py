"""Save and load the state from which a training resumes, as a weights-only torch file: complete or absent."""

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
STATE, FORMER = "state.pt", "former.pt"  # the latest state of a training, and the one before it
STATES = 3  # states on the disk at once: these two and one that is being written


def tensors(state: Any) -> Iterator[torch.Tensor]:
    """Yield all tensors in nested dicts and lists."""
    if isinstance(state, torch.Tensor):
        yield state
    elif isinstance(state, dict | list):
        for part in state.values() if isinstance(state, dict) else state:
            yield from tensors(part)


def finite(state: Any) -> bool:
    """Return whether all tensors in nested dicts and lists are finite. The host waits for the device."""
    return all(bool(tensor.isfinite().all()) for tensor in tensors(state))


def save_state(state: dict[str, Any], folder: Path) -> None:
    """Write the state from which a training resumes, after its sha256; the previous state stays as FORMER."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    content = buffer.getvalue()
    with atomic(folder / STATE) as temporary:
        with temporary.open("wb") as file:
            file.write(hashlib.sha256(content).digest() + content)
            file.flush()
            os.fsync(file.fileno())  # without this, a power loss could leave both names without their bytes
        if (folder / STATE).exists():
            (folder / STATE).replace(folder / FORMER)


def load_state(folder: Path, device: torch.device) -> dict[str, Any] | None:
    """Return the last intact state in `folder`, or None if no training was interrupted. No code in a file is executed.

    Raises DataError if all states are damaged.
    """
    found = [folder / name for name in (STATE, FORMER) if (folder / name).exists()]
    for path in found:
        content = path.read_bytes()
        if hashlib.sha256(content[DIGEST:]).digest() == content[:DIGEST]:
            return load_pickled(io.BytesIO(content[DIGEST:]), path, device)
        # an earlier version wrote states without a sha256
        wrong = "of another version of this program" if content.startswith(ZIP) else "damaged"
        print(f"warning: {path} is {wrong}.", flush=True)
    if found:
        raise DataError(f"no intact state is left in {folder}: remove that folder, and training starts from scratch.")
    return None
