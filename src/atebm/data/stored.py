"""Prepared sets where they lie; batches of floats; the order of images, which is a pure function."""

from collections.abc import Iterator, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ..utils.random import generator

Batch = TypeVar("Batch")


class Stored:
    """The first `n` images (all by default) of a prepared set, which stays on disk: parts come to the device on demand.

    `stored[rows]`, rows being a slice or indices (b,), is uint8 (b, C, H, W). The file is mapped anew for each part,
    for the pages of a mapping count as this process's memory as long as it lives.
    """

    def __init__(self, folder: Path, device: torch.device | str = "cpu", n: int | None = None):
        self.file, self.device, self.n = folder / "images.npy", torch.device(device), n

    def _mapped(self) -> NDArray[np.uint8]:
        return np.load(self.file, mmap_mode="r")[: self.n]

    @cached_property
    def _size(self) -> tuple[int, ...]:
        return self._mapped().shape

    def __len__(self) -> int:
        return self._size[0]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Return the shape of one image, (C, H, W)."""
        _, height, width, channels = self._size
        return channels, height, width

    @property
    def bytes(self) -> int:
        return int(np.prod(self._size))

    def __getitem__(self, rows: slice | Tensor) -> Tensor:
        part = torch.tensor(self._mapped()[rows if isinstance(rows, slice) else rows.numpy()])
        return part.permute(0, 3, 1, 2).contiguous().to(self.device)

    def batches(self, size: int) -> Iterator[Tensor]:
        """Yield all of it, `size` images at once."""
        return (self[rows] for rows in cuts(len(self), size))

    def resident(self) -> Tensor:
        """Return all of it, on the device. It is moved there in parts, so that the host never holds two copies."""
        whole = torch.empty(len(self), *self.shape, dtype=torch.uint8, device=self.device)
        for part in cuts(len(self), PART):
            whole[part] = self[part]
        return whole


PART = 4096  # images moved at once


def cuts(n: int, size: int) -> list[slice]:
    """Return slices of `size` images, the last one of what is left, that together are `n`."""
    return [slice(start, min(start + size, n)) for start in range(0, n, size)]


def dealt(batches: Sequence[Batch], shard: str) -> list[Batch]:
    """Return the part of shard "i-of-k" of batches that were cut from the whole.

    So each image is always computed beside the same others, and the number of shards changes no byte.
    """
    index, count = map(int, shard.split("-of-"))
    return [batches[number] for number in np.array_split(np.arange(len(batches)), count)[index]]


def moved(tensor: Tensor, device: torch.device) -> Tensor:
    """`tensor` on a device. From pinned memory, so that the host does not wait until a GPU has done all before that."""
    if device.type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


def to_float(images: Tensor) -> Tensor:
    """Return uint8 to float32 in [0, 1], in the memory layout that `Classifier.on` gives to weights."""
    return (images.to(torch.get_default_dtype()) / 255).contiguous(memory_format=torch.channels_last)


def to_bytes(x: Tensor, quantise: str = "truncate") -> Tensor:
    """[0, 1] to uint8: `truncate`, as the authors' PNGs were written by torchvision's to_pil_image, or `round`."""
    x = x * 255
    return (x.round() if quantise == "round" else x).to(torch.uint8)


def resized(images: Tensor, size: int, mode: str) -> Tensor:
    """Return uint8 (N, C, H, W) at `size` pixels a side, rounded: averages over areas ("area"), or "bilinear"."""
    return F.interpolate(images.float(), (size, size), mode=mode).round().to(torch.uint8)


def batch_indices(n: int, batch_size: int, iteration: int, seed: int, stream: int) -> Tensor:
    """Return indices of the images of one iteration: shuffled epochs, incomplete last batch dropped (authors' loaders).

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
