"""Finding image files in a folder and below: which are taken, which are left out, and why."""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ..utils.errors import shown
from .readers.bitmaps import SUFFIXES

LINKED, HIDDEN, UNREADABLE, NO_FILE, OTHER = "linked", "hidden", "unreadable", "no file", "other"
# What is left out, in words that follow a number, and how to include it.
WORDS = {
    LINKED: "linked folders, which are not followed; to include them, move the folders there, or name them",
    HIDDEN: "hidden files and folders; to include them, rename them",
    UNREADABLE: "folders that cannot be read; to include them, make them readable",
    NO_FILE: "broken links, or entries that are not files",
    OTHER: "files of other kinds",
}
MOST_KINDS = 5  # suffixes that a message names


@dataclass
class Walk:
    """The files found in a folder and below."""

    folder: Path
    files: list[Path] = field(default_factory=list)  # image files, sorted
    left: dict[str, list[Path]] = field(default_factory=dict)  # paths that were left out, by the keys of WORDS

    def leave(self, path: Path, why: str) -> None:
        self.left.setdefault(why, []).append(path)

    @property
    def taken(self) -> str:
        return f"{shown(self.folder)}: {len(self.files)} image files taken"

    def lines(self) -> Iterator[str]:
        """Yield for each reason how many paths were left out, with an example."""
        for why, paths in self.left.items():
            kinds = f" ({suffixes(paths)}); to include them, save them as .png or .jpg" if why == OTHER else ""
            yield f"{shown(self.folder)}: left out {len(paths)} {WORDS[why]}{kinds}. The first is {shown(paths[0])}"


def suffixes(paths: list[Path]) -> str:
    """Return the counts of suffixes, such as "12 .heic, 3 .txt", the most frequent first."""
    found = Counter(path.suffix.lower() or "without a suffix" for path in paths).most_common()
    more = [f"{sum(count for _, count in found[MOST_KINDS:])} more"] if len(found) > MOST_KINDS else []
    return ", ".join([*(f"{count} {shown(suffix)}" for suffix, count in found[:MOST_KINDS]), *more])


def walk(folder: Path) -> Walk:
    """Find image files by suffix. Links to files count; links to folders are not followed: they can form loops."""
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
    """Take a file, or leave it out for a reason. Hidden files that are not images, such as a system's, do not count."""
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
