"""What all figures share: their canvas, their files, and strips of images."""

from collections.abc import Mapping
from pathlib import Path
from textwrap import fill, wrap
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ..files import atomic

DPI = 110  # 12 inches fill a notebook's width, and results/ stay small enough for git

# Of lines: colours that all eyes tell apart (Okabe and Ito), and dashes and markers, for print without colours.
STYLES: tuple[Mapping[str, Any], ...] = (
    {"color": "#0072b2", "linestyle": "-", "marker": "o"},
    {"color": "#d55e00", "linestyle": "--", "marker": "s"},
    {"color": "#009e73", "linestyle": "-.", "marker": "^"},
    {"color": "#cc79a7", "linestyle": ":", "marker": "D"},
    {"color": "#56b4e9", "linestyle": (0, (5, 1, 1, 1, 1, 1)), "marker": "v"},
    {"color": "#000000", "linestyle": (0, (1, 2)), "marker": "x"},
)


def canvas(width: float, height: float) -> Figure:
    """An empty figure of inches, without pyplot and its state."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def title(figure: Figure, text: str) -> None:
    """Put `text` above a figure, its lines broken where the figure ends, into parts of about one length."""
    width = int(14 * figure.get_figwidth())  # letters of this size an inch
    figure.suptitle("\n".join(balanced(line, width) for line in text.splitlines()), fontsize=9)


def balanced(text: str, width: int) -> str:
    """`text` in as few lines of at most `width` letters as it takes, the longest as short as it can be."""
    least = len(wrap(text, width))
    return next(fill(text, narrow) for narrow in range(1, width + 1) if len(wrap(text, narrow)) == least)


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


def line(axis: Axes, frame: pd.DataFrame, x: str, y: str, label: str, style: Mapping[str, Any]) -> None:
    """Draw column `y` of `frame` against `x`, means over seeds at each iteration, in the band of their range."""
    rows = frame.groupby("iteration").agg(x=(x, "mean"), y=(y, "mean"), low=(y, "min"), high=(y, "max"))
    axis.plot(rows["x"], rows["y"], label=label, markersize=4, **style)
    if frame["seed"].nunique() > 1:
        axis.fill_between(rows["x"], rows["low"], rows["high"], color=style["color"], alpha=0.2, linewidth=0)


def strip(images: np.ndarray, columns: int) -> np.ndarray:
    """Images (n, H, W, C), n <= columns, in a strip (H + 1, columns * (W + 1), C), apart by one white pixel."""
    padded = np.pad(images, ((0, columns - len(images)), (0, 0), (0, 0), (0, 0)), constant_values=255)
    framed = np.pad(padded, ((0, 0), (0, 1), (0, 1), (0, 0)), constant_values=255)
    return np.concatenate(list(framed), axis=1)
