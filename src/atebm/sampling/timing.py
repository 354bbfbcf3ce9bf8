"""Compute the `timing` step: the time that this machine takes to draw samples (supplement Table 6)."""

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

WARM_UP = 1  # calls before those that are measured


def write_timing(job: Job, device: torch.device) -> None:
    """Write median and quartiles of the wall-clock seconds of one batch of samples, and the device.

    The time covers everything from source images as bytes to samples as bytes, without loading. This is the only kind
    of step whose result does not follow from its spec: the numbers are for this device at this moment. The record is
    sealed like all others, and an existing step is not measured again. Raises ResultError if there are too few source
    images.
    """
    settings = job.settings
    torch.set_num_threads(1)  # samples are drawn with one thread, however many cores other jobs leave free
    sources = Stored(job.parent("sources"), device, settings["images"]).resident()
    if len(sources) < settings["images"]:
        raise ResultError(
            f"{job.spec['name']} must draw {settings['images']} samples, but {job.parent('sources').name} has only "
            f"{len(sources)} source images: add images to the set."
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
    """Return the seconds of one call, by a clock that waits for the device."""
    start = timer()
    draw()
    return timer() - start
