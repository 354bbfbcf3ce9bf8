"""Whether samples are nearer to training images than to as many held-out ones, as memorised images would be."""

import numpy as np
import pandas as pd

from ..config.roles import AS_MANY, UNSEEN


def nearest_of_as_many(frame: pd.DataFrame) -> pd.DataFrame:
    """Return, from neighbours.csv, a row per space and sample: distances to the nearest training and held-out image."""
    nearest = frame[frame["among"].isin([AS_MANY, UNSEEN])]
    return nearest.pivot(index=["space", "sample"], columns="among", values="distance").reset_index()


def ratios(distances: pd.DataFrame) -> pd.Series:
    """Return distances to the nearest training image over those to the nearest held-out one; 0 for a training image."""
    return distances[AS_MANY] / distances[UNSEEN].replace(0, np.nan)
