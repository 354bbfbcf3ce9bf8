"""Prepared sets on the device: uint8 there, batches of floats out; order and augmentation are pure functions."""

from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


def load(folder: Path, device: torch.device, n: int | None = None) -> Tensor:
    """The first `n` images (all by default) of a prepared set as uint8 (N, C, H, W) on the device."""
    images = np.load(folder / "images.npy", mmap_mode="r")[:n]
    return torch.tensor(images).permute(0, 3, 1, 2).contiguous().to(device)


def to_float(images: Tensor) -> Tensor:
    """uint8 to float32 in [0, 1], in the memory layout that `Classifier.on` gives to weights."""
    return (images.float() / 255).contiguous(memory_format=torch.channels_last)


def to_bytes(x: Tensor) -> Tensor:
    """[0, 1] to uint8 by truncation, as the authors' PNGs were written (facts: to_pil_image)."""
    return (x * 255).to(torch.uint8)


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


def augment(x: Tensor, how: str, seed: int, stream: int, iteration: int) -> Tensor:
    """One batch (B, C, H, W), each image by itself: `none`, or `crop_flip`, CIFAR-10's random crop after zero padding
    of 1/8 of the side (4 of 32 pixels) and random mirroring.

    Raises ValueError for `resized_crop_flip`, the pipeline of the 256x256 tasks, which this version does not have.
    """
    if how == "none":
        return x
    if how != "crop_flip":
        raise ValueError(f"augmentation {how} is not built in this version, which has: none, crop_flip")
    count, _, height, width = x.shape
    pad = height // 8
    random = torch.rand(3, count, generator=generator(seed, stream, iteration)).to(x.device)
    top, left = (random[:2] * (2 * pad + 1)).long()
    rows = top[:, None] + torch.arange(height, device=x.device)
    columns = left[:, None] + torch.arange(width, device=x.device)
    columns = torch.where(random[2, :, None] < 0.5, columns.flip(1), columns)
    images = torch.arange(count, device=x.device)[:, None, None]
    padded = F.pad(x, (pad, pad, pad, pad)).permute(0, 2, 3, 1)
    return padded[images, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
