"""Open the batches of a training: a set, this process's rows of each batch, and their augmentation."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..config.augment import Augment
from ..data.stream import Recipe, Stream, open_stream, watched
from .distributed import Group


@contextmanager
def batches(
    folder: Path,
    how: Augment,
    batch_size: int,
    key: tuple[int, int],
    device: torch.device,
    group: Group,
    shape: tuple[int, ...] | None = None,
) -> Iterator[Stream]:
    """Open this process's rows of each batch of a set, augmented as `how` says; workers end with the block.

    key: seed and random stream; together with the iteration they determine a batch. shape: see `open_stream`.
    Raises ConfigError if the group cannot share a batch evenly, and DataError if an image file is damaged.
    """
    recipe = Recipe(how.model_dump(), batch_size, group.rows(batch_size), *key)
    with watched(), closing(open_stream(folder, recipe, device, group.size, shape)) as opened:
        yield opened


def load_labels(folder: Path) -> Tensor:
    """Read the labels (n,) of a set."""
    return torch.from_numpy(np.load(folder / "labels.npy"))
