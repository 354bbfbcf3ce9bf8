"""Copy the selected weights of some runs from work/ to models/<scale>/<run>/, so a clone has them, each with a card.

Nothing is trained here. Weights, numbers and settings come from the plan's steps in work/.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..config.load import configured
from ..inference.trained import WAYS, OfRun, data_of, energies_of, load_detector, require_run
from ..models.committed import CARD, MODELS, RECORD, WEIGHTS
from ..pipeline.plan import Plan
from ..pipeline.settings_beside import settings_beside
from ..pipeline.step import Step
from ..utils.errors import ConfigError, DataError
from ..utils.files import atomic, write_text
from ..utils.hashing import sealed, sha256
from .cards import card
from .numbers import numbers_behind, numbers_of

# The runs that notebooks, examples and the commands' defaults use.
PUBLISHED = ("cifar10", "celebahq256", "afhqcat256", "church256", "cifar10_ood", "cifar10_ood_plain")
MOST_BYTES = 500_000  # limit on a model's weights: larger files do not belong in git
DIGITS = 6  # digits of an energy in a record


@dataclass(frozen=True)
class Written:
    """A model that was written."""

    folder: Path
    size: int
    sha256: str
    words: str

    def describe(self) -> str:
        """Return one line that names the folder, size, checksum and contents."""
        return f"{self.folder}: {self.size:,} bytes, sha256 {self.sha256[:12]}, {self.words}"


def publish_models(plan: Plan, runs: Sequence[str], root: Path) -> Iterator[Written]:
    """Write models/<scale>/<run>/ of a checkout for runs (by default all of PUBLISHED), and yield what was written.

    Raises ConfigError, before anything is written, for an unknown run, or if a training or a number for a card has not
    been computed; and DataError if weights in work/ have changed since they were written, or are too large for git.
    """
    runs = runs or PUBLISHED
    for run in runs:
        require_run(plan, run)
    behind = [step for run in runs for step in (plan.train(run, plan.config.seed), *numbers_behind(plan, run))]
    if absent := [step for step in behind if not (root / step.record).exists()]:
        command = plan.command(*(step.record for step in absent))
        raise ConfigError(f"{len(absent)} steps that models and cards need have not been computed; run: {command}")
    models = [trained_here(plan, run, root) for run in runs]
    paper = configured(root, ["scale=paper"])
    for model in models:
        yield write_model(model, paper_beside(model, paper))


def trained_here(plan: Plan, run: str, root: Path) -> OfRun:
    """Return a run's model in work/. Raises DataError if its weights have changed or are too large for git."""
    model = OfRun(plan, run, root)
    if sha256(model.weights) != model.record["files"][model.weights.name]:
        raise DataError(f"{model.weights} has changed since it was written; `atebm verify` tells more.")
    if (size := model.weights.stat().st_size) > MOST_BYTES:
        raise DataError(f"{model.weights} has {size:,} bytes; a model in git may have at most {MOST_BYTES:,}.")
    return model


def paper_beside(model: OfRun, paper: Any) -> list[list[str]]:
    """Return the settings of a model and its sampler, the paper's beside those used here."""
    plan, seed = model.plan, model.plan.config.seed
    steps: list[Step] = [model.step]
    if model.run in plan.config.samplers and model.run in paper.samplers:
        steps.append(plan.sample(model.run, seed, "best"))
    return settings_beside(steps, paper, plan.config)


def write_model(model: OfRun, settings: list[list[str]]) -> Written:
    """Write weights, card and, last, the record of a model."""
    plan, name = model.plan, f"{model.plan.config.scale}/{model.run}"
    folder = model.root / MODELS / name
    record = facts_of(model) | {"name": name}
    with atomic(folder / WEIGHTS) as temporary:
        temporary.write_bytes(model.weights.read_bytes())
    digest, size = sha256(folder / WEIGHTS), (folder / WEIGHTS).stat().st_size
    text = card(plan.config, record, settings, numbers_of(plan, model.run, model.root), {WEIGHTS: (size, digest)})
    write_text(folder / CARD, text)
    files = {WEIGHTS: digest, CARD: sha256(folder / CARD)}
    write_text(folder / RECORD, sealed(record | {"files": files}))
    return Written(folder.relative_to(model.root), size, digest, model.words)


def facts_of(model: OfRun) -> dict[str, Any]:
    """Return the facts needed to load and use a model, and the data it was trained on."""
    plan, record, run = model.plan, model.record, model.run
    cpu = torch.device("cpu")
    usual = energies_of(model, load_detector(model, cpu), cpu)
    spec = plan.config.detection[plan.config.runs[run].task]
    kept = ("network", "shape", "classes", "parameters", "seed", "iterations", "best")
    return {
        **{key: record[key] for key in kept if key in record},
        **data_of(plan.config, run),
        "run": run,
        "scale": plan.config.scale,
        "step": f"{model.step.kind}/{model.step.id}",
        "steps": {way: model.steps(way) for way in WAYS} if run in plan.config.samplers else {},
        "in_distribution": {
            "set": model.require_usual().name,
            "seed": spec.seed,
            "energies": [float(np.format_float_positional(value, DIGITS, fractional=False)) for value in usual],
        },
    }
