"""SIGTERM (a scheduler's time limit, `kill`) and Ctrl-C: save and exit instead of losing work."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from .distributed import Group

SIGNALS = (signal.SIGTERM, signal.SIGINT)
ASK_EVERY = 20  # iterations: several processes must stop at the same one, so they ask each other now and then


def stops(iteration: int, received: list[int], group: Group) -> bool:
    """Whether a signal came, to this process or, at times, to another one of its group."""
    if group.size > 1:
        if iteration % ASK_EVERY:
            return False
        received[:] = sorted({number for numbers in group.collect(received) for number in numbers})[:1]
    return bool(received)


@contextmanager
def signals() -> Iterator[list[int]]:
    """A list that holds the first signal received during the block; a second one ends the process as usual."""
    received: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        received.append(number)
        restore()

    def restore() -> None:
        for which, handler in previous.items():
            signal.signal(which, handler)

    previous = {which: signal.signal(which, note) for which in SIGNALS}
    try:
        yield received
    finally:
        restore()
