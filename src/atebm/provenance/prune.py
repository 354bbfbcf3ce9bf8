"""Find and remove steps in work/ that no plan uses any more."""

import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..pipeline.kept import NUMBERS
from ..pipeline.kinds import FILES
from ..pipeline.plan import Plan
from ..utils.files import bytes_in
from ..utils.locks import is_held
from ..utils.quantities import size


@dataclass(frozen=True)
class Leftover:
    """A step that no plan uses, with all its files and folders."""

    step: str  # kind/id
    paths: list[Path]
    bytes: int


def leftovers(plans: Iterable[Plan], root: Path) -> list[Leftover]:
    """Return steps in work/ that none of `plans` uses, except those that a process is computing at the moment."""
    named = {key for plan in plans for key in plan.known}
    found = {
        (kind, path.name.removesuffix(".json"))
        for kind in FILES
        for place in (f"work/{kind}", f"work/specs/{kind}", f"work/checkpoints/{kind}")
        for path in (root / place).glob("*-????????*")
    }
    return [
        Leftover(f"{kind}/{id}", paths, sum(bytes_in(path) for path in paths))
        for kind, id in sorted(found - named)
        if (paths := paths_of(kind, id, root)) and not any(is_held(path) for path in paths if path.suffix == ".lock")
    ]


def paths_of(kind: str, id: str, root: Path) -> list[Path]:
    places = ("work/{}/{}", "work/specs/{}/{}.json", "work/checkpoints/{}/{}")
    paths = [root / place.format(kind, id) for place in places]
    patterns = (f"work/locks/{kind}/{id}.*lock", f"work/locks/{NUMBERS}/{kind}/{id}.lock", f"logs/{kind}/{id}.*")
    return [path for path in paths if path.exists()] + [path for glob in patterns for path in sorted(root.glob(glob))]


def remove(found: Iterable[Leftover]) -> None:
    for leftover in found:
        for path in leftover.paths:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def summary(found: list[Leftover], removed: bool) -> dict[str, Any]:
    """Return leftovers, and whether they were removed, as JSON."""
    steps = [{"step": leftover.step, "bytes": leftover.bytes} for leftover in found]
    return {"steps": steps, "bytes": sum(leftover.bytes for leftover in found), "removed": removed}


def describe_leftovers(found: dict[str, Any]) -> Iterator[str]:
    """Yield the lines that describe a summary."""
    for row in found["steps"]:
        yield f"{size(row['bytes']):>10}  {row['step']}"
    number = len(found["steps"])
    steps = f"{number:,} step{'s' * (number != 1)} ({size(found['bytes'])})"
    yield f"Removed: {steps}." if found["removed"] else f"Not used by any plan: {steps}; --yes removes them."
