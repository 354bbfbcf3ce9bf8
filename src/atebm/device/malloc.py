"""Memory on a CPU: blocks that are freed stay with the process."""

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # of glibc's malloc.h
MOST = 2**31 - 1


def keep_memory() -> None:
    """Let glibc keep what is freed, for the rest of the process; elsewhere this does nothing.

    By default it gives every large block back to the kernel, and each new one is cleared again page by page: about a
    tenth of a PGD step of ResNet50 on a CPU (benchmarks/engine.py). The process then stays as large as it ever was.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt is not None:
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, MOST)
