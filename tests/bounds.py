"""Bounds on time and memory for what a test runs: beyond them it fails, whatever the code does with exceptions."""

import faulthandler
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

SECONDS = 5  # of the processor, which no other process of the machine can use up
MEMORY = 2**28  # bytes more than before


@contextmanager
def bounded(seconds: float = SECONDS, memory: int = MEMORY) -> Iterator[None]:
    """Let the block fail the test once it takes longer, and let it run into a MemoryError once it takes more.

    A hang in compiled code, which no signal interrupts, ends the process and shows where it was.
    """

    def late(*_: object) -> None:
        pytest.fail(f"it computes for more than {seconds} s")  # no Exception, which readers turn into sentences

    before = signal.signal(signal.SIGPROF, late)
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + memory, hard))
    signal.setitimer(signal.ITIMER_PROF, seconds)
    faulthandler.dump_traceback_later(30 * seconds, exit=True)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
        signal.setitimer(signal.ITIMER_PROF, 0)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        signal.signal(signal.SIGPROF, before)
