"""Define what a drawing function returns."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.figure import Figure


@dataclass(frozen=True)
class Drawn:
    """A figure or a table for a page, with the numbers behind it and its words."""

    frame: pd.DataFrame  # all numbers
    caption: str
    headline: str  # the measured result in one line
    published: str = ""  # the paper's result in one line; empty if it is a picture or missing
    figure: Figure | None = None
    shown: pd.DataFrame | None = None  # the part of a table that fits a page
    animation: np.ndarray | None = None  # images (n, frames, H, W, C), uint8
