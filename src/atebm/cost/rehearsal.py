"""`atebm rehearse`: every kind of step of a plan at true shapes for a few iterations, before days are spent.

What is computed is the scale in short (short.py), on miniatures of its archives, each step in a process of its own
(rehearsed.py) below work/rehearsal/. What that took is what extrapolated.py makes hours, memory and disk of.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ..archives.catalogue import ARCHIVES, TABLE, find
from ..data.excerpts import excerpt
from ..data.miniatures import undocumented, write_miniature
from ..pipeline.plan import Plan
from ..pipeline.step import Step, ancestors, write_specs
from ..utils.files import of_checkout, write_text
from ..utils.hub import hub_of
from .passes import passes
from .rehearsed import FAILED
from .short import Length, shortened

FOLDER = Path("work/rehearsal")
SOURCE = Path(__file__).resolve().parents[2]  # where a process finds this package
NOT_TRIED = "not tried"
KILLED = (-9, 137)  # exit statuses: by the system, most often for want of memory

Key = tuple[Any, ...]


@dataclass
class Group:
    """Steps of a plan that are one kind of work, and the step in short that stands for them."""

    steps: list[Step]
    short: Step | None = None  # of a plan in short; None: it has none of their names
    taken: dict[str, Any] = field(default_factory=dict)  # what rehearsed.py found
    said: str = ""  # why it failed, or was not tried

    @property
    def name(self) -> str:
        return f"{self.steps[0].kind}/{self.steps[0].name}"


def groups_of(plan: Plan, steps: Iterable[Step], small: Plan) -> list[Group]:
    """Return the kinds of work among some steps of a plan, each with a step of the plan in short."""
    found: dict[Key, Group] = {}
    for step in steps:
        found.setdefault(kind_of_work(plan, step), Group([])).steps.append(step)
    short = {(step.kind, step.name): step for step in small.known.values()}
    for group in found.values():
        named = (short.get((step.kind, step.name)) for step in group.steps)
        group.short = next(filter(None, named), None)
    return list(found.values())


def kind_of_work(plan: Plan, step: Step) -> Key:
    """Return what decides how fast a step is and how much memory it takes, but for the number of images."""
    settings, found = step.settings, passes(plan, step)
    ways = frozenset(key for key, n in found.items() if n)
    of = settings.get("reader"), settings.get("size"), settings.get("metric"), "weights" in settings
    augment = json.dumps(settings.get("augment"))
    streamed = tuple(role for role, parent in step.parents.items() if parent.kind == "index")
    return step.kind, ways, of, augment, streamed, step.archives


def wanted_steps(plan: Plan, artifacts: list[str], root: Path) -> list[Step]:
    """Return the steps, of some artifacts or of all that the scale draws, that are not done."""
    steps = plan.steps
    if artifacts:
        steps = ancestors(step for name in artifacts for step in plan.artifacts[name])
    return [step for step in steps.values() if not (root / step.record).exists()]


# --- computing ------------------------------------------------------------------------------------------------------


def rehearse(
    plan: Plan, artifacts: list[str], root: Path, device: str, length: Length, tell: Callable[[str], None]
) -> tuple[list[Group], Plan]:
    """Compute what stands for each kind of work that is to be done; a step that fails ends none but those behind it.

    Returns the kinds of work, and the plan in short. `tell` is told of each step. Leaves work/rehearsal/logs/ alone.
    Raises ConfigError as `shortened`, and DataError for an archive that is known in no small form.
    """
    small = Plan(shortened(plan.config, list(plan.overrides), root, length))
    groups = groups_of(plan, wanted_steps(plan, artifacts, root), small)
    steps = ancestors(group.short for group in groups if group.short)
    folder = (root / FOLDER).absolute()
    shutil.rmtree(folder, ignore_errors=True)
    failed: dict[str, str] = {}  # by folder, which step fails, itself or one before it
    try:
        imitate(steps.values(), small, folder, root / ARCHIVES)
        for number, step in enumerate(steps.values(), start=1):
            began, tried = time.monotonic(), Group([step])
            attempt(step, folder, device, plan.config.micro_batch, failed, tried)
            tell(f"{number} of {len(steps)}: {tried.name}: {tried.said or f'{time.monotonic() - began:.0f} s'}")
            its = [group for group in groups if group.short == step]
            for group in its:
                group.taken, group.said = tried.taken, tried.said
            if tried.said and not its and failed[step.folder] == tried.name:  # a step that others need
                groups.append(tried)
    finally:
        for part in ("work", "data"):
            shutil.rmtree(folder / part, ignore_errors=True)
    return groups, small


def attempt(
    step: Step, folder: Path, device: str, micro_batch: int | None, failed: dict[str, str], tried: Group
) -> None:
    """Compute a step unless one before it has failed; note what it took or why it failed, there and in `failed`."""
    before = next((parent.folder for parent in step.parents.values() if parent.folder in failed), None)
    if before:
        tried.said = f"{NOT_TRIED}, since {failed[before]} fails"
    else:
        compute(step, folder, device, micro_batch, tried)
    if tried.said:
        failed[step.folder] = failed[before] if before else tried.name


def imitate(steps: Iterable[Step], small: Plan, folder: Path, true: Path) -> None:
    """Write the specs of some steps below a folder, and the archives that they read, which its data/ describes.

    Of archives in the folder `true` the first images, as far as that can be; of others drawn pictures.
    """
    steps = list(steps)
    write_specs(steps, folder)
    (folder / "logs").mkdir(parents=True)
    archives = folder / ARCHIVES
    archives.mkdir(parents=True)
    write_text(folder / "data/sources.yaml", yaml.safe_dump(undocumented(of_checkout(TABLE)), sort_keys=False))
    counts: dict[str, dict[str, int]] = {}
    for spec in small.config.sets.values():
        for archive, split in spec.archives:
            counts.setdefault(archive, {})[split or "train"] = spec.images
    files = dict.fromkeys(file for step in steps for file in step.archives)
    named = (file if hub_of(file) else source.archive for file in files for source in find(file))
    for archive in dict.fromkeys(named):
        write_miniature(archive, archives, counts.get(archive, {}))
        for source in find(archive):
            if (true / source.file).is_file():
                excerpt(true / source.file, archives / source.file, counts.get(archive, {}))


def compute(step: Step, folder: Path, device: str, micro_batch: int | None, group: Group) -> None:
    """Compute a step in a process of its own, and note for its group what it took, or why it failed."""
    out, log = folder / "work/out.json", folder / "logs" / f"{step.kind}.{step.name}.log"
    command = [sys.executable, "-m", "atebm.cost.rehearsed", step.spec_file, str(out), device, str(micro_batch or "")]
    paths = os.pathsep.join(filter(None, (str(SOURCE), os.environ.get("PYTHONPATH"))))
    out.unlink(missing_ok=True)
    with log.open("w", encoding="utf-8") as file:
        status = subprocess.run(
            command, cwd=folder, env=os.environ | {"PYTHONPATH": paths}, stdout=file, stderr=file, check=False
        ).returncode
    if status == 0:
        group.taken = json.loads(out.read_text(encoding="utf-8"))
    elif status == FAILED:
        group.said = json.loads(out.read_text(encoding="utf-8"))["said"]
    elif status in KILLED:
        group.said = "the system ended it, most often for want of memory: lower its batch_size, or see micro_batch."
    else:
        said = (log.read_text(encoding="utf-8", errors="replace").strip().splitlines() or [f"exit status {status}"])[-1]
        group.said = f"{said} ({log.relative_to(folder.parents[1])} has the rest)"
