"""What must be computed for each artifact: a DAG of content-addressed steps.

A step's digest covers its own settings and its parents' digests, so a path such as
`work/train/cifar10-1a2b3c4d/` can only ever hold one content: nothing is overwritten,
nothing goes stale, and a changed key gives new paths exactly downstream of it.

This module must stay cheap to import (no torch, no numpy): the Snakefile is parsed again for every cluster job.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from .artifacts import ARTIFACTS
from .config import Config, OfClasses, Pretraining, Run, Task
from .errors import ConfigError
from .files import canonical, write_if_changed
from .kinds import FILES, REVISION
from .releases import releases


@dataclass(frozen=True)
class Step:
    """One computation of one kind; equal digests mean equal results."""

    kind: str
    name: str
    settings: dict[str, Any]
    parents: dict[str, "Step"] = field(default_factory=dict)
    section: tuple[str, ...] = ()  # of config.yaml, that the settings come from; no part of the digest

    @cached_property
    def spec(self) -> dict[str, Any]:
        """Everything that defines the step, as JSON."""
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

    @property
    def folder(self) -> str:
        return f"work/{self.kind}/{self.id}"

    @property
    def files(self) -> list[str]:
        return [f"{self.folder}/{name}" for name in FILES[self.kind]]

    @property
    def record(self) -> str:
        """The file that is written last."""
        return self.files[-1]

    @property
    def spec_file(self) -> str:
        return f"work/specs/{self.kind}/{self.id}.json"

    def parent_files(self) -> list[str]:
        """All that the step's parents left."""
        return [file for parent in self.parents.values() for file in parent.files]

    def ancestry(self) -> Iterator["Step"]:
        for parent in self.parents.values():
            yield from parent.ancestry()
        yield self


