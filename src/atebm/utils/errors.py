"""Errors that are sentences for the user: what is wrong, where, and what to do. The command line prints them alone."""

import errno
import re
import unicodedata
from pathlib import Path

# Of names that are given on a command line; a file that is missing says as well where a step before has not run.
MISTAKEN = {
    errno.ENOENT: "there is no such file or folder",
    errno.ENOTDIR: "a part of this path is a file, where a folder is wanted",
    errno.EEXIST: "there is a file of this name",
    errno.EISDIR: "it is a folder, where a file is wanted",
    errno.ENAMETOOLONG: "the name is longer than this file system takes: choose a shorter one",
    errno.ELOOP: "links that lead to each other",
}


def sentence(error: Exception) -> str | None:
    """Return what to say of an error that lies in the machine and not in the program; None of others."""
    if type(error).__name__ == "OutOfMemoryError":  # PyTorch's, of a GPU; without importing it
        return (
            "the GPU has not the memory for this batch. Free it of other processes and repeat the command. Or share "
            "each batch of a training among several GPUs (gpus_per_run); or lower batch_size in the configuration, "
            "which makes it another run."
        )
    if isinstance(error, MemoryError) or "DefaultCPUAllocator" in str(error):  # PyTorch's, of a machine's memory
        return "this machine has not the memory for this step. Run fewer at once, or lower batch_size."
    if not isinstance(error, OSError):
        return None
    where = re.sub(r"(^|/)\.\d+\.([^/]+)$", r"\1\2", str(error.filename or "a disk"))  # not by its temporary name
    # numpy's has no number where a file takes less than it writes
    if error.errno in (errno.ENOSPC, errno.EDQUOT) or (error.errno is None and "requested and" in str(error)):
        return f"{where}: no space left. Make room and repeat the command."
    if error.errno in MISTAKEN and error.filename is not None:
        return f"{shown(where)}: {MISTAKEN[error.errno]}."
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return f"{where}: {error.strerror}. Make it readable and writable for this user and repeat the command."
    return None


class UserError(Exception):
    """Base of all of them."""

    exit_code = 1


class ConfigError(UserError):
    """Something in config.yaml, a scale file or --config."""


class DataError(UserError):
    """A file of data is missing, altered or not what it should be."""


class ResultError(UserError):
    """A computation ended in something that must not be used."""


class StoppedError(UserError):
    """A signal asked a long computation to stop, and it saved where it stood."""

    def __init__(self, sentence: str, number: int):
        super().__init__(sentence)
        self.exit_code = 128 + number  # as shells report a signal


def shown(path: Path | str) -> str:
    """Return a name on one line of any terminal: what is no text, and what would break a line or a column, is escaped.

    Such as "a\\tb" for a tab, "\\xff" for a byte that is not UTF-8, and two backslashes for one: no two are alike.
    """
    return "".join(_escaped(letter) for letter in str(path))


def _escaped(letter: str) -> str:
    if "\udc80" <= letter <= "\udcff":  # os.fsdecode's, of a byte that is not UTF-8
        return f"\\x{ord(letter) - 0xDC00:02x}"
    special = letter == "\\" or unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp")
    return letter.encode("unicode_escape").decode("ascii") if special else letter
