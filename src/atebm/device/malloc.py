"""CPU memory: freed blocks stay with the process."""

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # from glibc's malloc.h
MOST = 2**31 - 1


def keep_memory() -> None:
    """Let glibc keep freed memory for the rest of the process; without glibc, do nothing.

    By default, glibc returns every large block to the kernel, which clears each new block page by page: this takes
    about a tenth of a PGD step of ResNet50 on a CPU (benchmarks/engine.py). After this call, the process never shrinks.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl does not have it
    if mallopt is not None:
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, MOST)
