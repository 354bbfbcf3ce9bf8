"""How far a long computation is: a bar in a terminal, plain lines in a log."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

LINES = 10  # in a log of a short computation
MINUTES = 1  # between lines of a long one
# Told of each report, beside who reads: what, how much is done, and of how much. A rehearsal times by them.
WATCHERS: list[Callable[[str, int, int], None]] = []


@contextmanager
def progress(what: str, total: int, start: int = 0, quiet: bool = False) -> Iterator[Callable[..., None]]:
    """Give a function report(done, note="") for the block; `start` is what an earlier, interrupted run had done.

    `quiet` is for all but one of several processes that do the same.
    """
    with shown(what, total, start, quiet) as show:

        def report(done: int, note: str = "") -> None:
            show(done, note)
            for watch in WATCHERS:
                watch(what, done, total)

        for watch in WATCHERS:
            watch(what, start, total)
        yield report


@contextmanager
def shown(what: str, total: int, start: int, quiet: bool) -> Iterator[Callable[..., None]]:
    """Give a function that shows how far a computation is, as a bar or in lines."""
    if quiet:
        yield lambda done, note="": None
        return
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, TextColumn("{task.fields[note]}"), console=Console(stderr=True)) as bar:
            task = bar.add_task(what, total=total, completed=start, note="")

            def show(done: int, note: str = "") -> None:
                bar.update(task, completed=done, note=note)

            yield show
        return
    began = spoke = time.monotonic()
    printed = start

    def report(done: int, note: str = "") -> None:
        nonlocal printed, spoke
        now = time.monotonic()
        if done == total or (done - printed) * LINES >= total or now - spoke >= 60 * MINUTES:
            printed, spoke = done, now
            speed = pace(done - start, total - done, now - began)
            print(f"{what}: {done}/{total} after {speed}  {note}".rstrip(), flush=True)

    yield report


def pace(done: int, left: int, seconds: float) -> str:
    """Return such as "90 s, 0.5/s, 0:01:00 left", of what was done in so many seconds and what is left."""
    if not (done > 0 and seconds > 0):
        return f"{seconds:.0f} s"
    spent = f"{seconds:.0f} s, {done / seconds:.2g}/s"
    return f"{spent}, {timedelta(seconds=round(left * seconds / done))} left" if left > 0 else spent
