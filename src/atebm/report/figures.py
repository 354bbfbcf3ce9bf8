"""The figures of the paper, one function of the artifact's name each: plan file in, drawing and its numbers out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib import colormaps, rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..files import atomic
from ..job import record_of
from .needs import Needs

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.contour import QuadContourSet

PANELS = (
    ("1a", "uniform", "initial"),
    ("1b", "uniform", "final"),
    ("2a", "corner", "initial"),
    ("2b", "corner", "final"),
)
"""Label, setting and state of Fig. 1's panels, from left to right."""

# D - 1/2 at the edges of the colours: geometric, since D spans 0.1 before training and 0.01 after it
OFFSETS = np.array([0.002, 0.005, 0.01, 0.02, 0.05, 0.1])
LEVELS = np.concatenate([0.5 - OFFSETS[::-1], 0.5 + OFFSETS])
DPI = 110  # 12 inches fill a notebook's width, and results/ stay small enough for git
P_0_COLOUR, P_DATA_COLOUR = "#d7191c", "#1f4fd8"  # red and blue as in the paper, apart in lightness too


def fig1(plan: str, out: str) -> pd.DataFrame:
    """Draw Fig. 1 (Sec. 4.2) to `out` (.png), its .svg beside it, and the measures behind it as .csv; return those.

    The ReLU networks of one seed are drawn, chosen by the rule of `toy.simulate`; the .csv holds all of them.
    """
    needs = Needs.read(plan)
    folders = {record_of(folder)["activation"]: folder for folder in needs.folder("toy")}
    frames = {activation: pd.read_csv(folder / "toy.csv") for activation, folder in folders.items()}
    drawn = "relu" if "relu" in folders else min(folders)
    caption = f"Algorithm 1 in 2D at scale {needs.scale}: D before and after, {drawn} network"
    with np.load(folders[drawn] / "fields.npz") as fields:
        save(draw_fig1(frames[drawn], fields, caption), Path(out))
    frame = pd.concat([frames[activation] for activation in sorted(frames)], ignore_index=True)
    write_numbers(frame, Path(out))
    return frame


def save(figure: Figure, out: Path) -> None:
    """Write a figure as `out` (.png) and .svg beside it, free of dates and random ids: equal drawings, equal files."""
    with atomic(out) as temporary:
        figure.savefig(temporary, dpi=DPI, pil_kwargs={"optimize": True})
    with rc_context({"svg.hashsalt": out.stem}), atomic(out.with_suffix(".svg")) as temporary:
        figure.savefig(temporary, dpi=DPI, metadata={"Date": None})  # of its rasterised parts


def write_numbers(frame: pd.DataFrame, out: Path) -> None:
    """The numbers behind a figure, as .csv beside it."""
    with atomic(out.with_suffix(".csv")) as temporary:
        frame.to_csv(temporary, index=False)


