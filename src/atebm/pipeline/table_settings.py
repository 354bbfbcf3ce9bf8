"""Select the parts of the configuration that tables show.

They stand in an artifact's request beside its steps. So such a table waits for no training, and a changed key makes
exactly those tables stale that show it. Everything here is JSON, since requests are compared after reading them back.
"""

from typing import Any

from .builder import StepBuilder
from .tasks import PAPER_TASKS, STABILITY

Trained = list[str]  # the tasks of the paper whose runs some artifact of the scale uses

HYPERPARAMETERS = {
    "batch_size",
    "schedule",
    "optimizer",
    "step_size",
    "r1",
    "weights",
    "init",
    "network",
    "in_attack",
    "average",
    "augment",
}


def networks(build: StepBuilder, trained: Trained) -> dict[str, Any]:
    """Return the network of each task at this scale."""
    return {task: build.config.runs[task].network.name for task in PAPER_TASKS}


def hyperparameters(build: StepBuilder, trained: Trained) -> dict[str, Any]:
    """Return the training settings of each task's run, and which tasks this scale trains."""
    runs = {task: build.config.runs[task].model_dump(mode="json", include=HYPERPARAMETERS) for task in PAPER_TASKS}
    return {"runs": runs, "trained": trained}


def samplers(build: StepBuilder, trained: Trained) -> dict[str, Any]:
    """Return the sampler settings of each task, and which tasks this scale trains."""
    shown = {"step_size", "n", "steps"}
    tasks = {task: build.config.samplers[task].model_dump(mode="json", include=shown) for task in PAPER_TASKS}
    return {"tasks": tasks, "trained": trained}


def update_steps(build: StepBuilder, trained: Trained) -> dict[str, Any]:
    """Return the numbers of steps at the end of training and in sampling, and which tasks this scale trains."""
    tasks = {
        task: {"train": build.config.runs[task].schedule.K_max, "test": build.config.samplers[task].steps}
        for task in PAPER_TASKS[:2]
    }
    return {"tasks": tasks, "trained": trained}


def claims(build: StepBuilder, trained: Trained) -> dict[str, Any]:
    """Return the settings that decide claims, and the training settings of Sec. 5.3."""
    runs = {name: build.config.runs[name] for name in STABILITY}
    stability = {
        name: {"lr": run.optimizer.lr, "K": [run.schedule.K_start, run.schedule.K_max]} for name, run in runs.items()
    }
    return build.config.claims.model_dump(mode="json", include={"level", "margin"}) | {"stability": stability}
