"""What a drawing function returns."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.figure import Figure


@dataclass(frozen=True)
class Drawn:
    """A figure, or a table for a page; the numbers behind it, and its words."""

    frame: pd.DataFrame  # all numbers
    caption: str
    headline: str  # what was measured, in a line
    published: str = ""  # what the paper reports, in a line; empty where that is a picture, or nothing
    figure: Figure | None = None
    shown: pd.DataFrame | None = None  # of a table, what fits a page
    animation: np.ndarray | None = None  # images (n, frames, H, W, C), uint8
