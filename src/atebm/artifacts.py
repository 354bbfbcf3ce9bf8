"""The table of contents: every figure and table that is drawn, and the steps it is drawn from.

A new one is a line here, a notebook `notebooks/<id>.ipynb` and a function of the same name in `report/`.
What a table shows of the configuration itself, without any step, is in settings.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .plan import Plan, Step


def fig1(plan: Plan) -> list[Step]:
    """Fig. 1: D of Algorithm 1 in 2D, before and after, for two p_0."""
    return [plan.toy(activation) for activation in plan.config.toy.activations]


def figS1(plan: Plan) -> list[Step]:
    """Fig. S1: minimax instead of maximin: Algorithm 3 in 2D, beside D of Algorithm 1."""
    return [plan.minimax(), plan.toy(plan.config.minimax.activation)]


def figS2(plan: Plan) -> list[Step]:
    """Fig. S2: uncurated CIFAR-10 samples, here over the source images they started from."""
    sample = plan.sample("cifar10", plan.config.seed, "best")
    return [sample, sample.parents["sources"], plan.features(sample, plan.config.metrics.n)]


def table1(plan: Plan) -> list[Step]:
    """Table 1: binary adversarial training beside maximum likelihood, each line with its numeric check."""
    return [plan.check("cifar10")]


def table2(plan: Plan) -> list[Step]:
    """Table 2: IS and FID on CIFAR-10."""
    task = plan.task("cifar10")
    images = [plan.sample("cifar10", seed, which) for seed in plan.seeds for which in ("best", "last")]
    images += [plan.data(task.sources), plan.data(task.held_out)]
    names = ["frechet", "inception_score"]
    if plan.config.extractors[plan.config.metrics.extractor].kind == "classifier":
        names.append("class_shares")  # it knows the classes of p_data, Inception does not
    else:
        names.append("kid")
    return [plan.metric(name, step, task.p_data) for step in images for name in names]


def tableS1(plan: Plan) -> list[Step]:
    """Table S1: optimal solutions to the minimax and the maximin problem, by the theory and in 2D."""
    return [plan.minimax(), plan.toy(plan.config.minimax.activation)]


def tableS2(plan: Plan) -> list[Step]:
    """Table S2: architecture of the 256x256 network, with the authors' 3x3 stem and the published 1x1."""
    return [plan.network(stem) for stem in (3, 1)]


def tableS3(plan: Plan) -> list[Step]:
    """Table S3: training hyperparameters."""
    return []  # drawn from settings alone


def tableS4(plan: Plan) -> list[Step]:
    """Table S4: sample generation settings."""
    return []


def tableS5(plan: Plan) -> list[Step]:
    """Table S5: number of update steps, in training and sampling."""
    return []


def tableS6(plan: Plan) -> list[Step]:
    """Table S6: wall-clock time to generate 50 CIFAR-10 samples with 32 steps."""
    return [plan.timing("cifar10")]


ARTIFACTS: dict[str, Callable[[Plan], list[Step]]] = {
    "fig1": fig1,
    "table1": table1,
    "table2": table2,
    "figS1": figS1,
    "figS2": figS2,
    "tableS1": tableS1,
    "tableS2": tableS2,
    "tableS3": tableS3,
    "tableS4": tableS4,
    "tableS5": tableS5,
    "tableS6": tableS6,
}


def is_table(artifact: str) -> bool:
    """Tables are rendered as .csv and .md, figures as .png, .svg and the numbers behind them as .csv."""
    return artifact.startswith("table")


def titled(artifact: str) -> str:
    """The number and title of an artifact: the first line of its function's docstring."""
    return (ARTIFACTS[artifact].__doc__ or artifact).splitlines()[0].rstrip(".")
