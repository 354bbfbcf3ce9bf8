"""Compare samples' distances to training images with those to as many held-out images: memorised ones are nearer."""

import numpy as np
import pandas as pd

from ..config.roles import AS_MANY, UNSEEN


def nearest_of_as_many(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a row per space and sample of neighbours.csv: distances to the nearest training and held-out image."""
    nearest = frame[frame["among"].isin([AS_MANY, UNSEEN])]
    return nearest.pivot(index=["space", "sample"], columns="among", values="distance").reset_index()


def ratios(distances: pd.DataFrame) -> pd.Series:
    """Return the distance to the nearest training image over that to the nearest held-out one.

    It is 0 for a sample that is itself a training image.
    """
    return distances[AS_MANY] / distances[UNSEEN].replace(0, np.nan)
