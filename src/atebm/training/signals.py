"""Handle signals (a scheduler's time limit, `kill`, Ctrl-C) and a time budget, so that a training can save and exit."""

import math
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from ..utils.errors import ConfigError
from .distributed import Group

# Schedulers send USR1 some time before the end, on request (sbatch --signal); ALRM means that the budget is used up.
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGALRM)
BUDGET = "ATEBM_MINUTES"  # minutes that a training may take at once
# Iterations between questions: processes must stop at the same iteration, so they ask each other now and then. torchrun
# and Slurm kill 30 seconds after their first signal, and an iteration of the 256x256 network can take two.
ASK_EVERY = 5


def stops(iteration: int, received: list[int], group: Group) -> bool:
    """Return whether a signal reached this process or, checked every ASK_EVERY iterations, another one of its group."""
    if group.size > 1:
        if iteration % ASK_EVERY:
            return False
        received[:] = sorted({number for numbers in group.collect(received) for number in numbers})[:1]
    return bool(received)


@contextmanager
def signals() -> Iterator[list[int]]:
    """Give a list that receives the first signal during the block; a second signal ends the process as usual.

    With a budget in the environment, the kernel sends a signal after that many minutes. Raises ConfigError if the
    budget is not a positive number.
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
    signal.setitimer(signal.ITIMER_REAL, seconds)  # 0: never
    try:
        yield received
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        restore()


def budget() -> float:
    """Return the seconds that a training may take; 0 without a limit."""
    minutes = os.environ.get(BUDGET)
    if minutes is None:
        return 0
    try:
        seconds = 60 * float(minutes)
    except ValueError:
        seconds = 0
    if not 0 < seconds < math.inf:
        raise ConfigError(f"{BUDGET}={minutes}: set it to the minutes that a training may take at once, such as 230.")
    return seconds
