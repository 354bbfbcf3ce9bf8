"""The `timing` step: how long it takes this machine to draw some samples (supplement Table 6)."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.utils.benchmark import timer

from ..attacks.pgd import pgd
from ..data.stored import Stored, to_bytes, to_float
from ..device.select import device_name, name_hardware
from ..models.folding import frozen
from ..models.weights import load_model
from ..pipeline.job import Job, record_of
from ..utils.errors import ResultError

WARM_UP = 1  # calls before those that count


def write_timing(job: Job, device: torch.device) -> None:
    """Write median and quartiles of the wall-clock seconds of one batch of samples, and the device.

    From source images as bytes to samples as bytes, loading left out. The one kind of step whose result is not a
    function of its spec: the numbers are of this device at this moment. The record is sealed like all others, and a
    step that is there is not measured again. Raises ResultError where there are fewer source images than wanted.
    """
    settings = job.settings
    torch.set_num_threads(1)  # as samples are drawn, however many cores are kept free of other jobs
    sources = Stored(job.parent("sources"), device, settings["images"]).resident()
    if len(sources) < settings["images"]:
        raise ResultError(
            f"{job.spec['name']} is to draw {settings['images']} samples, but {job.parent('sources').name} has "
            f"{len(sources)} source images: give the set more."
        )
    model, train = load_model(job, device), record_of(job.parent("model"))
    with frozen(model):

        def draw() -> Tensor:
            return to_bytes(pgd(model, to_float(sources), settings["steps"], settings["step_size"]))

        seconds = [once(draw) for _ in range(WARM_UP + settings["repeats"])][WARM_UP:]
    lower, median, upper = np.quantile(seconds, [0.25, 0.5, 0.75]).tolist()
    job.finish(
        {
            **settings,
            **{key: train[key] for key in ("run", "seed", "network", "shape")},
            "seconds": seconds,
            "median_seconds": median,
            "quartiles_seconds": [lower, upper],
            "samples_per_second": settings["images"] / median,
            "device": device_name(device),
            "hardware": name_hardware(device),
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
        }
    )


def once(draw: Callable[[], Tensor]) -> float:
    """Return seconds of one call, by a clock that waits for the device."""
    start = timer()
    draw()
    return timer() - start
