"""By which rule a published number will count as reproduced at scale paper: stated before any such run."""

from collections.abc import Sequence
from statistics import mean

import pandas as pd

from ..published import published

LEAST = 3  # seeds of a mean; a single training says nothing of the next
REPRODUCED, NOT_REPRODUCED, OPEN = "reproduced", "not reproduced", "not run"


def rules() -> pd.DataFrame:
    """Return a row per number that the paper publishes of its own models in Tables 2, 3, 4, S7 and S8.

    `within` is how far from `published` the mean over at least LEAST seeds may lie, in the number's own unit (AUROC in
    points), and `reason` why it is as much.
    """
    return published("reproduced")


def judged(theirs: str, within: str, ours: Sequence[float]) -> str:
    """Return whether numbers measured here, one per seed, reproduce a published one by its rule."""
    if len(ours) < LEAST:
        return OPEN
    return REPRODUCED if abs(mean(ours) - float(theirs)) <= float(within) else NOT_REPRODUCED
