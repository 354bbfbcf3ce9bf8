"""The figures that are samples: over their sources, in grids, and beside their nearest training images."""

from collections.abc import Sequence
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..config.roles import TRAIN
from ..pipeline.job import record_of
from ..pipeline.tasks import TASKS_256
from ..utils.pictures import animate
from .drawing import canvas, draw_strips, heading, saved, title
from .needs import Needs
from .neighbours import compared, ratios

COLUMNS = {True: 20, False: 10}  # of a grid, by whether images are small
SMALL = 64  # pixels a side
ROWS = 4
SHOWN = 12  # images of Figs. 6, S3 and S8 to S10


def figS2(plan: str, out: str) -> pd.DataFrame:
    """Draw Fig. S2, the first samples of the run below their sources, to `out` (.png), .svg and .csv; return the frame.

    One row a sample: the source's label (its photograph, where the sources are crops), the extractor's class of the
    sample, f before and after the ascent, and the L2 distance moved, in [0, 1] pixel units. `out` as .gif shows the
    way of some of them.
    """
    needs = Needs.read(plan)
    (sample,), (sources,), (features,), (motion,) = map(needs.folder, ("sample", "data", "features", "ascent"))
    record = record_of(sample)
    columns = columns_of(sample)
    n = min(columns * ROWS, record["n"])
    frame = paths(sample, sources, n)
    predicted, classes = np.load(features / "logits.npy")[:n].argmax(1), record_of(features)["extractor"]["classes"]
    frame.insert(2, "predicted_class", [classes[label] for label in predicted])
    above, below = (images_of(folder)[:n] for folder in (sources, sample))
    figure = canvas(12, 6)
    pairs = ceil(n / columns)
    for pair, axis in enumerate(np.atleast_1d(figure.subplots(pairs, 1))):
        part = slice(pair * columns, (pair + 1) * columns)
        draw_strips(axis, {"source": above[part], "sample": below[part]})
    title(
        figure,
        f"{needs.introduction('cifar10')}\nUncurated: the first samples of seed {record['seed']}. {how(needs, record)}",
    )
    animate(np.load(motion / "motion.npy"), Path(out).with_suffix(".gif"))
    return saved(figure, frame, out)


def fig6(plan: str, out: str) -> pd.DataFrame:
    """Draw Fig. 6, samples of three tasks below their sources, to `out` (.png), .svg and .csv; return the frame.

    A row per sample, as in Fig. S2. None is chosen: they are the first.
    """
    needs = Needs.read(plan)
    samples = {record_of(folder)["run"]: folder for folder in needs.folder("sample")}
    sources = {record_of(folder)["set"]: folder for folder in needs.folder("data")}
    figure = canvas(12, 7.2)
    frames = []
    for axis, run in zip(figure.subplots(len(TASKS_256), 1), TASKS_256, strict=True):
        sample, task = samples[run], needs.task(run)
        draw_strips(axis, {"source": images_of(sources[task["sources"]])[:SHOWN], "sample": images_of(sample)[:SHOWN]})
        heading(axis, f"{needs.introduction(run)} {how(needs, record_of(sample))}")
        frames.append(paths(sample, sources[task["sources"]], SHOWN).assign(run=run))
    seed = record_of(samples[TASKS_256[0]])["seed"]
    title(figure, f"Scale {needs.scale}: the first samples of seed {seed}, none chosen, below their sources.")
    return saved(figure, pd.concat(frames, ignore_index=True), out)


def grid(plan: str, out: str) -> pd.DataFrame:
    """Draw Figs. S4 to S7, an uncurated grid of samples, to `out` (.png), .svg and .csv; return the frame.

    A row per sample, as in Fig. S2. The title has the distance of many such samples, and of those from sharp sources
    where these were blurred.
    """
    needs = Needs.read(plan)
    (sample,), (sources,) = needs.folder("sample"), needs.folder("data")
    record, distances = record_of(sample), {r["images"]["sampler"]: r for r in needs.records("metric")}
    n = min(columns_of(sample) * ROWS, record["n"])
    mine = distances.pop(record["sampler"])
    words = [
        f"{needs.introduction(record['run'])}\nUncurated: the first samples of seed {record['seed']}. "
        f"{how(needs, record)} {mine['name']} of {mine['n_samples']}: {mine['value']:.4g} ± {mine['ci95']:.2g}."
    ]
    if blur := needs.spec(sample)["settings"]["blur"]:
        (sharp,) = distances.values()
        words.append(f"Sources blurred first, sigma {blur:g} pixels; from sharp ones: {sharp['value']:.4g}.")
    figure = draw_grid(images_of(sample)[:n], columns_of(sample), " ".join(words))
    return saved(figure, paths(sample, sources, n), out)


figS4 = figS5 = figS6 = figS7 = grid


