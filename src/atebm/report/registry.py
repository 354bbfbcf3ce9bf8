"""The registry of claims: what the paper says, and the one test that each claim is put to.

The tests were written before any run, but for what a claim's `caveat` says, and for the smallest effect that matters,
which was added after the runs.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import inf, log

import pandas as pd

from ..config.roles import CLEAN, IN, WORST
from ..pipeline.tasks import STABILITY
from .detection import detections
from .needs import Needs
from .records import WINDOW, evaluations, gaps
from .tabulating import scientific
from .verdicts import BySeed, Criterion, least

NEAR = 1.5  # of Fig. 5: training has arrived at this many times the distance that the largest fixed K ends with
SLIGHTLY = 1.5  # of Fig. S5: at most so many times the distance
DIVERGES, STABLE = 1e6, 50  # of Sec. 5.3: gaps between logits above and below these
U_TOLERANCE = 0.01  # of Table S1
AS_HIGH = 0.98  # of Table 4: at least so many times another clean AUROC; and a ratio nearer to 1 does not matter

RIVALS = {"a plain classifier": "cifar10_ood_plain", "outlier exposure": "cifar10_ood_oe"}  # of Table 4
LATE = "its test was written when the numbers of five of its eight seeds were known"


@dataclass(frozen=True)
class Evidence:
    """Compute what the claims are decided on from the steps of an artifact."""

    needs: Needs

    @cached_property
    def distances(self) -> pd.DataFrame:
        """Return distances of samples, a row per seed and a column per sampler."""
        rows = [record["images"] | {"distance": record["value"]} for record in self.needs.records("distance")]
        return pd.DataFrame(rows).pivot(index="seed", columns="sampler", values="distance")

    @cached_property
    def cost_to_arrive(self) -> pd.DataFrame:
        """Return gradient steps until training has arrived, or all where it never has; a row per seed.

        A column per run. Training has arrived when the distance on validation sources is NEAR times that which the
        largest fixed K ends with.
        """
        frame = evaluations(self.needs)
        ends = frame[frame["run"] == "cifar10_K_max"].groupby("seed")["distance"].last()
        arrived = frame[frame["distance"] <= NEAR * frame["seed"].map(ends)]
        first, budget = (rows.groupby(["seed", "run"])["gradient_steps"] for rows in (arrived, frame))
        return first.first().combine_first(budget.last()).unstack()

    @cached_property
    def gaps(self) -> pd.DataFrame:
        """Return gaps between logits at the end (Sec. 5.3), inf after overflow; a row per seed, a column per run."""
        trainings = [training for run in STABILITY for training in self.needs.under(f"train/{run}").values()]
        last = pd.concat(gaps(training).tail(1) for training in trainings)
        gap = last[f"median_gap_{WINDOW}"].where(~last["overflowed"].astype(bool), inf)
        return last.assign(gap=gap).pivot(index="seed", columns="run", values="gap")

    @cached_property
    def auroc(self) -> pd.DataFrame:
        """Return AUROCs; a row per seed, a column per run, row of Table 4, and attack."""
        found = detections(self.needs.under("detection").values())
        found = found[found["all_attacks"] & (found["in"] == IN)]
        return found.pivot(index="seed", columns=["run", "row", "attack"], values="auroc")

    def advantage(self, over: str, row: str, attack: str) -> BySeed:
        """Return the AUROC of adversarial training over another run's; 1 where both are 0, none where one is none."""
        ours, theirs = (self.auroc[run, row, attack] for run in ("cifar10_ood", over))
        return (ours / theirs).mask((ours == 0) & (theirs == 0), 1)

    def maximin(self, measure: str) -> pd.DataFrame:
        """Return a measure at the end of Algorithm 1 in 2D: a row per seed, a column per p_0."""
        frame = self.needs["maximin"].table("toy.csv").query("state == 'final'")
        return frame.pivot(index="seed", columns="setting", values=measure)

    def minimax(self, measure: str) -> pd.DataFrame:
        """Return a measure at the end of Algorithm 3 in 2D: a row per seed, a column per p_0."""
        frame = self.needs["minimax"].table("minimax.csv")
        return frame.pivot(index="seed", columns="setting", values=measure)

    def ratio(self, above: str, below: str) -> BySeed:
        """Return the distance by one sampler over that by another."""
        return self.distances[above] / self.distances[below]


