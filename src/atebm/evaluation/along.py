"""Features of samples at several sampler lengths, from one ascent."""

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from ..attacks.langevin import sampler
from ..attacks.pgd import Logit
from ..data.stored import to_bytes, to_float
from ..device.out_of_memory import work_in_halves
from .features import Extractor, extract

BATCH = 250  # images a forward pass


def on_the_way(
    f: Logit,
    extractor: Extractor,
    sources: Tensor,
    steps: Sequence[int],
    step_size: float,
    noise: float | None = None,
    first: int = 0,
) -> list[np.ndarray]:
    """Return the features of the samples of one batch of uint8 sources (b, C, H, W): (b, d) per number of steps.

    With `noise`, the samples are those of Langevin dynamics; `first` is the number of the first source.
    """

    def work(rows: slice) -> list[np.ndarray]:
        images = range(first + rows.start, first + rows.stop)
        ascent = sampler(f, to_float(sources[rows]), steps, step_size, noise, images)
        return [extract(extractor, to_bytes(x).split(extractor.batch))[0] for _, x in ascent]

    return work_in_halves(work, slice(0, len(sources)))
