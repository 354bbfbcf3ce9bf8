"""The batch of one iteration: who draws it is all that differs between trainings."""

from typing import Any

from torch import Tensor

from ..data.augment import augment
from ..data.loader import batch_indices
from .distributed import Group


def draw(
    images: Tensor, how: dict[str, Any], batch_size: int, key: tuple[int, int, int], group: Group
) -> tuple[Tensor, Tensor]:
    """This process's rows of a batch: augmented as `how` says, floats (b, C, H, W) in [0, 1], and their indices (b,).

    images: uint8 (N, C, H, W); key: seed, random stream and iteration, of which all of it is a pure function.
    """
    seed, stream, iteration = key
    rows = group.rows(batch_size)
    order = batch_indices(len(images), batch_size, iteration, seed, stream)
    indices = order[rows.start : rows.stop].to(images.device)
    return augment(images[indices], how, key, rows, batch_size), indices
