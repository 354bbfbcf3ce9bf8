"""Decide whether a published number is reproduced at the paper scale, by rules stated before any such run."""

from collections.abc import Sequence
from statistics import mean

import pandas as pd

from ..published import published

LEAST = 3  # seeds of a mean: a single training says nothing about the next
REPRODUCED, NOT_REPRODUCED, OPEN = "reproduced", "not reproduced", "not run"


def rules() -> pd.DataFrame:
    """Return a row per number that the paper publishes about its own models in Tables 2, 3, 4, S7 and S8.

    `within` is the largest distance from `published` allowed for the mean over at least LEAST seeds, in the number's
    own unit (AUROC in points); `reason` says why.
    """
    return published("reproduced")


def judged(theirs: str, within: str, ours: Sequence[float]) -> str:
    """Return the verdict on a published number, by its rule and the numbers measured here, one per seed."""
    if len(ours) < LEAST:
        return OPEN
    return REPRODUCED if abs(mean(ours) - float(theirs)) <= float(within) else NOT_REPRODUCED
