"""Features of samples at several sampler lengths, from one ascent."""

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from ..attacks.langevin import sampler
from ..attacks.pgd import Logit, Step, pgd_step
from ..data.stored import to_bytes, to_float
from ..device.out_of_memory import work_in_halves
from ..device.precision import computed_in
from .features import Extractor, extract

BATCH = 250  # images per forward pass


def on_the_way(
    f: Logit,
    extractor: Extractor,
    sources: Tensor,
    steps: Sequence[int],
    step_size: float,
    noise: float | None = None,
    first: int = 0,
    step: Step = pgd_step,
) -> list[np.ndarray]:
    """Return the features of the samples of one batch of uint8 sources (b, C, H, W): (b, d) per number of steps.

    With `noise`, the samples are made by Langevin dynamics; `first` is the number of the first source. The extractor
    computes in float32 even if samples are made in another precision, so that distances are comparable.
    """

    def work(rows: slice) -> list[np.ndarray]:
        images = range(first + rows.start, first + rows.stop)
        seen = []
        for _, x in sampler(f, to_float(sources[rows]), steps, step_size, noise, images, step):
            with computed_in("fp32", x.device):
                seen.append(extract(extractor, to_bytes(x).split(extractor.batch))[0])
        return seen

    return work_in_halves("samples and their features", work, slice(0, len(sources)))
