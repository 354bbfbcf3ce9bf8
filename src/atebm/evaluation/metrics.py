"""The `metric` step: one number, its interval, and the facts needed to judge it."""

import math
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..archives.catalogue import ARCHIVES, find
from ..archives.members import reading
from ..config.evaluation import METRICS
from ..pipeline.job import Job, described, record_of
from ..utils.errors import ResultError
from ..utils.npy import Rows
from .agreement import agreement_in_words
from .frechet import Gaussian, frechet_distance
from .inception_score import split_scores
from .intervals import share_half_width, t_half_width


def write_metric(job: Job) -> None:
    """Score a `features` step, or images themselves, and write metric.json.

    Raises ResultError if there are fewer than `n` images.
    """
    settings, metric = job.settings, METRICS[job.settings["metric"]]
    scored = job.parent(metric.looks_at)
    record = record_of(scored)
    if record["n"] < settings["n"]:
        raise ResultError(f"{job.spec['name']} needs {settings['n']} images, but {scored.name} has {record['n']}.")
    seen: dict[str, Any] = {"images": described(record)}
    if metric.looks_at == "features":
        seen = {"images": record["images"], "extractor": record["extractor"]}
    kind = seen["extractor"]["kind"] if "extractor" in seen else ""
    result: dict[str, Any] = resolve_name(metric.function)(job)
    job.finish(
        {
            "name": metric.named(kind, settings["n"]),
            **result,
            "metric": settings["metric"],
            "n_samples": settings["n"],
            **seen,
            "standin": kind not in ("inception", ""),
        }
    )