def figS21(plan: str, out: str) -> pd.DataFrame:
    """Draw Fig. S21, the sources of the samples in Figs. S4 to S7, in their order, to `out` (.png), .svg and .csv.

    Returns the frame: a row per image, with its label (its photograph, where the sources are crops).
    """
    needs = Needs.read(plan)
    (sources,) = needs.folder("data")
    n = min(columns_of(sources) * ROWS, len(images_of(sources)))
    figure = draw_grid(
        images_of(sources)[:n],
        columns_of(sources),
        f"Scale {needs.scale}: the source images of Figs. S4 to S7 in the same order: "
        f"{needs.set_title(record_of(sources)['set'])}, of which training saw {seen(needs)}.",
    )
    return saved(figure, pd.DataFrame({"image": range(n), "source": labels(sources, n)}), out)


def seen(needs: Needs) -> str:
    """Say whether the sources of the 256x256 tasks are images of the p_0 that training saw."""
    task = needs.task("celebahq256")
    same = needs.set_title(task["sources"]) == needs.set_title(task["p_0"])
    return "all, since they are drawn from p_0" if same else f"none: p_0 is {needs.set_title(task['p_0'])}"


def draw_grid(images: np.ndarray, columns: int, caption: str) -> Any:
    """Images (n, H, W, C), uint8, in rows."""
    rows = ceil(len(images) / columns)
    figure = canvas(12, 0.8 + 12 * rows / columns)
    draw_strips(figure.subplots(), {" " * row: images[row * columns : (row + 1) * columns] for row in range(rows)})
    title(figure, caption)
    return figure


def neighbours(plan: str, out: str) -> pd.DataFrame:
    """Draw Figs. S3 and S8 to S10, samples above their nearest training images, to `out` (.png), .svg and .csv.

    Returns the frame: a row per sample, space (pixels; features of the extractor) and neighbour, and beside these the
    nearest of as many training as held-out images.
    """
    needs = Needs.read(plan)
    (search,), (sample,), (train,) = (needs.folder(kind) for kind in ("neighbours", "sample", "data"))
    frame, record = pd.read_csv(search / "neighbours.csv"), record_of(search)
    shown = min(SHOWN, frame["sample"].nunique())
    found = frame[(frame["among"] == TRAIN) & (frame["sample"] < shown)]
    strips = {"sample": images_of(sample)[:shown]}
    for space, of_space in found.groupby("space", sort=False):
        for rank, of_rank in of_space.groupby("rank"):
            strips[f"{space}, {rank}"] = images_of(train)[of_rank.sort_values("sample")["index"].to_numpy()]
    figure = canvas(12, 6.4)
    draw_strips(figure.subplots(), strips)
    words = [
        f"{needs.introduction(record['run'])}\nThe first samples of seed {record['seed']}, and their {record['k']} "
        f"nearest of {len(images_of(train))} training images, in pixels and in features of extractor "
        f"{record['extractor']['extractor']}.",
        said(frame),
    ]
    title(figure, " ".join(words))
    return saved(figure, frame, out)


figS3 = figS8 = figS9 = figS10 = neighbours


def said(frame: pd.DataFrame) -> str:
    """How much nearer training images are than held-out ones, in words."""
    parts = [f"{space} {ratios(own).median():.3f}" for space, own in compared(frame).groupby("space", sort=False)]
    if not parts:
        return "No images of this task are held out to compare with."
    n = frame["sample"].nunique()
    return f"Nearest of as many training images over nearest held-out one, median of {n} samples: {', '.join(parts)}."


# --- what they share --------------------------------------------------------------------------------------------------


def images_of(folder: Path) -> np.ndarray:
    """uint8 (N, H, W, C) of a set or of samples."""
    return np.load(folder / "images.npy", mmap_mode="r")


def columns_of(folder: Path) -> int:
    return COLUMNS[images_of(folder).shape[1] <= SMALL]


def labels(sources: Path, n: int) -> Sequence[str]:
    """Names of the classes of a set's first images; empty where it has none."""
    classes = record_of(sources)["classes"]
    return [classes[label] if classes else "" for label in np.load(sources / "labels.npy")[:n]]


def paths(sample: Path, sources: Path, n: int) -> pd.DataFrame:
    """A row per sample: its source's label, f before and after, and how far it moved."""
    frame = pd.read_csv(sample / "paths.csv").head(n)
    frame.insert(1, "source", labels(sources, len(frame)))
    return frame


def how(needs: Needs, sample: dict[str, Any]) -> str:
    """Say how samples, or the images of an ascent, were made."""
    steps = sample["steps"] if isinstance(sample["steps"], int) else sample["steps"][-1]
    return f"PGD of {steps} steps x {sample['step_size']:g}, {checkpoint(needs, sample)}."


def checkpoint(needs: Needs, record: dict[str, Any]) -> str:
    """Say which weights are behind a record of samples or of an ascent."""
    if record["iteration"] is None:
        return f"weights not trained here: {needs.weights(record)}"
    return f"checkpoint of iteration {record['iteration']}"
