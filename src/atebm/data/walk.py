"""Image files in a folder and below: which are taken, which are left out, and why."""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ..utils.errors import shown
from .readers.bitmaps import SUFFIXES

LINKED, HIDDEN, UNREADABLE, NO_FILE, OTHER = "linked", "hidden", "unreadable", "no file", "other"
# What is left out, as it follows a number, and what to do where it is meant to count.
WORDS = {
    LINKED: "linked folders, which are not followed: put the folders there, or name them",
    HIDDEN: "hidden files and folders: rename those that are to count",
    UNREADABLE: "folders that cannot be read: make them readable",
    NO_FILE: "links that lead nowhere, or files that are none",
    OTHER: "files of other kinds",
}
MOST_KINDS = 5  # suffixes that are named


@dataclass
class Walk:
    """What was found in a folder and below."""

    folder: Path
    files: list[Path] = field(default_factory=list)  # taken, sorted
    left: dict[str, list[Path]] = field(default_factory=dict)  # by the keys of WORDS

    def leave(self, path: Path, why: str) -> None:
        self.left.setdefault(why, []).append(path)

    @property
    def taken(self) -> str:
        return f"{shown(self.folder)}: {len(self.files)} image files taken"

    def lines(self) -> Iterator[str]:
        """Say for each reason how much was left out, with an example."""
        for why, paths in self.left.items():
            kinds = f" ({suffixes(paths)}): save as .png or .jpg those that are to count" if why == OTHER else ""
            yield f"{shown(self.folder)}: left out {len(paths)} {WORDS[why]}{kinds}; the first is {shown(paths[0])}"


def suffixes(paths: list[Path]) -> str:
    """Return such as "12 .heic, 3 .txt", the most frequent first."""
    found = Counter(path.suffix.lower() or "without a suffix" for path in paths).most_common()
    more = [f"{sum(count for _, count in found[MOST_KINDS:])} more"] if len(found) > MOST_KINDS else []
    return ", ".join([*(f"{count} {shown(suffix)}" for suffix, count in found[:MOST_KINDS]), *more])


def walk(folder: Path) -> Walk:
    """Find image files by their suffixes. Links to files count; links to folders are not followed, so no loop hangs."""
    found = Walk(folder)
    for here, folders, files in os.walk(folder, onerror=lambda error: found.leave(Path(error.filename), UNREADABLE)):
        for name in sorted(folders):
            path = Path(here, name)
            if name.startswith("."):
                found.leave(path, HIDDEN)
            elif path.is_symlink():
                found.leave(path, LINKED)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            sort(Path(here, name), found)
    found.files.sort()
    return found


def sort(path: Path, found: Walk) -> None:
    """Take a file, or leave it out for a reason. Hidden ones of other kinds, as systems leave them, are not counted."""
    image = path.suffix.lower() in SUFFIXES
    if path.name.startswith("."):
        if image:
            found.leave(path, HIDDEN)
    elif not image:
        found.leave(path, OTHER)
    elif not path.is_file():
        found.leave(path, NO_FILE)
    else:
        found.files.append(path)
