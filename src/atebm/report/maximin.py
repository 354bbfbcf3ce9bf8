"""Draw the 2D simulation of Algorithm 1."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.contour import QuadContourSet
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from .drawing import canvas
from .drawn import Drawn
from .needs import Needs

PANELS = (
    ("1a", "uniform", "initial"),
    ("1b", "uniform", "final"),
    ("2a", "corner", "initial"),
    ("2b", "corner", "final"),
)
"""Label, setting and state of Fig. 1's panels, from left to right."""

# D - 1/2 at the limits of the colours: geometric, since D spans 0.1 before training and 0.01 after it
OFFSETS = np.array([0.002, 0.005, 0.01, 0.02, 0.05, 0.1])
LEVELS = np.concatenate([0.5 - OFFSETS[::-1], 0.5 + OFFSETS])
P_0_COLOUR, P_DATA_COLOUR = "#d7191c", "#1f4fd8"  # red and blue as in the paper, different in lightness too


def fig1(needs: Needs) -> Drawn:
    """Draw Fig. 1 (Sec. 4.2): D of Algorithm 1 in 2D, before and after training.

    The figure shows the ReLU networks of one seed, which the rule of `maximin.simulate` selects; the frame holds all.
    """
    frames = {activation: result.table("toy.csv") for activation, result in needs.results.items()}
    drawn = "relu" if "relu" in frames else min(frames)
    fields, mine = needs[drawn].arrays("fields.npz"), frames[drawn]
    caption = (
        f"Algorithm 1 in 2D at the {needs.scale} scale: D before and after training, {drawn} network, seed "
        f"{int(fields['seed'])} of {mine['seed'].min()} to {mine['seed'].max()} (the first with the median number of "
        "initial maxima). Reach: the share of starting points on a grid whose ascent of D ends at p_data."
    )
    frame = pd.concat([frames[activation] for activation in sorted(frames)], ignore_index=True)
    medians = mine[mine["state"] == "final"].groupby("setting")[["reach", "local_maxima"]].median()
    parts = [f"{setting} p_0: {row.reach:.2f}, {row.local_maxima:.0f}" for setting, row in medians.iterrows()][::-1]
    headline = f"after training, median reach and number of other local maxima: {'; '.join(parts)}"
    return Drawn(frame, caption, headline, figure=draw_fig1(mine, fields))


def draw_fig1(frame: pd.DataFrame, fields: Mapping[str, np.ndarray]) -> Figure:
    """Draw D before and after Algorithm 1 in four panels (Fig. 1): 1a, 1b with uniform p_0; 2a, 2b with corner p_0.

    `maximin.simulate` returns `frame` (measures) and `fields` (arrays of one seed) for one activation.
    """
    shown = frame[frame["seed"] == int(fields["seed"])].set_index(["setting", "state"])
    figure = canvas(12, 4.2)
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
    """Draw one panel of Fig. 1, from arrays named as in `maximin.picture`, and return its filled contours of D."""
    fine, coarse = np.linspace(-1, 1, len(panel["d"])), np.linspace(-1, 1, len(panel["gradient"]))
    colours = colormaps["PuOr_r"](np.linspace(0.2, 0.8, len(LEVELS) + 1))  # its dark ends would hide the points
    contours = axis.contourf(fine, fine, panel["d"], LEVELS, colors=colours, extend="both")
    lines = axis.contour(fine, fine, panel["d"], 12, colors="0.35", linewidths=0.4)
    for drawn in (contours, lines):
        drawn.set_rasterized(True)  # where D is steep, their outlines would take megabytes
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
    """Return the entries of Fig. 1's legend."""
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
