"""What tables show of the configuration itself.

It stands in an artifact's request beside its steps. So such a table waits for no training, and a changed key makes
exactly those tables stale that show it. Everything here is JSON, since requests are compared with what was read back.
"""

from collections.abc import Callable
from typing import Any

from .plan import Plan
from .tasks import PAPER_TASKS, STABILITY

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


def tableS2(plan: Plan) -> dict[str, Any]:
    """Which network each task has at this scale."""
    return {task: plan.config.runs[task].network.name for task in PAPER_TASKS}


def tableS3(plan: Plan) -> dict[str, Any]:
    """How each task's run is trained, and which of them this scale trains."""
    runs = {task: plan.config.runs[task].model_dump(mode="json", include=HYPERPARAMETERS) for task in PAPER_TASKS}
    return {"runs": runs, "trained": trained(plan)}


def tableS4(plan: Plan) -> dict[str, Any]:
    """How each task is sampled, and which of them this scale trains."""
    shown = {
        task: plan.config.samplers[task].model_dump(mode="json", include={"step_size", "n", "steps"})
        for task in PAPER_TASKS
    }
    return {"tasks": shown, "trained": trained(plan)}


def tableS5(plan: Plan) -> dict[str, Any]:
    """Steps of the attack at the end of training and of sampling, and which of the tasks this scale trains."""
    shown = {
        task: {"train": plan.config.runs[task].schedule.K_max, "test": plan.config.samplers[task].steps}
        for task in PAPER_TASKS[:2]
    }
    return {"tasks": shown, "trained": trained(plan)}


def claims(plan: Plan) -> dict[str, Any]:
    """How claims are decided, and how the runs of Sec. 5.3 are trained."""
    runs = {name: plan.config.runs[name] for name in STABILITY}
    trained = {name: {"lr": run.optimizer.lr, "K": run.schedule.K_max} for name, run in runs.items()}
    return plan.config.claims.model_dump(mode="json", include={"level", "margin"}) | {"stability": trained}


def trained(plan: Plan) -> list[str]:
    """The tasks whose runs some artifact of this scale is drawn from."""
    return sorted({run for run, _ in plan.trainings()} & set(PAPER_TASKS))


SETTINGS: dict[str, Callable[[Plan], dict[str, Any]]] = {
    "tableS2": tableS2,
    "tableS3": tableS3,
    "tableS4": tableS4,
    "tableS5": tableS5,
    "claims": claims,
}
