"""What an artifact is drawn from, as its request, work/specs/artifact/<id>.json, lists it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..pipeline.job import record_of
from ..pipeline.naming import labelled


@dataclass(frozen=True)
class Needs:
    """The plan of an artifact, with its folders resolved: notebooks run from any working directory."""

    contents: dict[str, Any]
    folders: list[Path]  # work/<kind>/<id> of every step
    root: Path = Path()  # the checkout

    @classmethod
    def read(cls, plan: str) -> "Needs":
        path = Path(plan).resolve()
        contents = json.loads(path.read_text())["plan"]
        root = path.parents[3]
        return cls(contents, [root / folder for folder in contents["needs"]], root)

    @property
    def scale(self) -> str:
        return self.contents["scale"]

    @property
    def work(self) -> Path:
        return self.root / "work"

    def task(self, name: str) -> dict[str, Any]:
        """Return a task of config.yaml: its title, and the sets around it."""
        return self.contents["tasks"][name]

    def set_title(self, name: str) -> str:
        """Return what the images of a set are, in words."""
        return self.contents["sets"][name]

    def data(self, task: str) -> str:
        """Return what a task's p_data really is, "tops of Fashion-MNIST 16x16"."""
        return self.set_title(self.task(task)["p_data"])

    def name(self, task: str) -> str:
        """Return a task's p_data and what it stands in for, for rows, legends and headings."""
        return labelled(self.data(task), self.task(task)["title"])

    def name_of(self, image_set: str) -> str:
        """Return the name of a set: that of the task whose p_data it is, if there is one."""
        tasks = [task for task, spec in self.contents["tasks"].items() if spec["p_data"] == image_set]
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

    def spec(self, folder: Path) -> dict[str, Any]:
        """The settings and parents of the step in a folder work/<kind>/<id>/."""
        spec = folder.parents[1] / "specs" / folder.parent.name / f"{folder.name}.json"
        return json.loads(spec.read_text())

    def model(self, folder: Path) -> Path:
        """Return the folder of the `train` step that a step's images or logits come from.

        Raises ValueError where the step has none among its ancestors.
        """
        if folder.parent.name == "train":
            return folder
        for parent in self.spec(folder)["parents"].values():
            try:
                return self.model(folder.parents[1] / parent)
            except ValueError:
                continue
        raise ValueError(f"{folder.name} comes from no training.")

    def weights(self, record: dict[str, Any]) -> str:
        """Say whose weights are behind a record: "trained here", or which imported file, and whether the authors'."""
        released = record_of(self.model(self.work / record["step"])).get("released")
        if released is None:
            return "trained here"
        owner = "the authors', verified" if released["verified"] else "imported, not verified"
        return f"{owner} ({released['file']}, sha256 {released['sha256'][:12]})"

    def trainings(self) -> dict[str, dict[str, Any]]:
        """Specs of what was trained here, by run; those of one run differ by their seed alone."""
        specs = {record_of(folder)["run"]: self.spec(folder) for folder in self.folder("train")}
        return {run: spec for run, spec in specs.items() if "weights" not in spec["settings"]}

    @property
    def settings(self) -> dict[str, Any]:
        """What the artifact shows of the configuration, as settings.py selects it."""
        return self.contents["settings"]

    def folder(self, kind: str) -> list[Path]:
        """Folders of the steps of one kind."""
        return [folder for folder in self.folders if folder.parent.name == kind]

    def records(self, kind: str) -> list[dict[str, Any]]:
        return [record_of(folder) for folder in self.folder(kind)]
