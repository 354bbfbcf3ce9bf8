"""Prepared sets on disk, conversion between bytes and floats, and the order of images, which is a pure function."""

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
    """The first `n` images (by default all) of a prepared set on disk; parts are moved to the device on demand.

    `stored[rows]`, with a slice or indices (b,), is uint8 (b, C, H, W). The file is mapped again for each part, since
    the pages of a mapping count as memory of this process as long as the mapping exists.
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
        """Yield all images, `size` at once."""
        return (self[rows] for rows in cuts(len(self), size))

    def resident(self) -> Tensor:
        """Return all images on the device; they are moved in parts, so that the host needs no second copy."""
        whole = torch.empty(len(self), *self.shape, dtype=torch.uint8, device=self.device)
        for part in cuts(len(self), PART):
            whole[part] = self[part]
        return whole


PART = 4096  # images moved at once


def cuts(n: int, size: int) -> list[slice]:
    """Return slices of `size` images that cover `n` images; the last one may be shorter."""
    return [slice(start, min(start + size, n)) for start in range(0, n, size)]


def dealt(batches: Sequence[Batch], shard: str) -> list[Batch]:
    """Return the batches of shard "i-of-k".

    The batches do not depend on the number of shards, so each image is always computed in the same batch, and the
    number of shards changes no byte.
    """
    index, count = map(int, shard.split("-of-"))
    return [batches[number] for number in np.array_split(np.arange(len(batches)), count)[index]]


def moved(tensor: Tensor, device: torch.device) -> Tensor:
    """Return `tensor` on a device; it is moved from pinned memory, so that the host does not wait for a GPU."""
    if device.type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


def to_float(images: Tensor) -> Tensor:
    """Convert uint8 to float32 in [0, 1], in the memory layout that `Classifier.on` gives to weights."""
    return (images.to(torch.get_default_dtype()) / 255).contiguous(memory_format=torch.channels_last)


def to_bytes(x: Tensor, quantise: str = "truncate") -> Tensor:
    """Convert [0, 1] to uint8: `truncate` as torchvision's to_pil_image, which wrote the authors' PNGs, or `round`."""
    x = x * 255
    return (x.round() if quantise == "round" else x).to(torch.uint8)


def resized(images: Tensor, size: int, mode: str) -> Tensor:
    """Return images resized to uint8 (N, C, size, size), rounded; mode is "area" (averages) or "bilinear"."""
    return F.interpolate(images.float(), (size, size), mode=mode).round().to(torch.uint8)


def batch_indices(n: int, batch_size: int, iteration: int, seed: int, stream: int) -> Tensor:
    """Return the image indices of one iteration, from shuffled epochs without an incomplete last batch.

    It is a pure function of its arguments, so that a resumed run gets the same batches as an uninterrupted one. Source:
    the authors' loaders. Raises ValueError if the set is smaller than a batch.
    """
    if n < batch_size:
        raise ValueError(f"a batch of {batch_size} is larger than the set of {n} images")
    epoch, position = divmod(iteration, n // batch_size)
    return _epoch_order(n, seed, stream, epoch)[position * batch_size : (position + 1) * batch_size]


@lru_cache(maxsize=4)  # one entry per stream in use: shuffling a million images in each iteration would be slow
def _epoch_order(n: int, seed: int, stream: int, epoch: int) -> Tensor:
    return torch.randperm(n, generator=generator(seed, stream, epoch))