def draw_fig1(frame: pd.DataFrame, fields: Mapping[str, np.ndarray], caption: str) -> Figure:
    """Draw D before and after Algorithm 1 in four panels: 1a, 1b with uniform p_0; 2a, 2b with corner p_0 (Fig. 1).

    `frame` (measures) and `fields` (arrays of one seed) are what `toy.simulate` returns for one activation.
    """
    seed = int(fields["seed"])
    shown = frame[frame["seed"] == seed].set_index(["setting", "state"])
    figure = Figure(figsize=(12, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    of_seeds = f"seed {seed} of {frame['seed'].min()} to {frame['seed'].max()}"
    figure.suptitle(f"{caption}, {of_seeds} (the first with the median number of initial maxima)", fontsize=9)
    axes = figure.subplots(1, 4, sharex=True, sharey=True)
    for axis, (label, setting, state) in zip(axes, PANELS, strict=True):
        prefix = f"{setting}.{state}."
        panel = {key.removeprefix(prefix): fields[key] for key in fields if key.startswith(prefix)}
        contours = draw_field(axis, panel)
        reach, maxima = shown.loc[(setting, state), ["reach", "local_maxima"]]
        axis.set_title(f"{label} {state}, {setting} $p_0$\nreach {reach:.2f}, local maxima {maxima:.0f}", fontsize=10)
    axes[0].set_ylabel("$x_2$")
    bar = figure.colorbar(contours, ax=axes, label="D(x)", ticks=LEVELS, pad=0.01, aspect=22)
    bar.ax.tick_params(labelsize=8)
    figure.legend(handles=fig1_handles(), loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    return figure


def draw_field(axis: Axes, panel: Mapping[str, np.ndarray]) -> QuadContourSet:
    """Draw one panel of Fig. 1 (arrays as `toy.picture` names them) and return its filled contours of D."""
    fine, coarse = np.linspace(-1, 1, len(panel["d"])), np.linspace(-1, 1, len(panel["gradient"]))
    colours = colormaps["PuOr_r"](np.linspace(0.2, 0.8, len(LEVELS) + 1))  # its dark ends would hide the points
    contours = axis.contourf(fine, fine, panel["d"], LEVELS, colors=colours, extend="both")
    axis.contour(fine, fine, panel["d"], 12, colors="0.35", linewidths=0.4)
    length = np.linalg.norm(panel["gradient"], axis=-1, keepdims=True)
    arrows = panel["gradient"] / np.maximum(length, 1e-12)
    axis.quiver(
        coarse,
        coarse,
        arrows[..., 0],
        arrows[..., 1],
        color="0.15",
        scale=30,
        width=0.004,
        pivot="mid",
        rasterized=True,
    )
    for points, colour in ((panel["p_0"], P_0_COLOUR), (panel["p_data"], P_DATA_COLOUR)):
        axis.scatter(points[:, 0], points[:, 1], s=8, c=colour, edgecolors="white", linewidths=0.25, rasterized=True)
    axis.scatter(
        panel["local_maxima"][:, 0],
        panel["local_maxima"][:, 1],
        s=90,
        c="white",
        marker="*",
        edgecolors="black",
        linewidths=0.8,
        zorder=3,
    )
    axis.set(xlim=(-1, 1), ylim=(-1, 1), aspect="equal", xlabel="$x_1$", xticks=(-1, 0, 1), yticks=(-1, 0, 1))
    return contours


def fig1_handles() -> list[Line2D]:
    """Return the legend's entries of Fig. 1."""
    entries = (
        ("$p_0$", "o", P_0_COLOUR, 4),
        (r"$p_\mathrm{data}$", "o", P_DATA_COLOUR, 4),
        (r"local maximum of D off the support of $p_\mathrm{data}$", "*", "white", 10),
        ("direction of the gradient of D", r"$\rightarrow$", "0.15", 10),
    )
    return [
        Line2D(
            [],
            [],
            linestyle="",
            marker=marker,
            color=colour,
            markersize=size,
            label=label,
            markeredgecolor="black" if marker == "*" else colour,
        )
        for label, marker, colour, size in entries
    ]


COLUMNS, PAIRS = 20, 4  # of Fig. S2: rows of samples, each below the row of its sources


def figS2(plan: str, out: str) -> pd.DataFrame:
    """Draw Fig. S2, the first samples of the run below their sources, to `out` (.png), .svg and .csv; return the frame.

    One row a sample: the source's label (its photograph, where the sources are crops), the extractor's class of the
    sample, f before and after the ascent, and the L2 distance moved, in [0, 1] pixel units.
    """
    needs = Needs.read(plan)
    (sample,), (sources,), (features,) = (needs.folder(kind) for kind in ("sample", "data", "features"))
    n = min(COLUMNS * PAIRS, record_of(sample)["n"])
    frame = pd.read_csv(sample / "paths.csv").head(n)
    labels, of_sources = np.load(sources / "labels.npy")[:n], record_of(sources)["classes"]
    predicted, classes = np.load(features / "logits.npy")[:n].argmax(1), record_of(features)["extractor"]["classes"]
    frame.insert(1, "source", [of_sources[label] for label in labels])
    frame.insert(2, "predicted_class", [classes[label] for label in predicted])
    above, below = (np.load(folder / "images.npy", mmap_mode="r")[:n] for folder in (sources, sample))
    save(draw_figS2(above, below, caption_figS2(needs, record_of(sample))), Path(out))
    write_numbers(frame, Path(out))
    return frame


def draw_figS2(sources: np.ndarray, samples: np.ndarray, caption: str) -> Figure:
    """Draw uint8 images (n, H, W, C) in pairs of rows, sources above samples."""
    figure = Figure(figsize=(12, 5.6), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(caption, fontsize=9)
    pairs = -(-len(samples) // COLUMNS)
    rows = figure.subplots(pairs, 1, squeeze=False)[:, 0]
    for pair, axis in enumerate(rows):
        part = slice(pair * COLUMNS, (pair + 1) * COLUMNS)
        axis.imshow(np.concatenate([strip(sources[part]), strip(samples[part])]), cmap="gray", vmin=0, vmax=255)
        height = sources.shape[1] + 1
        axis.set_yticks([height / 2, 1.5 * height], ["source", "sample"], fontsize=9)
        axis.set_xticks([])
        axis.tick_params(length=0)
        axis.spines[:].set_visible(False)
    return figure


def strip(images: np.ndarray) -> np.ndarray:
    """Images (n, H, W, C) side by side in a strip (H + 1, COLUMNS * (W + 1), C), apart by one white pixel."""
    padded = np.pad(images, ((0, COLUMNS - len(images)), (0, 0), (0, 0), (0, 0)), constant_values=255)
    framed = np.pad(padded, ((0, 0), (0, 1), (0, 1), (0, 0)), constant_values=255)
    return np.concatenate(list(framed), axis=1)


def caption_figS2(needs: Needs, sample: dict[str, Any]) -> str:
    task = needs.task("cifar10")
    weights = f"checkpoint of iteration {sample['iteration']}, chosen on validation sources."
    if sample["iteration"] is None:
        weights = "the authors' released weights."
    return (
        f"{task['title']} at scale {needs.scale}, played by {task['played_by']}. Uncurated: the first samples of seed "
        f"{sample['seed']}.\n{sample['steps']} PGD steps of {sample['step_size']} from sources that no training saw; "
        f"{weights}"
    )
