"""What an artifact is drawn from: the results of steps by their roles, and the words of a scale."""

import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..pipeline.job import record_file, record_of
from ..pipeline.kept import NUMBERS, SPEC, Listing, excerpt_name, place_of
from ..pipeline.naming import labelled
from ..utils.errors import ResultError
from ..utils.excerpts import Stored, ranges


@dataclass(frozen=True)
class Result:
    """What a step left in its folder work/<kind>/<id>/ or, if it was not computed here, what is kept of that.

    Notes in `read` what was read, since this is what results/numbers/ then keeps.
    """

    folder: Path
    kept: Path | None = None  # results/numbers/<kind>/<id>/
    read: dict[str, set[int] | None] = field(default_factory=dict)  # by file, the rows of an array; None: all of it

    @cached_property
    def place(self) -> Path:
        """Return the folder that is read."""
        return place_of(self.folder, self.kept)

    @property
    def is_there(self) -> bool:
        """Return whether the step is complete, computed here or kept."""
        return record_file(self.place).exists()

    @property
    def spec_file(self) -> Path:
        """Return the file of the step's spec."""
        beside = self.place / SPEC
        specs = self.folder.parents[1] / "specs"
        return beside if beside.exists() else specs / self.folder.parent.name / f"{self.folder.name}.json"

    @cached_property
    def record(self) -> dict[str, Any]:
        """Return the record, which the step wrote last."""
        return record_of(self.place)

    @cached_property
    def settings(self) -> dict[str, Any]:
        """Return the settings of the step's spec."""
        return json.loads(self.spec_file.read_text(encoding="utf-8"))["settings"]

    def table(self, name: str) -> pd.DataFrame:
        """Return a .csv file."""
        return pd.read_csv(self.whole(name))

    def array(self, name: str) -> Stored:
        """Return a .npy file, mapped, of whose rows it is noted which are read."""
        rows = self.read.setdefault(name, set())
        assert rows is not None
        if (self.place / name).exists() or self.place == self.folder:
            return Stored.whole(self.place / name, rows)
        return Stored.excerpt(self.there(excerpt_name(name)), rows)

    def arrays(self, name: str) -> dict[str, np.ndarray]:
        """Return the arrays of an .npz file by name."""
        with np.load(self.whole(name)) as file:
            return dict(file)

    def whole(self, name: str) -> Path:
        """Note that all of a file is read, and return where it is."""
        self.read[name] = None
        return self.there(name)

    def there(self, name: str) -> Path:
        """Return a file of the folder that is read. Raises ResultError where it is not among what is kept."""
        path = self.place / name
        if self.place != self.folder and not path.exists():
            raise ResultError(
                f"{path} is not kept, and is read now: compute {self.folder.parent.name}/{self.folder.name}, with "
                "--config numbers=computed."
            )
        return path

    @property
    def images(self) -> Stored:
        """Return the images of a set or of samples, uint8 (N, H, W, C), mapped."""
        return self.array("images.npy")

    @property
    def is_imported(self) -> bool:
        """Return whether a model's weights were not trained here."""
        return "weights" in self.settings

    @property
    def weights(self) -> str:
        """Say whose weights a model has: "trained here", or which imported file, and whether the authors'."""
        released = self.record.get("released")
        if released is None:
            return "trained here"
        owner = "the authors', verified" if released["verified"] else "imported, not verified"
        return f"{owner} ({released['file']}, sha256 {released['sha256'][:12]})"


