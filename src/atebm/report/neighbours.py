"""Whether samples are nearer to training images than to as many held-out ones: what memorised images would be."""

import numpy as np
import pandas as pd

from ..config.roles import AS_MANY, UNSEEN


def compared(frame: pd.DataFrame) -> pd.DataFrame:
    """Of neighbours.csv, a row per space and sample: its distances to the nearest training and held-out image."""
    nearest = frame[frame["among"].isin([AS_MANY, UNSEEN])]
    return nearest.pivot(index=["space", "sample"], columns="among", values="distance").reset_index()


def ratios(own: pd.DataFrame) -> pd.Series:
    """Distance to the nearest training image over that to the nearest held-out one; 0 where a training image is met."""
    return own[AS_MANY] / own[UNSEEN].replace(0, np.nan)
