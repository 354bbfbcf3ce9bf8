"""Lock files between processes. The kernel releases a lock when its process ends, however that happens.

They are POSIX locks, which also work on NFS.
"""

import errno
import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file `path` during the block; while another process holds it, print which one and wait.

    On a file system without locks the block runs unprotected, with a warning.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        try:
            _lock(file, path)
        except OSError as error:
            if error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP):
                raise
            print(f"warning: {path}: this file system has no locks; never run two workflows here at once.", flush=True)
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}")
        file.flush()
        yield


def try_lock(file: IO[str] | int) -> bool:
    """Lock an open file or descriptor until this process closes it; return False if another process holds it.

    Raises OSError on a file system without locks.
    """
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


def is_held(path: Path) -> bool:
    """Return whether another process holds the lock file `path`; also True if the file system has no locks."""
    with path.open("a") as file:
        try:
            return not try_lock(file)
        except OSError:
            return True


def _lock(file: IO[str], path: Path) -> None:
    if not try_lock(file):
        file.seek(0)
        print(f"waiting for {path.stem}: {file.read() or 'another process'} is computing it. Let it finish or end it;")
        print("a training then resumes from its last checkpoint.", flush=True)
        fcntl.lockf(file, fcntl.LOCK_EX)