@dataclass(frozen=True)
class Claim:
    """A claim, and the effect that its test is about."""

    id: str
    claim: str
    where: str
    task: str  # whose data it is about; empty for the plane
    measured: str  # what the effect is, in words
    effect: Callable[[Evidence], BySeed]
    test: Criterion = field(default_factory=Criterion)
    caveat: str = ""  # what else a reader must know to weigh the verdict

    @property
    def tested(self) -> str:
        """Return what is tested, in words."""
        bounds = [f"above {self.test.above:g}"] * bool(self.test.above)
        bounds += [f"below {self.test.below:g}"] * (self.test.below < inf)
        return f"{self.measured}, {' and '.join(bounds)}"


def claims_of_generation(margin: float, learning_rates: Mapping[str, float], K: int) -> list[Claim]:
    """Return the claims on samples, training and the games in the plane.

    Two distances that differ by less than `margin`, relatively, count as the same. `learning_rates`, by run, and `K`
    are those of Sec. 5.3.
    """
    same = 1 + margin
    large, small = (scientific(learning_rates[run]) for run in (STABILITY[0], STABILITY[2]))
    return [
        *claims_of_attacks(same),
        *claims_of_pretraining(same),
        *claims_of_samplers(same),
        *claims_of_stability(large, small, K),
        *claims_of_games(same),
    ]


def claims_of_attacks(same: float) -> list[Claim]:
    """Return the claims on p_0, on K, and on the schedule of K (Figs. 3 to 5)."""
    return [
        Claim(
            "p0_diverse",
            "A diverse p_0 makes samples better",
            "Fig. 3",
            "cifar10",
            "distance with the least diverse p_0 over that with all of it",
            lambda e: e.ratio("cifar10_p0_narrowest", "cifar10"),
            Criterion(above=1, smallest=same),
        ),
        Claim(
            "k_larger",
            "A larger K makes samples better",
            "Fig. 4",
            "cifar10",
            "distance with K = 1 over that with the largest K",
            lambda e: e.ratio("cifar10_K_one", "cifar10_K_max"),
            Criterion(above=1, smallest=same),
        ),
        Claim(
            "progressive_cheaper",
            "Progressive training is cheaper than a fixed large K",
            "Fig. 5",
            "cifar10",
            f"gradient steps until the distance on validation sources is {NEAR} times that which the largest fixed K "
            "ends with: that K's over progressive training's",
            lambda e: e.cost_to_arrive["cifar10_K_max"] / e.cost_to_arrive["cifar10"],
            Criterion(above=1, smallest=same),
        ),
    ]


def claims_of_pretraining(same: float) -> list[Claim]:
    """Return the claims on pre-training and R1 (Fig. 2)."""
    return [
        Claim(
            "pretraining_helps",
            "Pre-training makes samples better",
            "Fig. 2",
            "celebahq256",
            "distance from scratch over that with pre-training, both with R1",
            lambda e: e.ratio("celebahq256_scratch", "celebahq256"),
            Criterion(above=1, smallest=same),
        ),
        Claim(
            "r1_needed",
            "R1 is needed where the network is pre-trained",
            "Fig. 2",
            "celebahq256",
            "distance without R1 over that with it, both pre-trained",
            lambda e: e.ratio("celebahq256_r1_0", "celebahq256"),
            Criterion(above=1, smallest=same),
            "the paper speaks of the course of training, this test of its end; on validation sources, Fig. 2 can say "
            "otherwise",
        ),
        Claim(
            "r1_harmless",
            "R1 does no harm from scratch",
            "Fig. 2",
            "celebahq256",
            "distance with R1 over that without it, both from scratch",
            lambda e: e.ratio("celebahq256_scratch", "celebahq256_scratch_r1_0"),
            Criterion(below=same),
        ),
    ]


def claims_of_samplers(same: float) -> list[Claim]:
    """Return the claims on steps, step sizes and blurred sources (Table S7; Figs. S5 and S14 to S16)."""
    return [
        Claim(
            "steps_for_size",
            "Steps and step size may be traded at equal product",
            "Table S7",
            "celebahq256",
            "largest over smallest distance of three samplers of equal product, of the worse of two models",
            lambda e: -least(-spread(e, "cifar10"), -spread(e, "celebahq256")),
            Criterion(below=same),
            "the product of the three is not that of the sampler which training selected",
        ),
        Claim(
            "blur_slightly_worse",
            "Blurred sources make samples slightly worse",
            "Fig. S5",
            "celebahq256",
            "distance from blurred sources over that from sharp ones",
            lambda e: e.ratio("celebahq256_blurred", "celebahq256"),
            Criterion(above=1, below=SLIGHTLY, smallest=same),
        ),
        Claim(
            "steps_best_number",
            "There is a best number of steps: fewer make samples worse, and more do too",
            "Figs. S14-S16",
            "celebahq256",
            "distance with few steps or with many, the smaller, over that with the sampler's number",
            lambda e: e.distances[["celebahq256_short", "celebahq256_long"]].min(axis=1) / e.distances["celebahq256"],
            Criterion(above=1, smallest=same),
            "the sampler's number was selected to be the best",
        ),
    ]


