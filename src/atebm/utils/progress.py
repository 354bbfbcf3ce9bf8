"""Report the progress of a long computation: a bar in a terminal, plain lines in a log."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

LINES = 10  # lines in the log of a short computation
MINUTES = 1  # minutes between lines of a long one
# Called at each report with what is computed, how much is done, and how much there is. A rehearsal measures time so.
WATCHERS: list[Callable[[str, int, int], None]] = []


@contextmanager
def progress(what: str, total: int, start: int = 0, quiet: bool = False) -> Iterator[Callable[..., None]]:
    """Give a function report(done, note="") for the block; `start` is the work that an interrupted run had done.

    Set `quiet` in all but one of several processes that do the same work.
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
    """Return a text such as "90 s, 0.5/s, 0:01:00 left" from the work done, the work left and the time spent."""
    if not (done > 0 and seconds > 0):
        return f"{seconds:.0f} s"
    spent = f"{seconds:.0f} s, {done / seconds:.2g}/s"
    return f"{spent}, {timedelta(seconds=round(left * seconds / done))} left" if left > 0 else spent
