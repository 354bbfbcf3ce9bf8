"""Shorten a scale for `atebm rehearse`: fewer iterations, images and steps of samplers.

Networks, batches, K, recipes and sizes of images stay those of the scale.
"""

from collections import Counter
from copy import deepcopy
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

from ..config.base import whole
from ..config.consistency import requested_images
from ..config.detection import Detection
from ..config.evaluation import Classifier
from ..config.load import merge
from ..config.messages import resolve
from ..config.sampling import Sampler
from ..config.schema import Config
from ..config.sets import Counted, Drawn, OfClasses, OfN, Part
from ..config.training import Run
from ..data.miniatures import MULTIPLE
from ..evaluation.along import BATCH
from ..training.schedule import lengths
from .passes import sum_of_K

SCORED = 10  # samples behind a metric: as many as it has splits, and two for each of its blocks
MONITORED = 4  # samples of a check, where minutes count


@dataclass(frozen=True)
class Length:
    """The length of a shortened scale."""

    iterations: int  # of each training: the last one is monitored, the first ones are warming up
    batches: int  # of a sampler
    batch: int | None = None  # images in all batches; None: those of the scale
    K: int | None = None  # at most; None: the mean of a run

    def of(self, batch: int) -> int:
        """Return the images in a batch that has `batch` of them at the scale."""
        return min(batch, self.batch or batch)


ON_GPU = Length(iterations=8, batches=4)
ON_CPU = Length(iterations=4, batches=2, batch=2, K=3)  # where minutes count


def shortened(config: Config, overrides: list[str], root: Path, length: Length) -> Config:
    """Return the configuration of a checkout in short. Raises ConfigError as `resolve`."""
    merged, _ = merge(root, overrides)
    cuts = cut(config, length)
    first = resolve(laid_over(merged, cuts))
    cuts["sets"] = counts(first, length)
    return resolve(laid_over(merged, cuts))


def laid_over(base: dict[str, Any], cuts: dict[str, Any]) -> dict[str, Any]:
    """Return `base` with the values of `cuts`, at any depth."""
    from snakemake.utils import update_config

    made = deepcopy(base)
    update_config(made, cuts)
    return made


def cut(config: Config, length: Length) -> dict[str, Any]:
    """Return what of a scale is shorter in a rehearsal, but for the numbers of images in its sets."""
    return {
        "seeds": 1,
        "shards": 1,
        "replication": "training",
        "runs": {name: of_run(config, name, run, length) for name, run in config.runs.items()},
        "pretrainings": {
            name: {"weights": "trained", "epochs": 1, "batch_size": length.of(spec.batch_size), "min_accuracy": 0}
            for name, spec in config.pretrainings.items()
        },
        "extractors": {
            name: {"epochs": 1, "batch_size": length.of(spec.batch_size), "min_accuracy": 0}
            for name, spec in config.extractors.items()
            if isinstance(spec, Classifier)
        },
        "gans": {
            name: {"iterations": length.iterations, "batch_size": length.of(gan.batch_size), "n": SCORED}
            for name, gan in config.gans.items()
        },
        "samplers": {name: of_sampler(sampler, length) for name, sampler in config.samplers.items()},
        "ascents": {
            name: {
                "n": 2,
                "motion": min(ascent.motion, 2),
                "steps": [0, 2],
                "distances": ascent.distances and SCORED,
            }
            for name, ascent in config.ascents.items()
        },
        "neighbours": {"n": 2, "k": 2},
        "metrics": {"n": SCORED},
        "detection": {name: of_detection(spec, length) for name, spec in config.detection.items()},
        "timing": {"images": length.of(config.timing.images), "steps": 2},
        "toy": {"iterations": 4, "seeds": 1},
        "minimax": {"outer": 4, "seeds": 1},
    }


def of_sampler(sampler: Sampler, length: Length) -> dict[str, Any]:
    batch = length.of(sampler.batch_size)
    return {"steps": 2, "batch_size": batch, "n": max(SCORED, length.batches * batch)}


def of_detection(spec: Detection, length: Length) -> dict[str, Any]:
    """Return what of attacks is shorter; as many restarts as the scale has are computed at once, and so take memory."""
    few = {"auto_pgd": {"steps": 2}, "pgd": {"steps": 2}, "square": {"queries": 2}}
    batch = length.of(spec.batch_size)
    return {"n": batch, "batch_size": batch, "radii": list(spec.radii[:1]), "steps": [2], **few}


def of_run(config: Config, name: str, run: Run, length: Length) -> dict[str, Any]:
    """Return what of a run is shorter: K is its mean over the run, as far as it may be."""
    if run.weights != "trained":  # what it is read from is not here, so a network with other weights is
        nothing = {"in_attack": None, "r1": 0, "monitor": None, "batch_size": length.of(run.batch_size)}
        return nothing | {"weights": "trained", "schedule": {"K_start": 0, "K_max": 0, "iterations": 1}}
    per_K, total = lengths(run, config.sets[config.tasks[run.task].p_data].images)
    mean = round(sum_of_K(run.schedule.model_dump(), per_K, total) / total)
    K = mean if length.K is None else min(mean, length.K)
    cuts: dict[str, Any] = {
        "in_attack": whole(run.in_attack),  # which a run that it is like may have lost
        "r1": run.r1,
        "schedule": {"K_start": K, "K_max": K, "iterations": length.iterations},
        "batch_size": length.of(run.batch_size),
    }
    if run.monitor:
        n = min(run.monitor.n, BATCH if length.batch is None else MONITORED)
        cuts["monitor"] = whole(run.monitor) | {"every": length.iterations, "start": 0, "n": n}
    return cuts


def counts(config: Config, length: Length) -> dict[str, dict[str, int]]:
    """Return the images of each set that has a choice, as many as a shortened configuration asks it for."""
    wanted = Counter(dict.fromkeys(config.sets, MULTIPLE))
    for (section, *_), n, name in requested_images(config):
        if section != "sets":
            wanted[name] = max(wanted[name], n)
    for trained in config.pretrainings.values():  # of one epoch
        wanted[trained.p_data] = max(wanted[trained.p_data], length.iterations * trained.batch_size)
    parts = {name: spec for name, spec in config.sets.items() if isinstance(spec, Part)}
    for name, spec in sorted(
        parts.items(), key=lambda item: isinstance(item[1], OfClasses)
    ):  # which are drawn from, too
        share = len(spec.classes) / config.labels_of(spec.of) if isinstance(spec, OfClasses) else 1
        wanted[spec.of] = max(wanted[spec.of], ceil(wanted[name] / share))
    images = {name: MULTIPLE * ceil(n / MULTIPLE) for name, n in wanted.items()}
    return {name: of_set(config, name, images) for name in images}


def of_set(config: Config, name: str, images: dict[str, int]) -> dict[str, int]:
    """Return the keys of a set that say how many images it has."""
    spec = config.sets[name]
    if isinstance(spec, OfClasses):  # of miniatures, which have all classes in turn
        of, labels = config.sets[spec.of], config.labels_of(spec.of)
        return {"count": images[spec.of] * len(spec.classes) // labels} if isinstance(of, Counted) else {}
    if isinstance(spec, Counted):
        return {"count": images[name]}
    return {"n": images[name], **({"skip": 0} if isinstance(spec, Drawn) else {})} if isinstance(spec, OfN) else {}
