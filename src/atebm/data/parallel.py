"""Decoding and resizing in several processes, in order and with bounded memory."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..utils.errors import DataError
from .readers.images import Pictures

Images = NDArray[np.uint8]  # (N, H, W, C)
Transform = Callable[[Image.Image, int], Images]  # maps a picture and its number to (H, W, C)

TOGETHER = 64  # pictures per part; 13 MB if they have 256 pixels a side
AHEAD = 3  # parts per process that are in progress or waiting to be yielded


def cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def make_in_order(
    pictures: Pictures, numbers: NDArray[np.int64], transform: Transform, start: int, workers: int
) -> Iterator[Images]:
    """Yield in order the results of `transform` for each picture and its number, from position `start` on.

    numbers: (N,), one per picture. With one worker, no process is started. The bytes are the same for any number of
    workers. Raises DataError if a picture is damaged, and if the system kills a worker.
    """
    if workers == 1 or len(numbers) - start <= TOGETHER:
        yield from _make_each(pictures._replace(entries=pictures.entries[start:]), numbers[start:], transform)
        return
    parts = (slice(place, place + TOGETHER) for place in range(start, len(numbers), TOGETHER))
    tasks = ((pictures._replace(entries=pictures.entries[part]), numbers[part]) for part in parts)
    # spawn, since a fork of a process with threads, such as torch's, can hang
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, initializer=_live_with_parent) as pool:
        waiting = deque(pool.submit(_together, *task, transform) for task in islice(tasks, AHEAD * workers))
        try:
            while waiting:
                yield waiting.popleft().result()
                waiting.extend(pool.submit(_together, *task, transform) for task in islice(tasks, 1))
        except BrokenProcessPool:
            raise DataError(
                "a process that decodes images was killed, most often because memory ran out. Repeat the command with "
                "--workers 1, or snakemake with --set-threads data=1: it resumes where it stopped."
            ) from None
        finally:
            pool.shutdown(cancel_futures=True)


def _make_each(pictures: Pictures, numbers: NDArray[np.int64], transform: Transform) -> Iterator[Images]:
    for picture, number in zip(pictures.read(pictures.file, pictures.entries), numbers.tolist(), strict=True):
        yield transform(picture, number)[None]


def _together(pictures: Pictures, numbers: NDArray[np.int64], transform: Transform) -> Images:
    return np.concatenate(list(_make_each(pictures, numbers, transform)))


def _live_with_parent() -> None:
    """End this worker whenever its parent ends, and leave Ctrl-C to the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
