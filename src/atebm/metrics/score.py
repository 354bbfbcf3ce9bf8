"""The `metric` step: one number with its interval, and all that is needed to judge it. No torch."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ..errors import ResultError
from ..job import Job, record_of
from .frechet import Gaussian, frechet_distance
from .inception_score import split_scores


def write_metric(job: Job) -> None:
    """Score a `features` step and write metric.json. Raises ResultError where it has less than `n` images."""
    settings, features = job.settings, job.parent("features")
    record = record_of(features)
    if record["n"] < settings["n"]:
        raise ResultError(f"{job.spec['name']} wants {settings['n']} images, {features.name} has {record['n']}.")
    standin = record["extractor"]["kind"] != "inception"
    result = METRICS[settings["metric"]](job, standin)
    job.finish(
        {
            **result,
            "metric": settings["metric"],
            "n_samples": settings["n"],
            "images": record["images"],
            "extractor": record["extractor"],
            "standin": standin,
        }
    )


def frechet(job: Job, standin: bool) -> dict[str, Any]:
    """Distance to the reference at N; half of a 95 % interval from disjoint blocks of images; distance at N/2.

    A Frechet distance of few images is biased upwards, and a bootstrap of it more so. Hence the interval only takes
    its width from the blocks: t(0.975) * s / sqrt(blocks), s the standard deviation of the blocks' distances.
    """
    features, n = load_first(job.parent("features") / "features.npy", job.settings["n"]), job.settings["n"]
    reference_features = np.load(job.parent("reference") / "features.npy", mmap_mode="r")
    reference = Gaussian.of(reference_features)
    blocks = [
        frechet_distance(Gaussian.of(block), reference) for block in np.array_split(features, job.settings["blocks"])
    ]
    return {
        "name": "Frechet distance (stand-in)" if standin else "FID",
        "value": frechet_distance(Gaussian.of(features), reference),
        "ci95": t_half_width(blocks),
        "value_at_half": frechet_distance(Gaussian.of(features[: n // 2]), reference),
        "blocks": blocks,
        "n_reference": len(reference_features),
        "reference": record_of(job.parent("reference"))["images"],
    }


def inception_score(job: Job, standin: bool) -> dict[str, Any]:
    """Mean over splits, with the 95 % t-interval's half-width over the same splits."""
    scores = split_scores(load_first(job.parent("features") / "logits.npy", job.settings["n"]), job.settings["splits"])
    return {
        "name": "inception-style score (stand-in)" if standin else "IS",
        "value": float(scores.mean()),
        "ci95": t_half_width(scores.tolist()),
        "splits": scores.tolist(),
    }


def class_shares(job: Job, standin: bool) -> dict[str, Any]:
    """The smallest share of a class among the extractor's predictions: does the sampler miss a class?"""
    logits = load_first(job.parent("features") / "logits.npy", job.settings["n"])
    classes = record_of(job.parent("features"))["extractor"]["classes"]
    shares = np.bincount(logits.argmax(1), minlength=len(classes)) / len(logits)
    return {
        "name": "smallest class share",
        "value": float(shares.min()),
        "shares": dict(zip(classes, shares.tolist(), strict=True)),
    }


METRICS = {"frechet": frechet, "inception_score": inception_score, "class_shares": class_shares}


def load_first(path: Path, n: int) -> NDArray[np.float32]:
    return np.load(path, mmap_mode="r")[:n]


def t_half_width(values: Sequence[float]) -> float:
    """Half of the 95 % t-interval of the mean of at least two values."""
    n = len(values)
    return float(stats.t.ppf(0.975, n - 1) * np.std(values, ddof=1) / math.sqrt(n))
