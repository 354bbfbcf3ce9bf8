"""Draw the minimax game in 2D."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .drawing import canvas
from .drawn import Drawn
from .maximin import LEVELS, draw_field, fig1_handles
from .needs import Needs

SETTINGS = {"uniform": ("#0072b2", "o"), "corner": ("#d55e00", "s")}  # Okabe and Ito's blue and vermilion
ROWS = tuple(SETTINGS)  # rows of panels, from the top
Arrays = Mapping[str, np.ndarray]


def figS1(needs: Needs) -> Drawn:
    """Draw Fig. S1 (supplement 2): Algorithm 3 in 2D, beside D of Algorithm 1.

    The frame has a row per algorithm, setting and seed; measures that Algorithm 1's step lacks are empty. The rules of
    `minimax.simulate` and `maximin.simulate` select the seed that is drawn.
    """
    played, maximin = needs["minimax"], needs["maximin"]
    record, fields = played.record, played.arrays("fields.npz")
    algorithm3, toy = played.table("minimax.csv"), maximin.table("toy.csv")
    algorithm1 = toy[toy["state"] == "final"][["setting", "seed", "d_on_support", "d_off_support_max", "u"]]
    frame = pd.concat([algorithm3.assign(algorithm=3), algorithm1.assign(algorithm=1)], ignore_index=True)
    frame.insert(0, "algorithm", frame.pop("algorithm"))
    caption = (
        f"Algorithm 3 (minimax) in 2D at the {needs.scale} scale, {record['activation']} network, {record['m']:,} "
        f"particles, seed {int(fields['seed'])} of {frame['seed'].min()} to {frame['seed'].max()} (the seed with the "
        "median share of the region off the support where D > 1/2, with corner p_0)."
    )
    figure = draw_figS1(frame, played.table("energy.csv"), fields, maximin.arrays("fields.npz"), record)
    return Drawn(frame, caption, figS1_headline(algorithm3), figure=figure)


def figS1_headline(frame: pd.DataFrame) -> str:
    """Say how near the particles of Algorithm 3 come to p_data, and where D exceeds 1/2 off its support."""
    fall = frame["energy_initial"] / frame["energy_final"]
    rejected = [int((frame[name] <= 0.05).sum()) for name in ("p_value", "p_value_shifted")]
    above = frame.groupby("setting")["d_above_half"].median()
    return (
        f"energy distance to p_data falls at least {fall.min():.0f}-fold; a two-sample test tells the particles from "
        f"p_data in {rejected[0]} of {len(frame)} games, and in {rejected[1]} once they are shifted by 0.25 std; "
        f"median share of the region off the support with D > 1/2: {above['uniform']:.2f} with uniform p_0, "
        f"{above['corner']:.2f} with corner p_0"
    )


def draw_figS1(
    frame: pd.DataFrame, curve: pd.DataFrame, fields: Arrays, fields1: Arrays, record: dict[str, Any]
) -> Figure:
    """Draw D and particles of Algorithm 3 at four times beside the last D of Algorithm 1, and measures below.

    Each setting has a row. `minimax.simulate` returns `fields` and `record`, and `maximin.simulate` returns `fields1`:
    arrays of one seed each.
    """
    figure = canvas(12, 8.4)
    moves = fields["moves"].tolist()
    grid = figure.add_gridspec(3, len(moves) + 1, height_ratios=(1, 1, 0.95))
    first: Axes | None = None
    axes: list[Axes] = []
    for row, setting in enumerate(ROWS):
        titles = [f"after {count} moves" if count else f"{setting} $p_0$, first D" for count in moves]
        panels = [panel_of(fields, f"{setting}.{count}.") for count in moves]
        titles.append(f"Algorithm 1, last D, seed {int(fields1['seed'])}")
        panels.append(panel_of(fields1, f"{setting}.final."))
        for column, (title, panel) in enumerate(zip(titles, panels, strict=True)):
            axis = figure.add_subplot(grid[row, column], sharex=first, sharey=first)
            first = first or axis
            contours = draw_field(axis, panel)
            axis.set_title(title, fontsize=9)
            axis.tick_params(labelleft=column == 0, labelbottom=row == 1)
            axis.set(xlabel="$x_1$" if row == 1 else "", ylabel="" if column else "$x_2$")
            axes.append(axis)
    figure.colorbar(contours, ax=axes, label="D(x)", ticks=LEVELS, pad=0.01, aspect=34).ax.tick_params(labelsize=8)
    below = grid[2, :].subgridspec(1, 2, width_ratios=(1.25, 1))
    draw_curve(figure.add_subplot(below[0]), curve, frame[frame["algorithm"] == 3], record)
    draw_off_support(figure.add_subplot(below[1]), frame)
    handles = fig1_handles()
    handles[0].set_label("particles (Algorithm 1: points of $p_0$)")
    figure.legend(handles=handles, loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    return figure


def panel_of(fields: Arrays, prefix: str) -> dict[str, np.ndarray]:
    """Return the arrays of one panel, by the names that `draw_field` uses."""
    return {key.removeprefix(prefix): fields[key] for key in fields if key.startswith(prefix)}


def draw_curve(axis: Axes, curve: pd.DataFrame, frame: pd.DataFrame, record: dict[str, Any]) -> None:
    """Draw the particles' energy distance to p_data over moves, with the result of the final test in the legend."""
    for setting, (colour, _) in SETTINGS.items():
        rows = frame[frame["setting"] == setting]
        fall = rows["energy_initial"] / rows["energy_final"]
        names = ("p_value", "p_value_data", "p_value_shifted")
        particles, goal, shifted = ((rows[name] <= record["level"]).sum() for name in names)
        label = (
            f"{setting} $p_0$: falls {fall.min():,.0f}- to {fall.max():,.0f}-fold; the test rejects {particles} of "
            f"{len(rows)}\n(a draw of $p_\\mathrm{{data}}$ itself: {goal}; particles shifted by "
            f"{record['shift']} std: {shifted})"
        )
        for number, (_, line) in enumerate(curve[curve["setting"] == setting].groupby("seed")):
            axis.plot(line["moves"], line["energy"], color=colour, linewidth=1, label=None if number else label)
    label = f"mean for {record['m']:,} points drawn from $p_\\mathrm{{data}}$"
    axis.axhline(record["energy_of_sample"], color="0.3", linewidth=1, linestyle="--", label=label)
    axis.set(yscale="log", xlabel="moves of the particles")
    axis.set_title("energy distance of the particles to $p_\\mathrm{data}$, a line per seed", fontsize=9)
    axis.legend(fontsize=8, frameon=False)


def draw_off_support(axis: Axes, frame: pd.DataFrame) -> None:
    """Draw the greatest D off the support for both algorithms and settings, a mark per seed."""
    groups = [(algorithm, setting) for setting in ROWS for algorithm in (1, 3)]
    for place, (algorithm, setting) in enumerate(groups):
        values = frame[(frame["algorithm"] == algorithm) & (frame["setting"] == setting)]["d_off_support_max"]
        colour, marker = SETTINGS[setting]
        spread = place + np.linspace(-0.2, 0.2, len(values))
        axis.scatter(spread, values, color=colour, marker=marker, s=28, edgecolors="white", linewidths=0.5, zorder=3)
    axis.axhline(0.5, color="0.3", linewidth=1, linestyle="--")
    names = [f"Algorithm {algorithm}\n{setting} $p_0$" for algorithm, setting in groups]
    axis.set_xticks(range(len(groups)), names, fontsize=8)
    axis.set(ylabel="greatest D", ylim=(0.45, 1.02))
    axis.set_title("greatest D off the support of $p_\\mathrm{data}$, a mark per seed (dashed: 1/2)", fontsize=9)
