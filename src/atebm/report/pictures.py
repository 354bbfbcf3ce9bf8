"""Draw samples: with their sources, in grids, and with their nearest training images."""

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

COLUMNS = {True: 20, False: 10}  # columns of a grid, by whether images are small
SMALL = 64  # pixels a side, at most
ROWS = 4
SHOWN = 12  # images in Figs. 6, S3 and S8 to S10


def figS2(needs: Needs) -> Drawn:
    """Draw Fig. S2: the first samples of the run below their sources, and an animation of some of them.

    The frame has a row per sample: the source's label (its photograph, if the sources are crops), the class that the
    extractor gives the sample, f before and after the ascent, and the L2 distance moved, in [0, 1] pixel units.
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
    caption = f"{needs.introduction('cifar10')}\nThe first samples of seed {seed}, not hand-picked. {made}"
    motion = needs["motion"].array("motion.npy")[:]
    headline = f"the first {len(frame)} samples, not hand-picked"
    return Drawn(frame, caption, headline, figure=figure, animation=motion)


def fig6(needs: Needs) -> Drawn:
    """Draw Fig. 6: the first samples of three tasks below their sources.

    The frame has a row per sample, as in Fig. S2.
    """
    figure = canvas(12, 7.2)
    frames = []
    for axis, run in zip(figure.subplots(len(TASKS_256), 1), TASKS_256, strict=True):
        sample, sources = needs[f"samples/{run}"], needs[f"sources/{run}"]
        draw_strips(axis, {"source": sources.images[:SHOWN], "sample": sample.images[:SHOWN]})
        heading(axis, f"{needs.introduction(run)} {how_made(sample, needs[f'model/{run}'])}")
        frames.append(paths(sample, sources, SHOWN).assign(run=run))
    seed = needs[f"samples/{TASKS_256[0]}"].record["seed"]
    caption = (
        f"The first samples of seed {seed} at the {needs.scale} scale, not hand-picked, below their source images."
    )
    frame = pd.concat(frames, ignore_index=True)
    return Drawn(frame, caption, f"the first {SHOWN} samples of each task, not hand-picked", figure=figure)


def grid(needs: Needs) -> Drawn:
    """Draw Figs. S4 to S7, an uncurated grid of samples.

    The frame has a row per sample, as in Fig. S2. The caption gives the distance of many such samples and, if the
    sources were blurred, that of samples from sharp sources.
    """
    ((sampler, sample),) = needs.under("samples").items()
    record, distance = sample.record, needs[f"distance/{sampler}"].record
    n = min(columns_of(sample) * ROWS, record["n"])
    words = [
        f"{needs.introduction(record['run'])}\nThe first samples of seed {record['seed']}, not hand-picked. "
        f"{how_made(sample, needs[f'model/{sampler}'])} {distance['name']} of {distance['n_samples']} samples: "
        f"{distance['value']:.4g} ± {distance['ci95']:.2g}."
    ]
    if blur := sample.settings["blur"]:
        sharp = needs["sharp"].record
        words.append(
            f"The sources were blurred before PGD, sigma {blur:g} pixels; samples from sharp sources: "
            f"{sharp['value']:.4g}."
        )
    figure = draw_grid(sample.images[:n], columns_of(sample))
    headline = f"{distance['name']} of {distance['n_samples']} such samples: {distance['value']:.4g}"
    return Drawn(paths(sample, needs[f"sources/{sampler}"], n), " ".join(words), headline, figure=figure)


def figS21(needs: Needs) -> Drawn:
    """Draw Fig. S21: the sources of the samples in Figs. S4 to S7, in the same order.

    The frame has a row per image, with its label (its photograph, if the sources are crops).
    """
    sources = needs["sources"]
    n = min(columns_of(sources) * ROWS, len(sources.images))
    caption = (
        f"The source images of Figs. S4 to S7 at the {needs.scale} scale, in the same order: "
        f"{needs.set_title(sources.record['set'])}. Training saw {seen(needs)}."
    )
    frame = pd.DataFrame({"image": range(n), "source": labels(sources, n)})
    return Drawn(frame, caption, f"the first {n} images", figure=draw_grid(sources.images[:n], columns_of(sources)))


def seen(needs: Needs) -> str:
    """Say whether training saw the sources of the 256x256 tasks as images of p_0."""
    task = needs.task("celebahq256")
    same = needs.set_title(task["sources"]) == needs.set_title(task["p_0"])
    return "all of them, since they are drawn from p_0" if same else f"none: p_0 is {needs.set_title(task['p_0'])}"


def draw_grid(images: np.ndarray, columns: int) -> Figure:
    """Draw images (n, H, W, C), uint8, in rows."""
    rows = ceil(len(images) / columns)
    figure = canvas(12, 0.8 + 12 * rows / columns)
    draw_strips(figure.subplots(), {" " * row: images[row * columns : (row + 1) * columns] for row in range(rows)})
    return figure


def neighbours(needs: Needs) -> Drawn:
    """Draw Figs. S3 and S8 to S10: samples above their nearest training images.

    The frame has a row per sample, space (pixels, or features of the extractor) and neighbour; more rows hold the
    nearest among equally many training and held-out images.
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
        f"{needs.introduction(record['run'])}\nThe first samples of seed {record['seed']} and, for each, the "
        f"{record['k']} nearest of {len(train)} training images, in pixels and in features of extractor "
        f"{record['extractor']['extractor']}. {nearness(frame)}"
    )
    return Drawn(frame, caption, neighbours_headline(frame), figure=figure)