def frechet(job: Job) -> dict[str, Any]:
    """Return the Frechet distance to the reference at N, the half-width of its interval, and the distance at N/2.

    The distance of few images is biased upwards, and a bootstrap of it even more. Hence disjoint blocks of images only
    give the width of the 95 % interval: t(0.975) * s / sqrt(blocks), with s the standard deviation of the blocks'
    distances.
    """
    n = job.settings["n"]
    features = Rows.of(job.parent("features") / "features.npy", n)
    reference_features = Rows.of(job.parent("reference") / "features.npy")
    reference = Gaussian.of(reference_features)
    blocks = [frechet_distance(Gaussian.of(block), reference) for block in features.split(job.settings["blocks"])]
    return {
        "value": frechet_distance(Gaussian.of(features), reference),
        "ci95": t_half_width(blocks),
        "value_at_half": frechet_distance(Gaussian.of(features.first(n // 2)), reference),
        "blocks": blocks,
        "n_reference": len(reference_features),
        "reference": record_of(job.parent("reference"))["images"],
    }


def inception_score(job: Job) -> dict[str, Any]:
    """Return the mean over splits, and the half-width of its 95 % t-interval over the same splits."""
    scores = split_scores(load_first(job.parent("features") / "logits.npy", job.settings["n"]), job.settings["splits"])
    return {
        "value": float(scores.mean()),
        "ci95": t_half_width(scores.tolist()),
        "splits": scores.tolist(),
    }


def class_shares(job: Job) -> dict[str, Any]:
    """Return the smallest share of a class among the extractor's predictions, which reveals a missing class."""
    logits = load_first(job.parent("features") / "logits.npy", job.settings["n"])
    classes = record_of(job.parent("features"))["extractor"]["classes"]
    shares = np.bincount(logits.argmax(1), minlength=len(classes)) / len(logits)
    return {
        "value": float(shares.min()),
        "shares": dict(zip(classes, shares.tolist(), strict=True)),
    }


def kid(job: Job) -> dict[str, Any]:
    """Return the kernel distance to the reference (Binkowski et al. 2018), by torch-fidelity's protocol and code.

    It is the mean over random subsets of both sides, and unbiased, so it is comparable at any N. The spread of the
    subsets says little, since they overlap, more so with fewer images. As for the Frechet distance, disjoint blocks of
    images give the width of the interval; they share the number of subsets.
    """
    from torch_fidelity.defaults import DEFAULTS

    features = load_first(job.parent("features") / "features.npy", job.settings["n"])
    reference = np.load(job.parent("reference") / "features.npy", mmap_mode="c")
    parts = np.array_split(features, job.settings["blocks"])
    subsets, size = DEFAULTS["kid_subsets"], min(DEFAULTS["kid_subset_size"], len(parts[-1]), len(reference))
    blocks = [kernel_distance(part, reference, math.ceil(subsets / len(parts)), size) for part in parts]
    return {
        "value": kernel_distance(features, reference, subsets, size),
        "ci95": t_half_width(blocks),
        "blocks": blocks,
        "subset_size": size,
        "n_reference": len(reference),
        "reference": record_of(job.parent("reference"))["images"],
    }


def kernel_distance(a: NDArray[np.float32], b: NDArray[np.float32], subsets: int, size: int) -> float:
    """Return the KID of features (N, d) and (M, d): the mean over `subsets` random subsets of `size` rows of each."""
    import torch
    from torch_fidelity.metric_kid import KEY_METRIC_KID_MEAN, kid_features_to_metric

    tensors = (torch.from_numpy(features) for features in (a, b))
    found = kid_features_to_metric(*tensors, kid_subsets=subsets, kid_subset_size=size, verbose=False)
    return float(found[KEY_METRIC_KID_MEAN])


def precision(job: Job) -> dict[str, Any]:
    """Return the share of samples that are near real images (Kynkaanniemi et al. 2019), a measure of quality."""
    return shares_near(job, 0)


def recall(job: Job) -> dict[str, Any]:
    """Return the share of real images that are near samples (Kynkaanniemi et al. 2019), a measure of coverage."""
    return shares_near(job, 1)


def shares_near(job: Job, which: int) -> dict[str, Any]:
    """Return precision (0) or recall (1) of samples and as many real images; the interval takes the balls as given."""
    from .precision_recall import K, drawn, precision_recall  # needs torch-fidelity, which drawing jobs lack

    features = load_first(job.parent("features") / "features.npy", job.settings["n"])
    reference = np.load(job.parent("reference") / "features.npy", mmap_mode="r")
    real = reference[drawn(len(reference), len(features))]
    share = precision_recall(features, real)[which]
    return {
        "value": share,
        "ci95": share_half_width(share, len((features, real)[which])),
        "neighbours": K,
        "n_reference": len(real),
        "reference": record_of(job.parent("reference"))["images"],
    }


def saturation(job: Job) -> dict[str, Any]:
    """Return the share of black and white pixels, and that of p_data, since clothes have a black background."""
    from .saturation import saturation

    shares, real = saturation(job.parent("images"), job.settings["n"]), saturation(job.parent("reference"))
    return {
        "value": float(shares.sum(1).mean()),
        "ci95": t_half_width(shares.sum(1).tolist()),
        "shares": dict(zip(("black", "white"), shares.mean(0).tolist(), strict=True)),
        "value_of_reference": float(real.sum(1).mean()),
        "n_reference": len(real),
        "reference": described(record_of(job.parent("reference"))),
    }


def agreement(job: Job) -> dict[str, Any]:
    """Return the Frechet distance between our features of a set and published statistics, and if it is small enough.

    `within` is false, and the log has a warning, unless the distance is below max_distance: this reveals differences in
    the preparation of images, the resizing or the weights. Raises DataError if the statistics are missing or damaged.
    """
    from ..archives.verify import verify_file  # imports every reader, and drawing jobs have no lmdb
    from ..data.readers.arrays import npz_arrays

    (source,) = find(job.settings["archive"])
    path = ARCHIVES / source.file
    checksums = verify_file(path)
    ours = Gaussian.of(Rows.of(job.parent("features") / "features.npy"))
    d = len(ours.mean)
    with reading(path, "mu or sigma"):
        published = Gaussian(*npz_arrays(path, {"mu": (d,), "sigma": (d, d)}))
        if not (np.isfinite(published.mean).all() and np.isfinite(published.covariance).all()):
            raise ValueError("some numbers are not finite")
    distance, most = frechet_distance(ours, published), job.settings["max_distance"]
    found = {
        "value": distance,
        "max_distance": most,
        "within": distance < most,
        "archive": {source.file: checksums},
    }
    message = agreement_in_words(found | {"images": record_of(job.parent("features"))["images"]})
    print(message if found["within"] else f"warning: {message}", flush=True)
    return found


def load_first(path: Path, n: int) -> NDArray[np.float32]:
    return np.load(path, mmap_mode="c")[:n]  # never written to, but torch requires writable arrays
