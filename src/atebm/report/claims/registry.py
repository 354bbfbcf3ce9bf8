"""Collect all claims, in the order of the paper."""

from .claim import Claim, Words
from .detection import detection
from .generation import generation
from .ingredients import ingredients
from .stability import stability
from .supplement import supplement
from .theory import theory


def registry(words: Words | None = None) -> list[Claim]:
    """Return every claim in the words of a scale; without `words`, data have the paper's names."""
    said = words or Words()
    parts = (theory, ingredients, generation, detection, stability, supplement)
    return [claim for part in parts for claim in part(said)]
