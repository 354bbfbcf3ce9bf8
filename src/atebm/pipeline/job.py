"""A step as a process sees it: its spec, its folder, its parents' folders, and the record it leaves.

The record is written last, so a folder with a record is complete. It holds the sha256 of every file beside it and of
every parent's record: a chain from each number back to the data, which `python -m atebm verify` walks.
"""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ..utils.errors import ResultError
from ..utils.files import sweep, write_text
from ..utils.hashing import sealed, sha256
from ..utils.locks import locked
from .kinds import FILES


@dataclass(frozen=True)
class Job:
    """The step whose spec lies at work/specs/<kind>/<id>.json."""

    spec_file: Path

    @cached_property
    def spec(self) -> dict[str, Any]:
        return json.loads(self.spec_file.read_text())

    @property
    def settings(self) -> dict[str, Any]:
        return self.spec["settings"]

    @property
    def work(self) -> Path:
        return self.spec_file.parents[2]

    @property
    def folder(self) -> Path:
        return self.work / self.spec["kind"] / self.spec_file.stem

    @property
    def checkpoints(self) -> Path:
        """Return what an interrupted step goes on from.

        Not among the outputs, since Snakemake deletes those of a job that
        fails; gone when the step is done."""
        return self.work / "checkpoints" / self.spec["kind"] / self.spec_file.stem

    @contextmanager
    def lock(self, part: str = "") -> Iterator[None]:
        """Keep two processes from computing this step (or the same part of it) at once.

        A workflow that was killed can leave its job running, and the next one starts that job again. What a killed
        process left half-written, under temporary names, goes.
        """
        with locked(self.work / "locks" / self.spec["kind"] / f"{self.spec_file.stem}.{part}lock"):
            sweep(self.folder, part)
            sweep(self.checkpoints, part)
            yield

    @property
    def done(self) -> bool:
        """Return whether the record, which is written last, is there."""
        return record_file(self.folder).exists()

    def parent(self, role: str) -> Path:
        return self.work / self.spec["parents"][role]

    def finish(self, result: dict[str, Any]) -> None:
        """Write the record; all other files of the step must be there. What it would have gone on from goes.

        Raises ResultError where a number is not finite: what is drawn from it would be wrong.
        """
        *files, record = FILES[self.spec["kind"]]
        contents = {
            **result,
            "step": f"{self.spec['kind']}/{self.spec_file.stem}",
            "files": {name: sha256(self.folder / name) for name in files},
            "parents": {
                role: {"step": step, "sha256": sha256(record_file(self.work / step))}
                for role, step in self.spec["parents"].items()
            },
        }
        try:
            text = sealed(contents)
        except ValueError:
            raise ResultError(
                f"{contents['step']} has a number that is not finite in its record, so the step is not kept: does "
                "`python -m atebm verify` find one of its parents altered?"
            ) from None
        write_text(self.folder / record, text)
        shutil.rmtree(self.checkpoints, ignore_errors=True)


def record_file(folder: Path) -> Path:
    """Return the record in a step's folder work/<kind>/<id>/."""
    return folder / FILES[folder.parent.name][-1]


def record_of(folder: Path) -> dict[str, Any]:
    return json.loads(record_file(folder).read_text())


def described(record: dict[str, Any]) -> dict[str, Any]:
    """Return what a number says of the `data` or `sample` step, with this record, whose images it is of."""
    keys = ("set", "run", "seed", "checkpoint", "sampler", "steps", "step_size")
    return {key: record[key] for key in keys if key in record}