def median_ratios(frame: pd.DataFrame, digits: int) -> str:
    """Return, for each space, the median ratio of distances to training and held-out images; "" without the latter."""
    groups = nearest_of_as_many(frame).groupby("space", sort=False)
    return ", ".join(f"{space} {ratios(mine).median():.{digits}f}" for space, mine in groups)


def nearness(frame: pd.DataFrame) -> str:
    """Say, for a caption, how much nearer training images are than held-out ones."""
    if not (parts := median_ratios(frame, 3)):
        return "This task has no held-out images to compare with."
    n = frame["sample"].nunique()
    return (
        "Distance to the nearest training image divided by that to the nearest of equally many held-out images, median "
        f"of {n} samples: {parts}."
    )


def neighbours_headline(frame: pd.DataFrame) -> str:
    """Say in a line how much nearer training images are than held-out ones."""
    parts = median_ratios(frame, 2)
    if not parts:
        return "no held-out images to compare with"
    return f"distance to the nearest training image over that to the nearest held-out image, median: {parts}"


# --- shared by the figures --------------------------------------------------------------------------------------------


def columns_of(result: Result) -> int:
    """Return how many of a result's images stand side by side."""
    return COLUMNS[result.images.shape[1] <= SMALL]


def labels(sources: Result, n: int) -> Sequence[str]:
    """Return the class names of a set's first images; empty strings if the set has no classes."""
    classes = sources.record["classes"]
    return [classes[label] if classes else "" for label in sources.array("labels.npy")[:n]]


def paths(sample: Result, sources: Result, n: int) -> pd.DataFrame:
    """Return a row per sample: its source's label, f before and after PGD, and how far it moved."""
    frame = sample.table("paths.csv").head(n)
    frame.insert(1, "source", labels(sources, len(frame)))
    return frame


def how_made(images: Result, model: Result) -> str:
    """Say which sampler and weights made samples or the images of an ascent."""
    record = images.record
    steps = record["steps"] if isinstance(record["steps"], int) else record["steps"][-1]
    at = edge(steps, model) if images.settings["steps"] == "selected" else ""
    return f"PGD with {steps} steps of {record['step_size']:g}{at}, {checkpoint(images, model)}."


def edge(steps: int, model: Result | None) -> str:
    """Say that a selected number of steps is the smallest or largest that was offered; return "" otherwise."""
    if model is None or not model.settings["monitor"]:
        return ""
    offered = model.settings["monitor"]["steps"]
    ends = {min(offered): "smallest", max(offered): "largest"}
    return f" (selected, the {ends[steps]} of {min(offered)} to {max(offered)} steps)" if steps in ends else ""


def checkpoint(images: Result, model: Result) -> str:
    """Say which weights made samples or an ascent."""
    if images.record["iteration"] is None:
        return f"weights not trained here: {model.weights}"
    return f"checkpoint of iteration {images.record['iteration']}"
