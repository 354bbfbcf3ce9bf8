"""What tables show of the configuration itself.

It stands in an artifact's request beside its steps. So such a table waits for no training, and a changed key makes
exactly those tables stale that show it. Everything here is JSON, since requests are compared with what was read back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .plan import Plan

PAPER_TASKS = ("cifar10", "celebahq256", "afhqcat256", "church256")  # their runs and samplers have the same names
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


def table1(plan: Plan) -> dict[str, Any]:
    """The sets that the checks are made on."""
    task = plan.task("cifar10")
    return {role: plan.config.sets[getattr(task, role)].model_dump(mode="json") for role in ("p_data", "p_0")}


def tableS2(plan: Plan) -> dict[str, Any]:
    """Which network each task has at this scale."""
    return {task: plan.config.runs[task].network.name for task in PAPER_TASKS}


def tableS3(plan: Plan) -> dict[str, Any]:
    """How each task's run is trained, and which of them this scale trains."""
    runs = {task: plan.config.runs[task].model_dump(mode="json", include=HYPERPARAMETERS) for task in PAPER_TASKS}
    return {"runs": runs, "trained": trained(plan)}


def tableS4(plan: Plan) -> dict[str, Any]:
    """How each task is sampled and from which images, and which of them this scale trains."""
    shown = {
        task: {
            "sampler": plan.config.samplers[task].model_dump(mode="json", include={"step_size", "n"}),
            "steps": sampling_steps(plan, task),
            "sources": plan.config.sets[plan.task(task).sources].model_dump(mode="json"),
        }
        for task in PAPER_TASKS
    }
    return {"tasks": shown, "trained": trained(plan)}


def tableS5(plan: Plan) -> dict[str, Any]:
    """Steps of the attack at the end of training and of sampling, and which of the tasks this scale trains."""
    shown = {
        task: {"train": [plan.config.runs[task].schedule.K_max], "test": sampling_steps(plan, task)}
        for task in ("cifar10", "celebahq256")
    }
    return {"tasks": shown, "trained": trained(plan)}


def claims(plan: Plan) -> dict[str, Any]:
    """How claims are decided."""
    return plan.config.claims.model_dump(mode="json", include={"level", "margin"})


def picture_checks(plan: Plan) -> dict[str, Any]:
    """From which difference on a sample counts as nearer to training images."""
    return plan.config.claims.model_dump(mode="json", include={"margin"})


def sampling_steps(plan: Plan, task: str) -> list[int]:
    """The sampler's length; the candidates where training's monitor selects among them."""
    steps, monitor = plan.config.samplers[task].steps, plan.config.runs[task].monitor
    if steps != "selected":
        return [steps]
    return list(monitor.steps) if monitor is not None else []


def trained(plan: Plan) -> list[str]:
    """The tasks whose runs some artifact of this scale is drawn from."""
    return sorted({run for run, _ in plan.trainings()} & set(PAPER_TASKS))


SETTINGS: dict[str, Callable[[Plan], dict[str, Any]]] = {
    "table1": table1,
    "tableS2": tableS2,
    "tableS3": tableS3,
    "tableS4": tableS4,
    "tableS5": tableS5,
    "claims": claims,
    "picture_checks": picture_checks,
}
