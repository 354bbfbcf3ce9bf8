"""Run the `overview` step: show samples of a run on your images, and how well its model detects other images."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from ..config.roles import CLEAN, HELD_OUT, IN, WORST
from ..pipeline.job import Job, record_of
from ..utils.files import atomic

COLUMNS = 10
SHOWN = 48  # images are enlarged to about this many pixels a side
GAP = 2  # pixels between images


def write_overview(job: Job) -> None:
    """Write samples.png and a record with the AUROC of each out-of-distribution set, clean and in the worst case.

    The picture has a row of held-out images, then rows of sources, each above the samples made from them.
    """
    n, record = job.settings["n"], record_of(job.parent("detection"))
    held_out, sources, samples = (images_of(job.parent(role), n) for role in ("held_out", "sources", "samples"))
    rows = [held_out[:COLUMNS]]
    for start in range(0, n, COLUMNS):
        rows += [images[start : start + COLUMNS] for images in (sources, samples)]
    picture = tiled(rows)
    with atomic(job.folder / "samples.png") as temporary:
        Image.fromarray(picture[..., 0] if picture.shape[-1] == 1 else picture).save(temporary, format="PNG")
    job.finish({"run": record["run"], "seed": record["seed"], "n": n, "auroc": aurocs(job.parent("detection"))})


def images_of(folder: Path, n: int) -> NDArray[np.uint8]:
    return np.load(folder / "images.npy", mmap_mode="r")[:n]


def tiled(rows: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Return one picture (height, width, C) of rows of images (n, H, W, C), n <= COLUMNS, enlarged, with white gaps."""
    height, width, channels = rows[0].shape[1:]
    factor = max(1, SHOWN // width)
    high, wide = height * factor, width * factor
    whole = np.full((len(rows) * (high + GAP) + GAP, COLUMNS * (wide + GAP) + GAP, channels), 255, np.uint8)
    for i, row in enumerate(rows):
        for j, image in enumerate(row):
            top, left = i * (high + GAP) + GAP, j * (wide + GAP) + GAP
            whole[top : top + high, left : left + wide] = image.repeat(factor, 0).repeat(factor, 1)
    return whole


def aurocs(folder: Path) -> dict[str, dict[str, Any]]:
    """Return each set's AUROC against held-out images, clean and in the worst case."""
    frame = pd.read_csv(folder / "detection.csv")
    frame = frame[frame["in"] == (HELD_OUT if HELD_OUT in set(frame["in"]) else IN)]
    table = frame.pivot(index="row", columns="attack", values="auroc")
    return {str(row): {attack: float(table.loc[row, attack]) for attack in (CLEAN, WORST)} for row in table.index}
