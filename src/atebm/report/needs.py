"""Read what an artifact is drawn from: the results of steps by their roles, and the names of a scale's data."""

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
    """The files of a step in work/<kind>/<id>/ or, if it was not computed here, their copies in results/numbers/.

    `read` notes what was read, because results/numbers/ keeps copies of just that.
    """

    folder: Path
    kept: Path | None = None  # results/numbers/<kind>/<id>/
    read: dict[str, set[int] | None] = field(default_factory=dict)  # by file, rows of an array; None: the whole file

    @cached_property
    def place(self) -> Path:
        """Return the folder that is read."""
        return place_of(self.folder, self.kept)

    @property
    def is_there(self) -> bool:
        """Return whether the step's results are here, computed or as copies."""
        return record_file(self.place).exists()

    @property
    def spec_file(self) -> Path:
        """Return the file of the step's spec."""
        beside = self.place / SPEC
        specs = self.folder.parents[1] / "specs"
        return beside if beside.exists() else specs / self.folder.parent.name / f"{self.folder.name}.json"

    @cached_property
    def record(self) -> dict[str, Any]:
        """Return the step's record."""
        return record_of(self.place)

    @cached_property
    def settings(self) -> dict[str, Any]:
        """Return the settings in the step's spec."""
        return json.loads(self.spec_file.read_text(encoding="utf-8"))["settings"]

    def table(self, name: str) -> pd.DataFrame:
        """Read a .csv file."""
        return pd.read_csv(self.whole(name))

    def array(self, name: str) -> Stored:
        """Return a memory-mapped .npy file that notes which of its rows are read."""
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
        """Note that the whole file is read, and return its path."""
        self.read[name] = None
        return self.there(name)

    def there(self, name: str) -> Path:
        """Return a file in the folder that is read. Raises ResultError if no copy of it was kept."""
        path = self.place / name
        if self.place != self.folder and not path.exists():
            raise ResultError(
                f"{path} is needed but was not kept in git: compute {self.folder.parent.name}/{self.folder.name} with "
                "--config numbers=computed."
            )
        return path

    @property
    def images(self) -> Stored:
        """Return the images of a set or of samples, uint8 (N, H, W, C), memory-mapped."""
        return self.array("images.npy")

    @property
    def is_imported(self) -> bool:
        """Return whether a model's weights were imported and not trained here."""
        return self.record.get("released") is not None

    @property
    def weights(self) -> str:
        """Say where a model's weights come from: "trained here", or which imported file, and whether the authors'."""
        released = self.record.get("released")
        if released is None:
            return "trained here"
        owner = "the authors', verified" if released["verified"] else "imported, not verified"
        return f"{owner} ({released['file']}, sha256 {released['sha256'][:12]})"


@dataclass(frozen=True)
class Needs:
    """The request of an artifact and the results that it names. Works from any working directory."""

    request: dict[str, Any]
    results: dict[str, Result]  # by role, "train/cifar10/0"
    numbers: Path = Path()  # the folder of the copies in git, results/numbers/

    @classmethod
    def read(cls, request: Path, results: Path) -> "Needs":
        """Return the results that a request, work/specs/artifact/<id>.json, names: in work/, or copies in `results`."""
        path = request.resolve()
        contents = json.loads(path.read_text(encoding="utf-8"))["request"]
        return cls.of(contents, path.parents[3], results.resolve() / NUMBERS)

    @classmethod
    def kept(cls, artifact: str, results: Path) -> "Needs":
        """Return the copies in `results` that an artifact there was drawn from; work/ is ignored.

        Raises ResultError if the artifact is not in `results`.
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
        """Return the results that a request names, in the checkout at `root`."""
        steps = {folder: folder.removeprefix("work/") for folder in contents["needs"].values()}
        found = {folder: Result(root / folder, numbers / step) for folder, step in steps.items()}
        roles = sorted(contents["needs"], key=by_number)
        return cls(contents, {role: found[contents["needs"][role]] for role in roles}, numbers)

    def listing(self) -> Listing:
        """Return what has been read so far, by step; a step of which only the record was read has an empty entry."""
        found = [result for result in self.results.values() if result.is_there]
        unique = {f"{result.folder.parent.name}/{result.folder.name}": result.read for result in found}
        return {
            step: {name: "" if rows is None else ranges(rows) for name, rows in sorted(read.items())}
            for step, read in sorted(unique.items())
        }

    def __getitem__(self, role: str) -> Result:
        return self.results[role]

    def under(self, prefix: str) -> dict[str, Result]:
        """Return the results whose roles begin with `prefix` and a slash, by the rest of the role.

        Under "train", the result of role "train/cifar10/0" is called "cifar10/0".
        """
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
        """Return the part of the configuration that the artifact shows, as pipeline/table_settings.py selects it."""
        return self.request["settings"]

    def task(self, name: str) -> dict[str, Any]:
        """Return a task of config.yaml: its title and its sets."""
        return self.request["tasks"][name]

    def set_title(self, name: str) -> str:
        """Return a description of a set's images."""
        return self.request["sets"][name]

    def data(self, task: str) -> str:
        """Return a description of the data that a task really uses, such as "tops of Fashion-MNIST 16x16"."""
        return self.set_title(self.task(task)["p_data"])

    def name(self, task: str) -> str:
        """Return a task's data and what they stand in for, as a name for rows, legends and headings."""
        return labelled(self.data(task), self.task(task)["title"])

    def name_of(self, image_set: str) -> str:
        """Return the name of a set: that of the task with this p_data if there is one, else its description."""
        tasks = [task for task, spec in self.request["tasks"].items() if spec["p_data"] == image_set]
        return self.name(tasks[0]) if tasks else self.set_title(image_set)

    def p_0(self, task: str) -> str:
        """Return a description of the p_0 that a task really uses."""
        return self.set_title(self.task(task)["p_0"])

    def is_standin(self, task: str) -> bool:
        """Return whether a task's p_data stands in for the paper's data."""
        return self.data(task) != self.task(task)["title"]

    def introduction(self, *tasks: str) -> str:
        """Say, for captions, which data and which p_0 each task uses at this scale, and what the data stand in for."""
        words = []
        for task in tasks:
            title, used = self.task(task)["title"], self.data(task)
            data = f"{used}, a stand-in for {title}" if self.is_standin(task) else title
            words.append(f"{data[0].upper()}{data[1:]}; p_0: {self.p_0(task)}.")
        return " ".join(words)

    def rows(self, *tasks: str) -> dict[str, str]:
        """Return labels of the out-of-distribution sets of tasks, such as {"SVHN": "handwritten digits (for SVHN)"}."""
        return {
            row: labelled(self.set_title(images), row)
            for task in tasks
            for row, images in self.task(task)["out_of_distribution"].items()
        }


def by_number(role: str) -> list[tuple[int, str]]:
    """Return a key that sorts roles by number: seed 2 before seed 10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in role.split("/")]