def claims_of_stability(large: str, small: str, K: int) -> list[Claim]:
    """Return the claims of Sec. 5.3; `large` and `small` are its learning rates."""
    return [
        Claim(
            "likelihood_diverges",
            f"Maximum likelihood with PGD diverges at learning rate {large}",
            "Sec. 5.3",
            "cifar10",
            f"gap between logits under Eq. 2 at the end, K = {K}",
            lambda e: e.gaps[STABILITY[0]],
            Criterion(above=DIVERGES, claim="Sec. 5.3"),
        ),
        Claim(
            "at_stable",
            f"Binary adversarial training does not diverge at learning rate {large}",
            "Sec. 5.3",
            "cifar10",
            f"gap between logits under Eq. 11 at the end, K = {K}",
            lambda e: e.gaps[STABILITY[1]],
            Criterion(below=STABLE, claim="Sec. 5.3"),
        ),
        Claim(
            "likelihood_diverges_small_lr",
            f"Maximum likelihood with PGD diverges at the paper's learning rate {small}",
            "Sec. 5.3",
            "cifar10",
            f"gap between logits under Eq. 2 at the end, K = {K}",
            lambda e: e.gaps[STABILITY[2]],
            Criterion(above=DIVERGES, tested=False),
        ),
    ]


def claims_of_games(same: float) -> list[Claim]:
    """Return the claims on the games in the plane (Table S1 and Fig. S1)."""
    return [
        Claim(
            "u_log4",
            "The maximin game ends at U = -log 4",
            "Table S1",
            "",
            "how far U is from -log 4, with the worse of two p_0",
            lambda e: (e.maximin("u") + log(4)).abs().max(axis=1),
            Criterion(below=U_TOLERANCE),
            f"{LATE}; D = 1/2 everywhere gives this U too",
        ),
        Claim(
            "d_off_support",
            "Off p_data's support D is free in the minimax game, and not in the maximin game",
            "Fig. S1",
            "",
            "greatest D there in the minimax game over that in the maximin game, the smaller of two p_0",
            lambda e: (e.minimax("d_off_support_max") / e.maximin("d_off_support_max")).min(axis=1),
            Criterion(above=1, smallest=same),
            f"as to the maximin game, {LATE}",
        ),
    ]


def claims_of_detection(rows: Mapping[str, str]) -> list[Claim]:
    """Return the claims on Table 4; `rows` are its sets out of distribution, each with its label."""
    robust = [
        Claim(
            f"worst_{run.removeprefix('cifar10_ood_')}_{row.lower().replace(' ', '_').replace('-', '')}",
            f"Adversarial training detects attacked images better than {rival}: {label}",
            "Table 4",
            "cifar10",
            "AUROC in the worst case of all attacks over that of the other",
            lambda e, run=run, row=row: e.advantage(run, row, WORST),  # type: ignore[misc]
            Criterion(above=1, smallest=1 / AS_HIGH, family="detection"),
        )
        for rival, run in RIVALS.items()
        for row, label in rows.items()
    ]
    clean = [
        Claim(
            f"clean_{run.removeprefix('cifar10_ood_')}",
            f"Adversarial training detects clean images as well as {rival}",
            "Table 4",
            "cifar10",
            "clean AUROC over that of the other, the smallest of all sets",
            lambda e, run=run: least(*(e.advantage(run, row, CLEAN) for row in rows)),  # type: ignore[misc]
            Criterion(above=AS_HIGH, family="detection"),
        )
        for rival, run in RIVALS.items()
    ]
    return [*robust, *clean]


def spread(evidence: Evidence, run: str) -> BySeed:
    """Return the largest over the smallest distance of Table S7's three samplers of a model.

    One of them may be the model's own sampler.
    """
    ways = [f"{run}_{way}_steps" for way in ("small", "middle", "large")]
    mine = evidence.distances[[way if way in evidence.distances else run for way in ways]]
    return mine.max(axis=1) / mine.min(axis=1)
