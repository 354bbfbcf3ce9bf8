"""Find the trained model for a name: a run's model in work/, or one in models/, which is in git."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..config.schema import Config
from ..data.stored import Stored, cuts, to_float
from ..data.subsets import draw
from ..models.committed import MODELS, WEIGHTS, committed, described, find_committed, name_of, read_committed
from ..models.energy import Detector, model_of
from ..models.folding import frozen
from ..models.weights import load_weights
from ..pipeline.job import record_of
from ..pipeline.plan import Plan
from ..pipeline.step import Step
from ..utils.errors import ConfigError
from ..utils.files import repository
from ..utils.meant import did_you_mean

BATCH = 100  # images per forward pass
SAMPLING, DENOISING, INPAINTING = WAYS = ("sampling", "denoising", "inpainting")


@dataclass(frozen=True)
class OfRun:
    """The selected checkpoint of a run's first seed, trained here, in work/."""

    plan: Plan
    run: str
    root: Path

    @property
    def name(self) -> str:
        return self.run

    @cached_property
    def step(self) -> Step:
        return self.plan.train(self.run, self.plan.config.seed)

    @cached_property
    def record(self) -> dict[str, Any]:
        """Return the record, which describes the network: `network`, `shape` (C, H, W), `classes` of a classifier."""
        return record_of(self.root / self.step.folder)

    @property
    def weights(self) -> Path:
        return self.root / self.step.folder / "best.safetensors"

    @property
    def place(self) -> str:
        """Return the model's folder in the checkout."""
        return self.step.folder

    @property
    def words(self) -> str:
        """Say which data the model was trained on, and what they stand in for."""
        return described(data_of(self.plan.config, self.run))

    def steps(self, way: str) -> tuple[int, float]:
        """Return the number and size of PGD steps for one of WAYS of applying the model.

        A restoration without an entry in `ascents` takes a quarter of the sampler's steps. Raises ConfigError if there
        is no sampler.
        """
        ascent = self.plan.config.ascents.get(f"{self.run}_{way}")
        if ascent is not None:
            return ascent.steps[-1], ascent.step_size
        settings = self.plan.sample(self.run, self.plan.config.seed, "best").settings
        steps, step_size = settings["steps"], settings["step_size"]
        if steps == "selected":
            steps = self.record["best"]["steps"]
        return (steps if way == SAMPLING else max(1, steps // 4)), step_size

    def require_usual(self) -> Step:
        """Return the in-distribution set that `detection` names for the run's task.

        Raises ConfigError if `detection` has no entry for the task, or if the set is not prepared.
        """
        images = self.plan.attack(self.run, self.plan.config.seed).parents["in"]
        require_computed(self.plan, images, self.root)
        return images

    def usual(self, model: Detector, device: torch.device) -> np.ndarray:
        """Return the ascending energies (n,) of in-distribution images. Raises ConfigError if they are not prepared."""
        plan, images = self.plan, self.require_usual()
        spec, stored = plan.config.detection[plan.config.runs[self.run].task], Stored(self.root / images.folder, device)
        rows = torch.from_numpy(draw(len(stored), spec.n, spec.seed))
        return np.sort(energies(model, (stored[rows[part]] for part in cuts(len(rows), BATCH))))


@dataclass(frozen=True)
class Committed:
    """A model in git, in models/<scale>/<run>/."""

    folder: Path
    record: dict[str, Any]
    instead: str | None = None  # the requested run, if this model replaces one that work/ does not have

    @classmethod
    def read(cls, folder: Path, instead: str | None = None) -> "Committed":
        """Return the model in a folder. Raises DataError if its files have changed since they were written."""
        return cls(folder, read_committed(folder), instead)

    @property
    def name(self) -> str:
        return str(self.record["name"])

    @property
    def weights(self) -> Path:
        return self.folder / WEIGHTS

    @property
    def place(self) -> str:
        return f"{MODELS}/{self.name}"

    @property
    def words(self) -> str:
        """Say which data the model was trained on, and what they stand in for."""
        return described(self.record)

    def steps(self, way: str) -> tuple[int, float]:
        """Return the recorded number and size of PGD steps for a way of applying it. Raises ConfigError if none are."""
        try:
            steps, step_size = self.record["steps"][way]
        except KeyError:
            raise ConfigError(f"{self.name} has no sampler: give the number of steps and their size.") from None
        return steps, step_size

    def require_usual(self) -> None:
        """Do nothing: the record has what `usual` returns."""

    def usual(self, _model: Detector, _device: torch.device) -> np.ndarray:
        """Return the energies (n,), ascending, of in-distribution images, from the record."""
        return np.array(self.record["in_distribution"]["energies"], np.float32)


Trained = OfRun | Committed


def load_detector(trained: Trained, device: torch.device) -> Detector:
    """Return f of a trained model as a torch module, for inference."""
    return load_weights(model_of(trained.record), trained.weights).on(device)


def find(plan: Plan, name: str, root: Path) -> Trained:
    """Return the trained model for a name in the checkout `root`: a run, "demo/cifar10", or a folder.

    A run's model is the one in work/ or, if it was not trained there, the one of the same step in models/. Raises
    ConfigError for an unknown name and for a run that is in neither, and DataError for a damaged model.
    """
    folder = find_committed(name, root)
    return Committed.read(folder) if folder else find_run(plan, name, root)


def find_run(plan: Plan, run: str, root: Path) -> Trained:
    """Return the trained model of a run, from work/ or else from models/. Raises ConfigError if it is in neither."""
    require_run(plan, run)
    step = plan.train(run, plan.config.seed)
    if (root / step.record).exists():
        return OfRun(plan, run, root)
    others = [folder for folder in committed(root) if folder.name == run]
    for folder in others:
        found = Committed.read(folder, instead=run)
        if found.record["step"] == f"{step.kind}/{step.id}":
            return found
    more = f"; models/ has {', '.join(map(name_of, others))} with other settings" if others else ""
    raise ConfigError(missing(plan, step) + more)


def find_usual(plan: Plan, run: str, root: Path) -> Trained:
    """Return the model that a command uses if none is named.

    That is the run on your own images if the scale has one; else the model of `run` or, if it is not trained here, the
    model of that name in models/, of any scale. Raises ConfigError if there is none.
    """
    if plan.config.own:
        return find_run(plan, plan.config.own, root)
    try:
        return find_run(plan, run, root)
    except ConfigError:
        for folder in [*committed(root), *committed(repository())]:
            if folder.name == run:
                return Committed.read(folder, instead=run)
        raise


def energies_of(trained: Trained, model: Detector, device: torch.device) -> np.ndarray:
    """Return the energies (n,), ascending, of in-distribution images by a model from `load_detector`."""
    with frozen(model):
        return trained.usual(model, device)


def said_of(models: Sequence[Trained]) -> list[str]:
    """Say which committed models are used, and which of them because work/ has no model of the run."""
    return [
        f"using {model.place}{f', since work/ has no {model.instead}' if model.instead else ''}: {model.words}."
        for model in models
        if isinstance(model, Committed)
    ]


def data_of(config: Config, run: str) -> dict[str, Any]:
    """Return a run's data in words: `trained_on`, what they `stands_for` (None: the paper's own data), and `p_0`."""
    task = config.tasks[config.runs[run].task]
    used = config.title_of(task.p_data)
    stands_for = None if used.casefold() == task.title.casefold() else task.title
    return {"trained_on": used, "stands_for": stands_for, "p_0": config.title_of(task.p_0)}


def require_run(plan: Plan, run: str) -> None:
    """Raise ConfigError unless config.yaml has a run of this name."""
    if run not in plan.config.runs:
        raise ConfigError(f"there is no run {run!r}; {did_you_mean(run, plan.config.runs, 'atebm status runs')}")


def require_computed(plan: Plan, step: Step, root: Path) -> None:
    """Raise ConfigError unless a step was computed in the checkout `root`."""
    if not (root / step.record).exists():
        raise ConfigError(missing(plan, step))


def missing(plan: Plan, step: Step) -> str:
    return f"{step.kind} {step.name} has not been computed yet; run: {plan.command(step.record)}"


@torch.inference_mode()
def energies(model: Callable[[Tensor], Tensor], batches: Iterable[Tensor]) -> np.ndarray:
    """Return the energies -f (N,) of batches of uint8 images (b, C, H, W) on the model's device."""
    return np.concatenate([-model(to_float(batch)).cpu().numpy() for batch in batches])
