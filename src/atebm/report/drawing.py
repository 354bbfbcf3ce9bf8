"""Provide what all figures share: a canvas, their files, and strips of images."""

import re
from collections.abc import Mapping, Sequence
from io import BytesIO
from math import ceil
from pathlib import Path
from textwrap import fill, wrap
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FormatStrFormatter, LogLocator, NullFormatter
from PIL import Image

from ..utils.files import atomic
from ..utils.pictures import animate, strip
from .drawn import Drawn

DPI = 110  # 12 inches fill a notebook's width, and results/ stays small enough for git
SVG_DPI = 80  # of rasterised parts

# Line styles: colours that colour-blind readers can tell apart (Okabe and Ito); dashes and markers for grey prints.
STYLES: tuple[Mapping[str, Any], ...] = (
    {"color": "#0072b2", "linestyle": "-", "marker": "o"},
    {"color": "#d55e00", "linestyle": "--", "marker": "s"},
    {"color": "#009e73", "linestyle": "-.", "marker": "^"},
    {"color": "#cc79a7", "linestyle": ":", "marker": "D"},
    {"color": "#56b4e9", "linestyle": (0, (5, 1, 1, 1, 1, 1)), "marker": "v"},
    {"color": "#000000", "linestyle": (0, (1, 2)), "marker": "x"},
)


def canvas(width: float, height: float) -> Figure:
    """Return an empty figure, `width` by `height` inches, without pyplot and its global state."""
    figure = Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(w_pad=MARGIN, h_pad=MARGIN))
    FigureCanvasAgg(figure)
    return figure


def height_of(rows: int, columns: int, width: float) -> float:
    """Return the height in inches of rows of square images which, with their names, are `width` inches wide."""
    return rows * (width - NAMES) / columns


LETTERS = 14  # letters of a caption per inch
MARGIN = 0.08  # inches around axes
NAMES = 1.0  # width in inches of the names of strips and the margins beside them
LINE = 0.2  # height in inches of a line of a caption


def title(figure: Figure, text: str) -> None:
    """Put `text` above a figure, broken into lines of about equal length that fit its width."""
    width = int(LETTERS * figure.get_figwidth())
    figure.suptitle(typeset("\n".join(balanced(line, width) for line in text.splitlines())), fontsize=9)


def heading(axis: Axes, text: str, inches: float = 12) -> None:
    """Put `text` above axes that are `inches` wide, broken into lines of about equal length."""
    axis.set_title(typeset(balanced(text, int(0.9 * LETTERS * inches))), fontsize=9)


def typeset(text: str) -> str:
    """Write p_0 and p_data in a text as formulas."""
    return re.sub(r"\bp_(0|data)\b", r"$p_\\mathrm{\1}$", text)


def balanced(text: str, width: int) -> str:
    """Wrap `text` into the fewest lines of at most `width` letters, with the longest line as short as possible."""
    least = len(wrap(text, width))
    return next(fill(text, narrow) for narrow in range(1, width + 1) if len(wrap(text, narrow)) == least)


def write_figure(drawn: Drawn, out: Path) -> None:
    """Write a figure with its caption as `out` (.png) and .svg, its numbers as .csv, and an animation as .gif.

    Raises ValueError if there is no figure.
    """
    if drawn.figure is None:
        raise ValueError(f"the drawing function of {out.stem} returned neither a figure nor a table.")
    title(drawn.figure, drawn.caption)
    save(drawn.figure, out)
    write_numbers(drawn.frame, out)
    if drawn.animation is not None:
        animate(drawn.animation, out.with_suffix(".gif"))


def save(figure: Figure, out: Path) -> None:
    """Write a figure as `out` (.png) and as .svg beside it; equal drawings give equal files, without dates and ids.

    The .png has at least as many pixels as the images in it, and all of their colours. If they are grey, it is reduced
    to 256 colours and a third of the size: results/ is in git, and notebooks and pages contain the picture again.
    """
    drawn = BytesIO()
    figure.savefig(drawn, dpi=resolution(figure))
    with atomic(out) as temporary, Image.open(drawn) as picture:
        whole = picture.convert("RGB")
        written = whole if has_colour_images(figure) else whole.quantize(256, dither=Image.Dither.NONE)
        written.save(temporary, format="PNG", optimize=True)
    # text stays text, in the reader's font, and does not become outlines
    with rc_context({"svg.hashsalt": out.stem, "svg.fonttype": "none"}), atomic(out.with_suffix(".svg")) as temporary:
        figure.savefig(temporary, dpi=SVG_DPI, metadata={"Date": None})


def resolution(figure: Figure) -> int:
    """Return the pixels per inch of a figure: DPI, or more where an image would otherwise lose pixels."""
    figure.draw_without_rendering()  # places the axes
    shown = [image for axis in figure.axes for image in axis.images]
    return ceil(
        max([DPI, *(image.get_size()[1] / image.axes.get_window_extent().width * figure.dpi for image in shown)])
    )


def has_colour_images(figure: Figure) -> bool:
    """Return whether a figure shows images of three channels."""
    shown = [np.asarray(image.get_array()) for axis in figure.axes for image in axis.images]
    return any(pixels.shape[2:] == (3,) for pixels in shown)


def write_numbers(frame: pd.DataFrame, out: Path) -> None:
    """Write the numbers behind a figure as .csv beside it."""
    with atomic(out.with_suffix(".csv")) as temporary:
        frame.to_csv(temporary, index=False)


def line(axis: Axes, frame: pd.DataFrame, x: str, y: str, label: str, style: Mapping[str, Any]) -> None:
    """Draw column `y` of `frame` against `x`: means over seeds at each iteration, with a band over their range."""
    rows = frame.groupby("iteration").agg(x=(x, "mean"), y=(y, "mean"), low=(y, "min"), high=(y, "max"))
    axis.plot(rows["x"], rows["y"], label=label, markersize=4, **style)
    if frame["seed"].nunique() > 1:
        axis.fill_between(rows["x"], rows["low"], rows["high"], color=style["color"], alpha=0.2, linewidth=0)


def draw_strips(axis: Axes, strips: Mapping[str, np.ndarray]) -> None:
    """Draw strips of images (n, H, W, C), uint8, below each other, each with its name."""
    n, height = max(map(len, strips.values())), next(iter(strips.values())).shape[1] + 1
    # "none" keeps images in .svg at their own size, with square pixels
    rows = np.concatenate([strip(images, n) for images in strips.values()])
    axis.imshow(rows, cmap="gray", vmin=0, vmax=255, interpolation="none")
    axis.set_yticks([height * (i + 0.5) for i in range(len(strips))], list(strips), fontsize=8)
    axis.set_xticks([])
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)


def draw_matrix(axis: Axes, images: np.ndarray, columns: Sequence[str]) -> None:
    """Draw images (rows, columns, H, W, C), uint8, with a name above each column."""
    draw_strips(axis, {" " * row: strip for row, strip in enumerate(images)})
    width = images.shape[3] + 1
    axis.set_xticks([width * (column + 0.5) for column in range(len(columns))], columns, fontsize=8)
    axis.xaxis.tick_top()


def log_scale(axis: Axis) -> None:
    """Make an axis logarithmic, with plain numbers."""
    axis.axes.set_yscale("log")
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(FormatStrFormatter("%g"))
    axis.set_minor_formatter(NullFormatter())
