"""What all figures share: their canvas, their files, and strips of images."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ..files import atomic

DPI = 110  # 12 inches fill a notebook's width, and results/ stay small enough for git


def canvas(width: float, height: float) -> Figure:
    """An empty figure of inches, without pyplot and its state."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


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


def strip(images: np.ndarray, columns: int) -> np.ndarray:
    """Images (n, H, W, C), n <= columns, in a strip (H + 1, columns * (W + 1), C), apart by one white pixel."""
    padded = np.pad(images, ((0, columns - len(images)), (0, 0), (0, 0), (0, 0)), constant_values=255)
    framed = np.pad(padded, ((0, 0), (0, 1), (0, 1), (0, 0)), constant_values=255)
    return np.concatenate(list(framed), axis=1)
