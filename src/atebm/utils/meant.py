"""Names that were misspelt, and which one was meant."""

from collections.abc import Iterable
from difflib import get_close_matches

MOST = 12  # names in a sentence; of more, a command lists them


def did_you_mean(name: str, known: Iterable[str], listed: str) -> str:
    """Return how a sentence on an unknown name ends: with the nearest names, with all if few, or with what lists them.

    `listed` is the command that lists them, such as "atebm status runs".
    """
    names = list(dict.fromkeys(known))
    if near := get_close_matches(name, names, 3, 0.6):
        return f"did you mean {' or '.join(near)}? `{listed}` lists all."
    return f"there are: {', '.join(names)}." if len(names) <= MOST else f"`{listed}` lists them."
