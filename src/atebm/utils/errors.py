"""Define errors that are sentences for the user: what is wrong, where, what to do; the command line prints no more."""

import errno
import re
import unicodedata
from pathlib import Path

# Mistakes in names on a command line; a missing file can also mean that an earlier step has not run.
MISTAKEN = {
    errno.ENOENT: "there is no such file or folder",
    errno.ENOTDIR: "a part of this path is a file and not a folder",
    errno.EEXIST: "a file of this name exists",
    errno.EISDIR: "it is a folder and not a file",
    errno.ENAMETOOLONG: "the name is too long for this file system: choose a shorter one",
    errno.ELOOP: "its links lead in a circle",
}


def sentence(error: Exception) -> str | None:
    """Return a sentence for an error caused by the machine or a path; None for errors of the program."""
    if type(error).__name__ == "OutOfMemoryError":  # PyTorch's, of a GPU; without importing it
        return (
            "the GPU does not have enough memory for this batch. End other processes on it and repeat the command. Or "
            "share each batch of a training among several GPUs (gpus_per_run); or lower batch_size in the "
            "configuration, which makes it another run."
        )
    if isinstance(error, MemoryError) or "DefaultCPUAllocator" in str(error):  # PyTorch's, of a machine's memory
        return "this machine does not have enough memory for this step. Run fewer steps at once, or lower batch_size."
    if not isinstance(error, OSError):
        return None
    where = re.sub(r"(^|/)\.\d+\.([^/]+)$", r"\1\2", str(error.filename or "a disk"))  # without its temporary prefix
    # numpy's error has no number if a file takes less than it writes
    if error.errno in (errno.ENOSPC, errno.EDQUOT) or (error.errno is None and "requested and" in str(error)):
        return f"{where}: no space left. Make room and repeat the command."
    if error.errno in MISTAKEN and error.filename is not None:
        return f"{shown(where)}: {MISTAKEN[error.errno]}."
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return f"{where}: {error.strerror}. Make it readable and writable for this user and repeat the command."
    return None


class UserError(Exception):
    """Base class of errors that are sentences for the user."""

    exit_code = 1


class ConfigError(UserError):
    """A mistake in config.yaml, a scale file, --config or an argument."""


class DataError(UserError):
    """A data file is missing, altered or not as expected."""


class ResultError(UserError):
    """A computation gave a result that must not be used."""


class StoppedError(UserError):
    """A signal stopped a long computation, which saved its state."""

    def __init__(self, sentence: str, number: int):
        super().__init__(sentence)
        self.exit_code = 128 + number  # shells report signals in this way


def shown(path: Path | str) -> str:
    """Return a name for one line of any terminal, with escapes for bytes that are not text and for control characters.

    A tab becomes "\\t", a byte that is not UTF-8 "\\xff", and a backslash two: different names stay different.
    """
    return "".join(_escaped(letter) for letter in str(path))


def _escaped(letter: str) -> str:
    if "\udc80" <= letter <= "\udcff":  # os.fsdecode gives these for bytes that are not UTF-8
        return f"\\x{ord(letter) - 0xDC00:02x}"
    special = letter == "\\" or unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp")
    return letter.encode("unicode_escape").decode("ascii") if special else letter
