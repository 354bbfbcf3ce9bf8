"""The `neighbours` step: the training images nearest to samples, and whether held-out images are as near."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..config.roles import AS_MANY, TRAIN, UNSEEN
from ..pipeline.job import Job, record_of
from ..utils.files import atomic
from ..utils.progress import progress

if TYPE_CHECKING:  # figures use this module without torch
    import torch

BLOCK = 1024  # images whose distances to all samples are computed at once
SLACK = 1e-4  # bound of the error of a squared distance in float32, relative to the squared lengths behind it
SPACES = {"pixels": "images.npy", "features": "features.npy"}


def write_neighbours(job: Job, device: "torch.device") -> None:
    """Write neighbours.csv: the k nearest training images of each sample, in each space, by rank, index and distance.

    If there are held-out images, it also has the nearest of these, and the nearest of as many training images, drawn by
    the seed: the samples of a model that has memorised its training images are nearer to the latter. Distances are
    Euclidean, between pixels in [0, 1] and between the extractor's features.
    """
    settings = job.settings
    rows = []
    for space, file in SPACES.items():
        suffix = "_features" if space == "features" else ""
        samples, train = (
            load_array(job, f"samples{suffix}", file)[: settings["n"]],
            load_array(job, f"train{suffix}", file),
        )
        searched: dict[str, tuple[Any, NDArray[np.intp] | None, int]] = {TRAIN: (train, None, settings["k"])}
        if "held_out" in job.spec["parents"]:
            held_out = load_array(job, f"held_out{suffix}", file)
            rng, as_many = np.random.default_rng(settings["seed"]), min(len(train), len(held_out))
            chosen = {
                AS_MANY: (train, np.sort(rng.choice(len(train), as_many, replace=False)), 1),
                UNSEEN: (held_out, np.sort(rng.choice(len(held_out), as_many, replace=False)), 1),
            }
            searched |= chosen
        for among, (images, chosen_rows, k) in searched.items():
            candidates = images if chosen_rows is None else images[chosen_rows]
            what = f"neighbours {job.spec['name']}, {space}, {among}"
            with progress(what, len(candidates)) as report:
                indices, distances = nearest(samples, candidates, min(k, len(candidates)), device, report)
            if chosen_rows is not None:
                indices = chosen_rows[indices]
            rows.append(neighbour_table(space, among, indices, distances))
    with atomic(job.folder / "neighbours.csv") as temporary:
        pd.concat(rows).to_csv(temporary, index=False, float_format="%.6g")
    of = record_of(job.parent("samples"))
    seen = record_of(job.parent("samples_features"))["extractor"]
    job.finish({**{key: of[key] for key in ("run", "seed", "sampler")}, **settings, "extractor": seen})


def load_array(job: Job, role: str, file: str) -> Any:
    return np.load(job.parent(role) / file, mmap_mode="r")


def neighbour_table(space: str, among: str, indices: NDArray[np.intp], distances: NDArray[np.float64]) -> pd.DataFrame:
    """Return (n, k) indices and distances as a table with a row per sample and rank."""
    n, k = indices.shape
    return pd.DataFrame(
        {
            "sample": np.repeat(np.arange(n), k),
            "space": space,
            "among": among,
            "rank": np.tile(np.arange(1, k + 1), n),
            "index": indices.ravel(),
            "distance": distances.ravel(),
        }
    )


def nearest(
    queries: NDArray[Any],
    images: NDArray[Any],
    k: int,
    device: "torch.device | str" = "cpu",
    report: Callable[[int], None] = lambda done: None,
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return the indices and ascending distances (n, k) of the k images nearest to each query, by an exact search.

    queries (n, ...) and images (N, ...) are floats, or uint8 pixels in units of 1/255. Matrix products in float32 on
    the device find all images that may be among the k nearest despite rounding errors; their distances are then
    computed in float64. Equal distances are sorted by index.
    """
    import torch

    from ..data.stored import cuts

    vectors = torch.from_numpy(flat(queries)).to(device)
    squared = vectors.square().sum(1)
    rough, largest = np.empty((len(queries), len(images)), np.float32), 0.0
    for part in cuts(len(images), BLOCK):
        block = torch.from_numpy(flat(images[part])).to(device)
        own = block.square().sum(1)
        rough[:, part] = (squared[:, None] + own - 2 * vectors @ block.T).cpu().numpy()
        largest = max(largest, float(own.max()))
        report(part.stop)
    slack = SLACK * (squared.cpu().numpy() + largest)
    indices, distances = np.empty((len(queries), k), np.intp), np.empty((len(queries), k))
    for row, (query, near) in enumerate(zip(queries, rough, strict=True)):
        candidates = np.flatnonzero(near <= np.partition(near, k - 1)[k - 1] + 2 * slack[row])
        exact = np.linalg.norm(flat(images[candidates], np.float64) - flat(query[None], np.float64), axis=1)
        order = np.lexsort((candidates, exact))[:k]
        indices[row], distances[row] = candidates[order], exact[order]
    return indices, distances


def flat(images: NDArray[Any], dtype: type = np.float32) -> NDArray[Any]:
    """Return images (n, ...) as vectors (n, d), with bytes converted to [0, 1] pixels."""
    vectors: NDArray[Any] = np.asarray(images).reshape(len(images), -1).astype(dtype)
    return vectors / 255 if images.dtype == np.uint8 else vectors
