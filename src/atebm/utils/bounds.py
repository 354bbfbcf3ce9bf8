"""Bounds on the numbers that users give, on the command line and from Python: declared once for both. No torch."""

import math
import operator
from typing import Any

from .errors import DataError

MOST_STEPS = 10_000  # of PGD; the paper's samplers have at most some hundred
MOST_LENGTH = 1_000.0  # of a step or a radius: two images of 256x256 pixels in colour are at most 443 apart
MOST_RESTARTS = 1_000
MOST_BLENDS = 1_000  # images between two others
MOST_SOURCES = 10_000  # images without images of one's own
MOST_PROCESSES = 1_024
MOST_SEED = 2**63 - 1  # NumPy and PyTorch take as many


def whole_number(name: str, value: Any, least: int, most: int) -> int:
    """Return a whole number in [least, most]. Raises DataError, which names it, for anything else."""
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or isinstance(value, bool) or not least <= number <= most:
        raise DataError(f"{name} = {value!r}: give a whole number from {least} to {most}.")
    return number


def positive_number(name: str, value: Any, most: float = MOST_LENGTH) -> float:
    """Return a finite number in (0, most]. Raises DataError, which names it, for anything else."""
    try:
        number = math.nan if isinstance(value, bool | str | bytes) else float(value)
    except (TypeError, ValueError, OverflowError, RuntimeError):  # the last of tensors
        number = math.nan
    if not 0 < number <= most:
        raise DataError(f"{name} = {value!r}: give a number above 0, up to {most:g}.")
    return number
