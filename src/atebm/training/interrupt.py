"""SIGTERM (a scheduler's time limit, `kill`) and Ctrl-C: save and exit instead of losing work."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGINT)


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
