"""Signals (a scheduler's time limit, `kill`, Ctrl-C) and the end of a budget of time: save and exit, losing no work."""

import math
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from ..utils.errors import ConfigError
from .distributed import Group

# USR1 is what schedulers send some time before the end, if asked for (sbatch --signal); ALRM, that a budget is used up.
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGALRM)
BUDGET = "ATEBM_MINUTES"  # that a training may take at once
# Iterations: several processes must stop at the same one, so they ask each other now and then. torchrun and Slurm kill
# 30 seconds after their first signal, and an iteration of the 256x256 network can take two.
ASK_EVERY = 5


def stops(iteration: int, received: list[int], group: Group) -> bool:
    """Return whether a signal came, to this process or, at times, to another one of its group."""
    if group.size > 1:
        if iteration % ASK_EVERY:
            return False
        received[:] = sorted({number for numbers in group.collect(received) for number in numbers})[:1]
    return bool(received)


@contextmanager
def signals() -> Iterator[list[int]]:
    """Give a list that holds the first signal received during the block; a second one ends the process as usual.

    With a budget in the environment, the kernel sends one when that many minutes have passed. Raises ConfigError where
    it is no positive number.
    """
    received: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        received.append(number)
        restore()

    def restore() -> None:
        for which, handler in previous.items():
            signal.signal(which, handler)

    seconds = budget()
    previous = {which: signal.signal(which, note) for which in SIGNALS}
    signal.setitimer(signal.ITIMER_REAL, seconds)  # of 0: never
    try:
        yield received
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        restore()


def budget() -> float:
    """Return seconds that a training may take; 0 where there is no limit."""
    minutes = os.environ.get(BUDGET)
    if minutes is None:
        return 0
    try:
        seconds = 60 * float(minutes)
    except ValueError:
        seconds = 0
    if not 0 < seconds < math.inf:
        raise ConfigError(f"{BUDGET}={minutes}: give the minutes that a training may take at once, such as 230.")
    return seconds
