"""What an artifact is drawn from, as its request, work/specs/artifact/<id>.json, lists it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..job import record_of


@dataclass(frozen=True)
class Needs:
    """The plan of an artifact, with its folders resolved: notebooks run from any working directory."""

    contents: dict[str, Any]
    folders: list[Path]  # work/<kind>/<id> of every step

    @classmethod
    def read(cls, plan: str) -> "Needs":
        path = Path(plan).resolve()
        contents = json.loads(path.read_text())["plan"]
        root = path.parents[3]
        return cls(contents, [root / folder for folder in contents["needs"]])

    @property
    def scale(self) -> str:
        return self.contents["scale"]

    def task(self, name: str) -> dict[str, Any]:
        """A task of config.yaml: its title, what played it, and the sets around it."""
        return self.contents["tasks"][name]

    def spec(self, folder: Path) -> dict[str, Any]:
        """The settings and parents of the step in a folder work/<kind>/<id>/."""
        spec = folder.parents[1] / "specs" / folder.parent.name / f"{folder.name}.json"
        return json.loads(spec.read_text())

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