@dataclass(frozen=True)
class Needs:
    """The request of an artifact, with the results that it names; notebooks run from any working directory."""

    request: dict[str, Any]
    results: dict[str, Result]  # by role, "train/cifar10/0"
    numbers: Path = Path()  # the folder of what is kept in git, results/numbers/

    @classmethod
    def read(cls, request: Path, results: Path) -> "Needs":
        """Return what the request at work/specs/artifact/<id>.json names, from work/ or kept in `results`."""
        path = request.resolve()
        contents = json.loads(path.read_text(encoding="utf-8"))["request"]
        return cls.of(contents, path.parents[3], results.resolve() / NUMBERS)

    @classmethod
    def kept(cls, artifact: str, results: Path) -> "Needs":
        """Return what an artifact in `results` was drawn from, as it is kept there; work/ is not looked at.

        Raises ResultError where no such artifact has been drawn there.
        """
        path = results.resolve() / f"provenance/{artifact}.json"
        if not path.exists():
            raise ResultError(
                f"{artifact} is not in {results}: draw it with snakemake, or pass its own folder as `out`."
            )
        contents = json.loads(path.read_text(encoding="utf-8"))["request"]
        return cls.of(contents, results.resolve() / NUMBERS / "none", results.resolve() / NUMBERS)

    @classmethod
    def of(cls, contents: dict[str, Any], root: Path, numbers: Path) -> "Needs":
        """Return what a request names, of a checkout at `root`."""
        steps = {folder: folder.removeprefix("work/") for folder in contents["needs"].values()}
        found = {folder: Result(root / folder, numbers / step) for folder, step in steps.items()}
        roles = sorted(contents["needs"], key=by_number)
        return cls(contents, {role: found[contents["needs"][role]] for role in roles}, numbers)

    def listing(self) -> Listing:
        """Return what was read until now, by step; with nothing for those of which only the record may have been."""
        found = [result for result in self.results.values() if result.is_there]
        unique = {f"{result.folder.parent.name}/{result.folder.name}": result.read for result in found}
        return {
            step: {name: "" if rows is None else ranges(rows) for name, rows in sorted(read.items())}
            for step, read in sorted(unique.items())
        }

    def __getitem__(self, role: str) -> Result:
        return self.results[role]

    def under(self, prefix: str) -> dict[str, Result]:
        """Return the results whose roles begin with `prefix` and a slash, by the rest: "cifar10/0" under "train"."""
        start = f"{prefix}/"
        return {role.removeprefix(start): found for role, found in self.results.items() if role.startswith(start)}

    def records(self, prefix: str) -> list[dict[str, Any]]:
        """Return the records of the results under `prefix`."""
        return [result.record for result in self.under(prefix).values()]

    def runs(self, prefix: str) -> dict[str, list[Result]]:
        """Return the results under `prefix`, "<run>/<seed>", by run."""
        by_run: dict[str, list[Result]] = {}
        for role, result in self.under(prefix).items():
            by_run.setdefault(role.rpartition("/")[0], []).append(result)
        return by_run

    # --- words --------------------------------------------------------------------------------------------------------

    @property
    def scale(self) -> str:
        return self.request["scale"]

    @property
    def settings(self) -> dict[str, Any]:
        """Return what the artifact shows of the configuration, as pipeline/table_settings.py selects it."""
        return self.request["settings"]

    def task(self, name: str) -> dict[str, Any]:
        """Return a task of config.yaml: its title, and the sets around it."""
        return self.request["tasks"][name]

    def set_title(self, name: str) -> str:
        """Return what the images of a set are, in words."""
        return self.request["sets"][name]

    def data(self, task: str) -> str:
        """Return what a task's p_data really is, "tops of Fashion-MNIST 16x16"."""
        return self.set_title(self.task(task)["p_data"])

    def name(self, task: str) -> str:
        """Return a task's p_data and what it stands in for, for rows, legends and headings."""
        return labelled(self.data(task), self.task(task)["title"])

    def name_of(self, image_set: str) -> str:
        """Return the name of a set: that of the task whose p_data it is, if there is one."""
        tasks = [task for task, spec in self.request["tasks"].items() if spec["p_data"] == image_set]
        return self.name(tasks[0]) if tasks else self.set_title(image_set)

    def p_0(self, task: str) -> str:
        """Return what a task's p_0 really is."""
        return self.set_title(self.task(task)["p_0"])

    def is_standin(self, task: str) -> bool:
        """Return whether a task's p_data is other data than the paper's."""
        return self.data(task) != self.task(task)["title"]

    def introduction(self, *tasks: str) -> str:
        """Say, for captions, which data each task has at this scale, what they stand in for, and what p_0 is."""
        words = []
        for task in tasks:
            title, used = self.task(task)["title"], self.data(task)
            data = f"{used}, a stand-in for {title}" if self.is_standin(task) else title
            words.append(f"{data[0].upper()}{data[1:]}; p_0: {self.p_0(task)}.")
        return " ".join(words)

    def rows(self, *tasks: str) -> dict[str, str]:
        """Return the label of each out-of-distribution row of some tasks: "SVHN": "handwritten digits (for SVHN)"."""
        return {
            row: labelled(self.set_title(images), row)
            for task in tasks
            for row, images in self.task(task)["out_of_distribution"].items()
        }


def by_number(role: str) -> list[tuple[int, str]]:
    """Return a key that sorts roles as people do: seed 2 before seed 10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in role.split("/")]
