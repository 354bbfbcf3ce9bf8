"""Declare bounds on numbers that users give, once for the command line and Python. No torch."""

import math
import operator
from typing import Any

from .errors import DataError

MOST_STEPS = 10_000  # of PGD; the paper's samplers take at most a few hundred
MOST_LENGTH = 1_000.0  # of a step or a radius; the distance of two 256x256 colour images is at most 443
MOST_RESTARTS = 1_000
MOST_BLENDS = 1_000  # images between two others
MOST_SOURCES = 10_000  # held-out images to start from
MOST_PROCESSES = 1_024
MOST_SEED = 2**63 - 1  # the largest seed of NumPy and PyTorch


def whole_number(name: str, value: Any, least: int, most: int) -> int:
    """Return `value` as a whole number in [least, most]. Raises DataError with `name` for anything else."""
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or isinstance(value, bool) or not least <= number <= most:
        raise DataError(f"{name} = {value!r}: give a whole number from {least} to {most}.")
    return number


def positive_number(name: str, value: Any, most: float = MOST_LENGTH) -> float:
    """Return `value` as a finite number in (0, most]. Raises DataError with `name` for anything else."""
    try:
        number = math.nan if isinstance(value, bool | str | bytes) else float(value)
    except (TypeError, ValueError, OverflowError, RuntimeError):  # tensors raise RuntimeError
        number = math.nan
    if not 0 < number <= most:
        raise DataError(f"{name} = {value!r}: give a number above 0, up to {most:g}.")
    return number
