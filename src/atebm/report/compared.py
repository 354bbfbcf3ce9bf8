"""Images before and after their ascent, which the page compares."""

from collections.abc import Iterator

import numpy as np

from ..pipeline.artifacts import ARTIFACTS
from .needs import Needs, Result

COMPARED = 24  # images of a pair of grids
Compared = tuple[str, Result, list[np.ndarray]]  # what they show, the step they are of, and uint8 (n, H, W, C) twice


def compared(needs: Needs) -> Iterator[Compared]:
    """Yield what can be compared in an artifact: nothing where it does not say how the two are called."""
    if ARTIFACTS[needs.request["artifact"]].compares is None:
        return
    sources = needs.under("sources")
    for sampler, sample in needs.under("samples").items():
        if sampler in sources:
            images = [result.images[:COMPARED] for result in (sources[sampler], sample)]
            yield needs.name(sample.record["run"]), sample, images
    for ascent in needs.under("ascent").values():
        frames = ascent.array("frames.npy")[:COMPARED]
        yield climbed(needs, ascent), ascent, [frames[:, 0], frames[:, -1]]


def climbed(needs: Needs, ascent: Result) -> str:
    """Say what an ascent shows: of what set, by whose model."""
    record = ascent.record
    start, task = record["start"]["name"], needs.name(record["run"])
    if start in ("noisy", "occluded"):
        return f"{task}: {'denoising' if start == 'noisy' else 'inpainting'}"
    if record["others"]:
        return " and ".join(needs.name(run) for run in (record["run"], *record["others"]))
    return f"{record['set']} to {task}"
