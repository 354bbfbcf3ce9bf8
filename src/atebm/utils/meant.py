"""Suggest the intended name for a misspelt one."""

from collections.abc import Collection, Iterable
from difflib import get_close_matches

MOST = 12  # names in a sentence; longer lists are left to a command


def did_you_mean(name: str, known: Iterable[str], listed: str) -> str:
    """Return the end of a sentence about an unknown name: the nearest names, all names if few, or a command.

    `listed` is the command that lists the names, such as "atebm status runs".
    """
    names = list(dict.fromkeys(known))
    if near := get_close_matches(name, names, 3, 0.6):
        return f"did you mean {' or '.join(near)}? `{listed}` lists all."
    return f"there are: {', '.join(names)}." if len(names) <= MOST else f"`{listed}` lists them."


def suggestion(name: str, known: Collection[str]) -> str:
    """Suggest a replacement for an unknown name: the one that was probably meant, or some known ones."""
    known = [str(other) for other in known]  # YAML makes numbers of some names
    if close := get_close_matches(name, known, 1):
        return f"Did you mean {close[0]}?"
    first = sorted(known)[:MOST]
    if not first:
        return "It is empty."
    return f"Choose one of {', '.join(first)}{f' and {len(known) - MOST} others' if len(known) > MOST else ''}."
