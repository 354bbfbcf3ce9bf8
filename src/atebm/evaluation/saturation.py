"""Saturation: the share of an image's values that are as dark or as bright as possible."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..data.stored import Stored

BATCH = 1000  # images at once
BLACK, WHITE = 0, 255


def saturation(folder: Path, n: int | None = None) -> NDArray[np.float64]:
    """Return the shares of black and of white values in each of the first `n` images of a set, (n, 2)."""
    batches = Stored(folder, n=n).batches(BATCH)
    values = (batch.flatten(1) for batch in batches)
    shares = [[(value == level).double().mean(1).numpy() for level in (BLACK, WHITE)] for value in values]
    return np.concatenate([np.stack(both, axis=1) for both in shares])
