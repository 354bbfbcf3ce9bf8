"""What processes share: threads of their libraries, and folders for their sockets."""

import os
import tempfile

# As in Snakemake's jobs: libraries read these when they are loaded, so that a job with others starts on its own.
THREADS = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def for_sockets() -> str:
    """Return the folder of temporary files, or /tmp where that has too long a path for Unix sockets.

    A socket's path has at most 107 bytes on Linux and 103 elsewhere; multiprocessing's take 33 below the folder.
    """
    usual = tempfile.gettempdir()
    return usual if len(os.fsencode(usual)) <= 70 else "/tmp"  # nosec B108  # in it, in a folder of this user alone
