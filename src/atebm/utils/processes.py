"""Set what processes share: the threads of their libraries, and the folder of their sockets."""

import os
import tempfile

# As in Snakemake's jobs. Libraries read these on loading, so a job with other values needs its own process.
THREADS = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def for_sockets() -> str:
    """Return the folder for temporary files, or /tmp if its path is too long for Unix sockets.

    A socket's path has at most 107 bytes on Linux and 103 elsewhere; multiprocessing adds 33 to the folder's.
    """
    usual = tempfile.gettempdir()
    return usual if len(os.fsencode(usual)) <= 70 else "/tmp"  # nosec B108  # in it, in a folder of this user alone
