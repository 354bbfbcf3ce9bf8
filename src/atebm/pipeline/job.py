"""Give the process that computes a step its spec, its folder and its parents' folders, and write its record.

The record is written last, so a folder with a record is complete. It holds the sha256 of every file beside it and of
every parent's record: a chain from each number back to the data, which `python -m atebm verify` checks.
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
        """Return the folder of the state from which an interrupted step resumes.

        It is not among the outputs, since Snakemake deletes the outputs of a failed job. It is removed when the step is
        done.
        """
        return self.work / "checkpoints" / self.spec["kind"] / self.spec_file.stem

    @contextmanager
    def lock(self, part: str = "") -> Iterator[None]:
        """Keep two processes from computing this step (or the same part of it) at once.

        A killed workflow can leave its job running, and the next workflow starts that job again. Half-written files
        that a killed process left under temporary names are removed.
        """
        with locked(self.work / "locks" / self.spec["kind"] / f"{self.spec_file.stem}.{part}lock"):
            sweep(self.folder, part)
            sweep(self.checkpoints, part)
            yield

    @property
    def done(self) -> bool:
        """Return whether the step is complete: its record, which is written last, exists."""
        return record_file(self.folder).exists()

    def parent(self, role: str) -> Path:
        return self.work / self.spec["parents"][role]

    def finish(self, result: dict[str, Any]) -> None:
        """Write the record, once all other files of the step exist, and remove the state for resuming.

        Raises ResultError if a number is not finite, because results drawn from it would be wrong.
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
                f"the record of {contents['step']} has a number that is not finite, so the step is not kept. "
                "`python -m atebm verify` shows whether one of its parents was altered."
            ) from None
        write_text(self.folder / record, text)
        shutil.rmtree(self.checkpoints, ignore_errors=True)


def record_file(folder: Path) -> Path:
    """Return the record in a step's folder work/<kind>/<id>/."""
    return folder / FILES[folder.parent.name][-1]


def record_of(folder: Path) -> dict[str, Any]:
    return json.loads(record_file(folder).read_text())


def described(record: dict[str, Any]) -> dict[str, Any]:
    """Return the part of a `data` or `sample` step's record that a number on its images repeats."""
    keys = ("set", "run", "seed", "checkpoint", "sampler", "steps", "step_size")
    return {key: record[key] for key in keys if key in record}
