"""Decoding and resizing in several processes, in order and in bounded memory."""

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
Transform = Callable[[Image.Image, int], Images]  # of a picture and its number to (H, W, C)

TOGETHER = 64  # pictures that a process makes at once: 13 MB of 256 pixels
AHEAD = 3  # such parts a process, that are under way or wait for their turn


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def make_in_order(
    pictures: Pictures, numbers: NDArray[np.int64], transform: Transform, start: int, workers: int
) -> Iterator[Images]:
    """Yield what `transform` makes of each picture, which has one of `numbers` (N,), from place `start` on, in order.

    With one worker no process is started. The bytes are the same for any number of workers.
    Raises DataError as `Pictures.read`, and where the system ends a worker.
    """
    if workers == 1 or len(numbers) - start <= TOGETHER:
        yield from _make_each(pictures._replace(entries=pictures.entries[start:]), numbers[start:], transform)
        return
    parts = (slice(place, place + TOGETHER) for place in range(start, len(numbers), TOGETHER))
    tasks = ((pictures._replace(entries=pictures.entries[part]), numbers[part]) for part in parts)
    # spawn: a forked copy of a process with threads, such as torch's, can hang
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, initializer=_live_with_parent) as pool:
        waiting = deque(pool.submit(_together, *task, transform) for task in islice(tasks, AHEAD * workers))
        try:
            while waiting:
                yield waiting.popleft().result()
                waiting.extend(pool.submit(_together, *task, transform) for task in islice(tasks, 1))
        except BrokenProcessPool:
            raise DataError(
                "a process that decodes images was ended from outside, most often for want of memory. Repeat the "
                "command with --workers 1, or snakemake with --set-threads data=1: it goes on where it stopped."
            ) from None
        finally:
            pool.shutdown(cancel_futures=True)


def _make_each(pictures: Pictures, numbers: NDArray[np.int64], transform: Transform) -> Iterator[Images]:
    for picture, number in zip(pictures.read(pictures.file, pictures.entries), numbers.tolist(), strict=True):
        yield transform(picture, number)[None]


def _together(pictures: Pictures, numbers: NDArray[np.int64], transform: Transform) -> Images:
    return np.concatenate(list(_make_each(pictures, numbers, transform)))


def _live_with_parent() -> None:
    """End this worker when its parent ends, however that ends; leave Ctrl-C to the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
