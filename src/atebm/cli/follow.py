"""Following jobs: their logs' progress lines are shown on the terminal."""

import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

POLL = 2.0  # seconds between looks at the logs
QUICK = 20  # seconds from a job's start to its first shown line, and between its shown lines
PROGRESS = re.compile(r"^.+: \d+/\d+ after (\d+) s.*$", re.MULTILINE)  # a line of progress.py in a log


@contextmanager
def following(logs: Path, out: TextIO = sys.stderr) -> Iterator[None]:
    """Show progress lines of long jobs as they appear in `logs`/**/*.log, while the block lasts."""
    ended = threading.Event()
    begun = {path: path.stat().st_size for path in logs.rglob("*.log")}
    thread = threading.Thread(target=follow, args=(logs, begun, ended, out), daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def follow(logs: Path, read: dict[Path, int], ended: threading.Event, out: TextIO) -> None:
    """Show new progress lines of the logs until `ended` is set; `read` has the bytes read from each log so far."""
    shown: dict[Path, int] = {}
    while not ended.wait(POLL):
        for path in logs.rglob("*.log"):
            size = path.stat().st_size
            known = read.get(path, 0)
            if size == known:
                continue
            if size < known:  # a job that is retried starts its log again
                known = 0
            with path.open("rb") as file:
                file.seek(known)
                new = file.read(size - known)
            whole = new.rpartition(b"\n")[0]
            read[path] = known + len(whole) + bool(whole)
            for line in list(PROGRESS.finditer(whole.decode(errors="replace")))[-1:]:
                seconds = int(line[1])
                last = shown.get(path, 0)
                if seconds >= QUICK and not last <= seconds < last + QUICK:
                    shown[path] = seconds
                    print(f"  {line[0]}", file=out, flush=True)
