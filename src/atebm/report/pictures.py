"""The figures that are samples: over their sources, in grids, and beside their nearest training images."""

from collections.abc import Sequence
from math import ceil

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ..config.roles import TRAIN
from ..pipeline.tasks import TASKS_256
from .drawing import canvas, draw_strips, heading
from .drawn import Drawn
from .needs import Needs, Result
from .neighbours import nearest_of_as_many, ratios

COLUMNS = {True: 20, False: 10}  # of a grid, by whether images are small
SMALL = 64  # pixels a side
ROWS = 4
SHOWN = 12  # images of Figs. 6, S3 and S8 to S10


def figS2(needs: Needs) -> Drawn:
    """Draw Fig. S2, the first samples of the run below their sources, and the way of some of them.

    One row a sample: the source's label (its photograph, where the sources are crops), the extractor's class of the
    sample, f before and after the ascent, and the L2 distance moved, in [0, 1] pixel units.
    """
    sample, sources, features = needs["samples/cifar10"], needs["sources/cifar10"], needs["features"]
    columns = columns_of(sample)
    n = min(columns * ROWS, sample.record["n"])
    frame = paths(sample, sources, n)
    predicted, classes = features.array("logits.npy")[:n].argmax(1), features.record["extractor"]["classes"]
    frame.insert(2, "predicted_class", [classes[label] for label in predicted])
    figure = canvas(12, 6)
    pairs = ceil(n / columns)
    for pair, axis in enumerate(np.atleast_1d(figure.subplots(pairs, 1))):
        part = slice(pair * columns, min((pair + 1) * columns, n))
        draw_strips(axis, {"source": sources.images[part], "sample": sample.images[part]})
    seed, made = sample.record["seed"], how_made(sample, needs["model/cifar10"])
    caption = f"{needs.introduction('cifar10')}\nUncurated: the first samples of seed {seed}. {made}"
    motion = needs["motion"].array("motion.npy")[:]
    return Drawn(frame, caption, f"{len(frame)} samples", figure=figure, animation=motion)


def fig6(needs: Needs) -> Drawn:
    """Draw Fig. 6, samples of three tasks below their sources; none is chosen: they are the first.

    A row per sample, as in Fig. S2.
    """
    figure = canvas(12, 7.2)
    frames = []
    for axis, run in zip(figure.subplots(len(TASKS_256), 1), TASKS_256, strict=True):
        sample, sources = needs[f"samples/{run}"], needs[f"sources/{run}"]
        draw_strips(axis, {"source": sources.images[:SHOWN], "sample": sample.images[:SHOWN]})
        heading(axis, f"{needs.introduction(run)} {how_made(sample, needs[f'model/{run}'])}")
        frames.append(paths(sample, sources, SHOWN).assign(run=run))
    seed = needs[f"samples/{TASKS_256[0]}"].record["seed"]
    caption = f"Scale {needs.scale}: the first samples of seed {seed}, none chosen, below their sources."
    frame = pd.concat(frames, ignore_index=True)
    return Drawn(frame, caption, f"{len(frame)} samples", figure=figure)


def grid(needs: Needs) -> Drawn:
    """Draw Figs. S4 to S7, an uncurated grid of samples; a row per sample, as in Fig. S2.

    The caption has the distance of many such samples, and of those from sharp sources where these were blurred.
    """
    ((sampler, sample),) = needs.under("samples").items()
    record, distance = sample.record, needs[f"distance/{sampler}"].record
    n = min(columns_of(sample) * ROWS, record["n"])
    words = [
        f"{needs.introduction(record['run'])}\nUncurated: the first samples of seed {record['seed']}. "
        f"{how_made(sample, needs[f'model/{sampler}'])} {distance['name']} of {distance['n_samples']}: "
        f"{distance['value']:.4g} ± {distance['ci95']:.2g}."
    ]
    if blur := sample.settings["blur"]:
        sharp = needs["sharp"].record
        words.append(f"Sources blurred first, sigma {blur:g} pixels; from sharp ones: {sharp['value']:.4g}.")
    figure = draw_grid(sample.images[:n], columns_of(sample))
    return Drawn(paths(sample, needs[f"sources/{sampler}"], n), " ".join(words), f"{n} samples", figure=figure)


def figS21(needs: Needs) -> Drawn:
    """Draw Fig. S21, the sources of the samples in Figs. S4 to S7, in their order.

    A row per image, with its label (its photograph, where the sources are crops).
    """
    sources = needs["sources"]
    n = min(columns_of(sources) * ROWS, len(sources.images))
    caption = (
        f"Scale {needs.scale}: the source images of Figs. S4 to S7 in the same order: "
        f"{needs.set_title(sources.record['set'])}, of which training saw {seen(needs)}."
    )
    frame = pd.DataFrame({"image": range(n), "source": labels(sources, n)})
    return Drawn(frame, caption, f"{n} images", figure=draw_grid(sources.images[:n], columns_of(sources)))


