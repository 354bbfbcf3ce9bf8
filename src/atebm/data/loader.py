"""Prepared sets on the device: uint8 there, batches of floats out; their order is a pure function."""

from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

PART = 250  # images that are resized at once


def load(folder: Path, device: torch.device, n: int | None = None) -> Tensor:
    """The first `n` images (all by default) of a prepared set as uint8 (N, C, H, W) on the device."""
    images = np.load(folder / "images.npy", mmap_mode="r")[:n]
    return torch.tensor(images).permute(0, 3, 1, 2).contiguous().to(device)


def to_float(images: Tensor) -> Tensor:
    """uint8 to float32 in [0, 1], in the memory layout that `Classifier.on` gives to weights."""
    return (images.to(torch.get_default_dtype()) / 255).contiguous(memory_format=torch.channels_last)


def to_bytes(x: Tensor) -> Tensor:
    """[0, 1] to uint8 by truncation, as the authors' PNGs were written (facts: to_pil_image)."""
    return (x * 255).to(torch.uint8)


def resized(images: Tensor, size: int, mode: str) -> Tensor:
    """uint8 (N, C, H, W) at `size` pixels a side, rounded: averages over areas ("area"), or "bilinear"."""
    sides = (size, size)
    parts = [F.interpolate(part.float(), sides, mode=mode).round().to(torch.uint8) for part in images.split(PART)]
    return torch.cat(parts)


def generator(*key: int) -> torch.Generator:
    """A CPU generator that is a pure function of the key."""
    (state,) = np.random.SeedSequence(key).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(state) % 2**63)


def batch_indices(n: int, batch_size: int, iteration: int, seed: int, stream: int) -> Tensor:
    """Indices of the images of one iteration: shuffled epochs, incomplete last batch dropped (authors' loaders).

    A pure function of its arguments, so that a resumed run sees what an uninterrupted one would have seen.
    Raises ValueError when the set is smaller than a batch.
    """
    if n < batch_size:
        raise ValueError(f"a batch of {batch_size} is larger than the set of {n} images")
    epoch, position = divmod(iteration, n // batch_size)
    return _epoch_order(n, seed, stream, epoch)[position * batch_size : (position + 1) * batch_size]


@lru_cache(maxsize=4)  # one entry per stream in use: shuffling a million images anew each iteration would show
def _epoch_order(n: int, seed: int, stream: int, epoch: int) -> Tensor:
    return torch.randperm(n, generator=generator(seed, stream, epoch))
