"""Define a step: one computation of one kind, defined by its spec and named by its digest.

A digest covers the step's own settings and its parents' digests, so a path such as `work/train/cifar10-1a2b3c4d/` can
only ever hold one content: nothing is overwritten, nothing becomes stale, and a changed key gives new paths exactly
downstream of it.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from ..archives.catalogue import ARCHIVES, unpacked_folder
from ..utils.files import write_if_changed
from ..utils.hashing import canonical
from .kinds import FILES, REVISION


@dataclass(frozen=True, eq=False)
class Step:
    """One computation of one kind; equal digests mean equal results, and equal steps."""

    kind: str
    name: str
    settings: dict[str, Any]
    parents: dict[str, "Step"] = field(default_factory=dict)
    section: tuple[str, ...] = ()  # the section of config.yaml with its settings; not part of the digest
    archives: tuple[str, ...] = ()  # files of data/archives/ that it reads; an index has the file of images first

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Step) and self.folder == other.folder

    def __hash__(self) -> int:
        return hash(self.folder)

    @cached_property
    def spec(self) -> dict[str, Any]:
        """Return everything that defines the step, as JSON."""
        return {
            "kind": self.kind,
            "name": self.name,
            "revision": REVISION[self.kind],
            "settings": self.settings,
            "parents": {role: f"{parent.kind}/{parent.id}" for role, parent in self.parents.items()},
        }

    @cached_property
    def id(self) -> str:
        return f"{self.name}-{hashlib.sha256(canonical(self.spec).encode()).hexdigest()[:8]}"

    @cached_property
    def folder(self) -> str:
        return f"work/{self.kind}/{self.id}"

    @property
    def files(self) -> list[str]:
        return [f"{self.folder}/{name}" for name in FILES[self.kind]]

    @property
    def record(self) -> str:
        """Return the file that is written last."""
        return self.files[-1]

    @property
    def spec_file(self) -> str:
        return f"work/specs/{self.kind}/{self.id}.json"

    def parent_files(self) -> list[str]:
        """Return all files of the step's parents."""
        return [file for parent in self.parents.values() for file in parent.files]

    def missing_archives(self, folder: Path = ARCHIVES) -> list[Path]:
        """Return the missing files among the archives that the step reads, its own or those of a parent index."""
        indices = [step for step in (self, *self.parents.values()) if step.kind == "index"]
        indexed = {index.archives[0] for index in indices}
        paths = [folder / file for file in dict.fromkeys((*self.archives, *indexed))]
        return [path for path in paths if not (path.exists() or unpacked_folder(path))]

    def ancestry(self) -> Iterator["Step"]:
        """Yield all steps that this step depends on, parents first, and the step itself."""
        yield from ancestors([self]).values()


def unique(steps: Iterable[Step]) -> list[Step]:
    """Return each of the steps once, in their order."""
    return list(dict.fromkeys(steps))


def ancestors(steps: Iterable[Step]) -> dict[tuple[str, str], Step]:
    """Return steps and all steps that they depend on, by kind and id, parents first."""
    found: dict[tuple[str, str], Step] = {}

    def visit(step: Step) -> None:
        if (step.kind, step.id) not in found:
            for parent in step.parents.values():
                visit(parent)
            found[step.kind, step.id] = step

    for step in steps:
        visit(step)
    return found


def write_specs(steps: Iterable[Step], root: Path) -> None:
    for step in steps:
        write_if_changed(root / step.spec_file, canonical(step.spec))