class Plan:
    """Steps by science (`plan.train("cifar10", 0)`) and by artifact (`plan.artifacts["table2"]`)."""

    def __init__(self, config: Config):
        self.config = config
        self.seeds = range(config.seed, config.seed + config.seeds)
        self.artifacts: dict[str, list[Step]] = {name: needs(self) for name, needs in ARTIFACTS.items()}
        self.steps: dict[tuple[str, str], Step] = {
            (step.kind, step.id): step
            for needs in self.artifacts.values()
            for need in needs
            for step in need.ancestry()
        }

    def task(self, run: str) -> Task:
        return self.config.tasks[self.config.runs[run].task]

    def data(self, name: str) -> Step:
        spec = self.config.sets[name]
        parents = {"of": self.data(spec.of)} if isinstance(spec, OfClasses) else {}
        return Step("data", name, spec.model_dump(), parents, ("sets", name))

    def extractor(self) -> Step:
        name = self.config.metrics.extractor
        settings = self.config.extractors[name].model_dump()
        roles: tuple[str, ...] = ("p_data", "held_out")
        parents = {role: self.data(settings[role]) for role in roles if role in settings}
        return Step("extractor", name, settings, parents, ("extractors", name))

    def pretrain(self, name: str) -> Step:
        spec = self.config.pretrainings[name]
        if spec.weights != "trained":
            return adopted("pretrain", name, spec, ("pretrainings", name))
        settings = spec.model_dump(exclude={"weights"})
        parents = {role: self.data(settings[role]) for role in ("p_data", "held_out")}
        return Step("pretrain", name, settings, parents, ("pretrainings", name))

    def toy(self, activation: str) -> Step:
        settings = self.config.toy.model_dump(exclude={"activations"})
        settings |= {"activation": activation, "seed": self.config.seed}
        return Step("toy", activation, settings, section=("toy",))

    def train(self, run: str, seed: int) -> Step:
        spec, task = self.config.runs[run], self.task(run)
        if spec.weights != "trained":
            return adopted("train", run, spec, ("runs", run), seed=seed)
        parents = {"p_data": self.data(task.p_data), "p_0": self.data(task.p_0)}
        if spec.monitor is not None:
            parents |= {"validation_sources": self.data(task.validation_sources), "extractor": self.extractor()}
        if spec.init is not None:
            parents["init"] = self.pretrain(spec.init)
        settings = {"seed": seed, **spec.model_dump(exclude={"task", "weights", "init"})}
        return Step("train", run, settings, parents, ("runs", run))

    def sample(self, sampler: str, seed: int, checkpoint: str) -> Step:
        """Samples of the checkpoint that is `best` on validation sources, or of the `last` one.

        `sampler` is an entry of samplers; most are those of the run of their name. One that says the same as its run's
        is that one, so that nothing is sampled twice.
        """
        if sampler not in self.config.samplers:
            raise ConfigError(f"config.yaml: {sampler} has no entry in samplers.")
        spec = self.config.samplers[sampler]
        run = spec.run or sampler
        settings = spec.model_dump(exclude={"run"})
        if run in self.config.samplers and settings == self.config.samplers[run].model_dump(exclude={"run"}):
            sampler = run
        parents = {"model": self.train(run, seed), "sources": self.data(self.task(run).sources)}
        settings["checkpoint"] = checkpoint
        return Step("sample", f"{sampler}.{checkpoint}", settings, parents, ("samplers", sampler))

    def features(self, images: Step, n: int | None = None, size: int | None = None) -> Step:
        """The extractor's view of the first `n` images (all by default) of a `data` or `sample` step.

        Shrunk to `size` pixels a side before, where it is given.
        """
        parents = {"images": images, "extractor": self.extractor()}
        name = f"{images.name}.{size}px" if size else images.name
        return Step("features", name, {"n": n, "size": size}, parents, ("metrics",))

    def metric(self, name: str, images: Step, reference: str, size: int | None = None) -> Step:
        """One number on `metrics.n` images, or on all where `images` is a set that has fewer.

        Both sides are shrunk to `size` pixels a side before, where it is given.
        """
        metrics = self.config.metrics
        n = metrics.n if images.kind == "sample" else min(metrics.n, self.config.sets[images.name].images)
        settings: dict[str, Any] = {"metric": name, "n": n}
        features = self.features(images, n, size)
        parents, label = {"features": features}, features.name
        if name == "frechet":
            settings["blocks"] = metrics.blocks
            parents["reference"] = self.features(self.data(reference), size=size)
            if images.kind == "data":  # a set is scored against several others
                label = f"{label}.to_{reference}"
        if name == "inception_score":
            settings["splits"] = metrics.splits
        return Step("metric", f"{label}.{name}", settings, parents, ("metrics",))

    def shards(self) -> list[str]:
        """Wildcards of the sampling jobs; each says which part of how many it is."""
        return [f"{index}-of-{self.config.shards}" for index in range(self.config.shards)]

    def trainings(self) -> list[tuple[str, int]]:
        """Run and seed of every `train` step."""
        return [(step.name, step.settings["seed"]) for (kind, _), step in self.steps.items() if kind == "train"]

    def of_kind(self, kind: str) -> list[str]:
        return [file for (k, _), step in self.steps.items() if k == kind for file in step.files]

    def write(self, root: Path) -> None:
        """One spec per step, at work/specs/<kind>/<id>.json; and a folder per kind, since DVC wants its outs there."""
        for kind in FILES:
            (root / "work" / kind).mkdir(parents=True, exist_ok=True)
        for step in self.steps.values():
            write_if_changed(root / step.spec_file, canonical(step.spec))


def adopted(kind: str, name: str, spec: Run | Pretraining, section: tuple[str, ...], **settings: Any) -> Step:
    """A step that takes the place of a training: its weights are a checkpoint's that import-weights has read."""
    digest = releases().get(name, {}).get("sha256") if spec.weights == "released" else spec.weights
    if digest is None:
        known = ", ".join(releases())
        raise ConfigError(f"config.yaml: {'.'.join(section)}.weights: none were released; there are some of {known}.")
    return Step(kind, name, {**settings, "weights": digest, "network": spec.network.model_dump()}, section=section)