def seen(needs: Needs) -> str:
    """Say whether the sources of the 256x256 tasks are images of the p_0 that training saw."""
    task = needs.task("celebahq256")
    same = needs.set_title(task["sources"]) == needs.set_title(task["p_0"])
    return "all, since they are drawn from p_0" if same else f"none: p_0 is {needs.set_title(task['p_0'])}"


def draw_grid(images: np.ndarray, columns: int) -> Figure:
    """Draw images (n, H, W, C), uint8, in rows."""
    rows = ceil(len(images) / columns)
    figure = canvas(12, 0.8 + 12 * rows / columns)
    draw_strips(figure.subplots(), {" " * row: images[row * columns : (row + 1) * columns] for row in range(rows)})
    return figure


def neighbours(needs: Needs) -> Drawn:
    """Draw Figs. S3 and S8 to S10, samples above their nearest training images.

    A row per sample, space (pixels; features of the extractor) and neighbour, and beside these the nearest of as many
    training as held-out images.
    """
    search, train = needs["neighbours"], needs["p_data"].images
    frame, record = search.table("neighbours.csv"), search.record
    shown = min(SHOWN, frame["sample"].nunique())
    found = frame[(frame["among"] == TRAIN) & (frame["sample"] < shown)]
    strips = {"sample": needs["samples"].images[:shown]}
    for space, of_space in found.groupby("space", sort=False):
        for rank, of_rank in of_space.groupby("rank"):
            strips[f"{space}, {rank}"] = train[of_rank.sort_values("sample")["index"].to_numpy()]
    figure = canvas(12, 6.4)
    draw_strips(figure.subplots(), strips)
    caption = (
        f"{needs.introduction(record['run'])}\nThe first samples of seed {record['seed']}, and their {record['k']} "
        f"nearest of {len(train)} training images, in pixels and in features of extractor "
        f"{record['extractor']['extractor']}. {nearness(frame)}"
    )
    return Drawn(frame, caption, neighbours_headline(frame), figure=figure)


def median_ratios(frame: pd.DataFrame, digits: int) -> str:
    """Return, by space, the median distance to training images over that to held-out ones; empty without the latter."""
    groups = nearest_of_as_many(frame).groupby("space", sort=False)
    return ", ".join(f"{space} {ratios(mine).median():.{digits}f}" for space, mine in groups)


def nearness(frame: pd.DataFrame) -> str:
    """Say, for a caption, how much nearer training images are than held-out ones."""
    if not (parts := median_ratios(frame, 3)):
        return "No images of this task are held out to compare with."
    n = frame["sample"].nunique()
    return f"Nearest of as many training images over nearest held-out one, median of {n} samples: {parts}."


def neighbours_headline(frame: pd.DataFrame) -> str:
    """Say the same in a line."""
    parts = median_ratios(frame, 2)
    return f"nearest training over nearest held-out image, median: {parts}" if parts else "nothing held out"


# --- what they share --------------------------------------------------------------------------------------------------


def columns_of(result: Result) -> int:
    """Return how many images of a result stand side by side."""
    return COLUMNS[result.images.shape[1] <= SMALL]


def labels(sources: Result, n: int) -> Sequence[str]:
    """Return names of the classes of a set's first images; empty ones where it has no classes."""
    classes = sources.record["classes"]
    return [classes[label] if classes else "" for label in sources.array("labels.npy")[:n]]


def paths(sample: Result, sources: Result, n: int) -> pd.DataFrame:
    """Return a row per sample: its source's label, f before and after, and how far it moved."""
    frame = sample.table("paths.csv").head(n)
    frame.insert(1, "source", labels(sources, len(frame)))
    return frame


def how_made(images: Result, model: Result) -> str:
    """Say how samples, or the images of an ascent, were made, and with which weights."""
    record = images.record
    steps = record["steps"] if isinstance(record["steps"], int) else record["steps"][-1]
    at = edge(steps, model) if images.settings["steps"] == "selected" else ""
    return f"PGD of {steps} steps{at} x {record['step_size']:g}, {checkpoint(images, model)}."


def edge(steps: int, model: Result | None) -> str:
    """Say that a number of steps is the least or the most of those among which a training selected; else nothing."""
    if model is None or not model.settings["monitor"]:
        return ""
    offered = model.settings["monitor"]["steps"]
    ends = {min(offered): "least", max(offered): "most"}
    return f" (selected, the {ends[steps]} of {min(offered)} to {max(offered)})" if steps in ends else ""


def checkpoint(images: Result, model: Result) -> str:
    """Say which weights are behind samples or an ascent."""
    if images.record["iteration"] is None:
        return f"weights not trained here: {model.weights}"
    return f"checkpoint of iteration {images.record['iteration']}"
