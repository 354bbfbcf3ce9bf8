"""Plan what must be computed for each artifact: a DAG of content-addressed steps."""

import shlex
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from ..config.evaluation import Inception
from ..config.schema import Config
from ..utils.errors import ConfigError
from .artifacts import ARTIFACTS
from .builder import StepBuilder
from .kinds import FILES
from .naming import labelled
from .needs import Needs
from .step import Step, ancestors, unique, write_specs
from .tasks import PAPER_TASKS

MOST_WORKERS = 16  # processes that prepare a set
LARGE = 100_000  # images of an archive that one process decodes in an hour


class Plan(StepBuilder):
    """All steps of a scale: by science (`plan.train("cifar10", 0)`) and by artifact (`plan.artifacts["table2"]`)."""

    def __init__(self, config: Config, overrides: Sequence[str] = ()):
        """Make a plan; `overrides` are the --config settings that `config` was made with, such as "scale=paper"."""
        super().__init__(config)
        self.overrides = tuple(overrides)
        drawn = {} if config.own else ARTIFACTS
        self.needs: dict[str, Needs] = {name: artifact.needs(self) for name, artifact in drawn.items()}
        self.artifacts = {name: unique(needs.values()) for name, needs in self.needs.items()}
        self.usual = [name for name in self.artifacts if self.is_usual(name)]
        self.on_request = [name for name in self.artifacts if name not in self.usual]
        self.overviews = [self.overview(config.own, config.seed)] if config.own else []
        self.steps = ancestors([*self.overviews, *(step for name in self.usual for step in self.artifacts[name])])

    def is_usual(self, artifact: str) -> bool:
        """Return whether an artifact is drawn where none is named: by `artifacts`, or as it declares itself."""
        if self.config.artifacts is not None:
            return artifact in self.config.artifacts
        return self.config.replication == "whole" or not ARTIFACTS[artifact].on_request

    @property
    def results(self) -> str:
        """Return the folder, below the checkout, that artifacts are drawn into."""
        return self.config.results

    @property
    def apart(self) -> str:
        """Return the suffix that separates this plan's requests and logs from those of results/: "" or ".board"."""
        return self.results.removeprefix("results").replace("/scales/", ".")

    @property
    def runs(self) -> list[str]:
        """Return the runs of config.yaml or, for a scale of your own images, its one run."""
        return [self.config.own] if self.config.own else list(self.config.runs)

    @cached_property
    def sets(self) -> dict[tuple[str, str], Step]:
        """Return every set of the runs' tasks, and the sets it is made from, even if no artifact needs it."""
        tasks = [self.config.tasks[name] for name in dict.fromkeys(self.config.runs[run].task for run in self.runs)]
        return ancestors(self.data(name) for task in tasks for name in task.sets)

    @cached_property
    def known(self) -> dict[tuple[str, str], Step]:
        """Return the plan's steps and those made only on request: of artifacts, of sets, and of every run."""
        models = ancestors(self.train(run, seed) for run in self.runs for seed in self.seeds)
        drawn = ancestors(step for steps in self.artifacts.values() for step in steps)
        return self.steps | models | self.sets | drawn

    def step(self, kind: str, id: str) -> Step:
        """Return a known step. Raises ConfigError for one that this plan does not have."""
        try:
            return self.steps.get((kind, id)) or self.known[kind, id]
        except KeyError:
            raise ConfigError(
                f"{kind}/{id} is not a step of the {self.config.scale} scale as configured now: add the --config that "
                "it belongs to, such as --config scale=paper."
            ) from None

    def command(self, *targets: str) -> str:
        """Return the shell command that computes files of this plan, by default all usual ones of the scale."""
        config = ("--config", *self.overrides) if self.overrides else ()
        return shlex.join(["snakemake", "--cores", "all", *targets, *config])

    @cached_property
    def words(self) -> dict[str, str]:
        """Return the words of this scale in titles of artifacts: each task's data, and its measures of samples."""
        genuine = isinstance(self.config.extractors[self.config.metrics.extractor], Inception)
        measures = ("FID", "IS") if genuine else ("stand-in distance", "stand-in score")
        data = {
            name: labelled(self.config.title_of(task.p_data), task.title) for name, task in self.config.tasks.items()
        }
        beside = ", with baselines trained here" if self.config.baselines or self.config.rivals else ""
        return {**data, "distance": measures[0], "score": measures[1], "beside": beside}

    def title(self, artifact: str) -> str:
        """Return an artifact's title, which names the data that this scale really uses."""
        return ARTIFACTS[artifact].titled(self.words)

    def shards(self) -> list[str]:
        """Return the wildcards of sampling jobs, "0-of-4": the part, and the number of parts."""
        return [f"{index}-of-{self.config.shards}" for index in range(self.config.shards)]

    @property
    def workers(self) -> int:
        """Return the processes that prepare a set, as far as there are cores: several where archives are large."""
        read = [step.name for step in self.steps.values() if step.kind == "data" and step.archives]
        return MOST_WORKERS if any(self.config.sets[name].images >= LARGE for name in read) else 1

    def trainings(self) -> list[tuple[str, int]]:
        """Return the run and seed of every `train` step."""
        return [(step.name, step.settings["seed"]) for (kind, _), step in self.steps.items() if kind == "train"]

    def of_kinds(self, *kinds: str) -> list[str]:
        """Return the files of the steps of some kinds."""
        return [file for (kind, _), step in self.steps.items() if kind in kinds for file in step.files]

    def settings(self, artifact: str) -> dict[str, Any]:
        """Return the part of the configuration that an artifact shows; {} if it shows none."""
        select = ARTIFACTS[artifact].settings
        if select is None:
            return {}
        trained = {run for run, _ in self.trainings()}.intersection(PAPER_TASKS)
        return {"settings": select(self, sorted(trained))}

    def write(self, root: Path) -> None:
        """Write a spec for each known step, at work/specs/<kind>/<id>.json, and make the folders that DVC needs.

        All specs are written at once, because Snakemake reads the contents of a folder only once.
        """
        for kind in FILES:
            (root / "work" / kind).mkdir(parents=True, exist_ok=True)
        write_specs(self.known.values(), root)
