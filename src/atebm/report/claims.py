"""The claims board: each claim of the paper with one test, stated here before any run, and what came of it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from math import inf, log, nan
from pathlib import Path

import numpy as np
import pandas as pd

from ..job import record_of
from ..kinds import IN
from ..metrics.scores import CLEAN, WORST
from .ablations import WINDOW, checks, gaps
from .detection import detections, rows_of, rows_played
from .generation import STANDIN
from .needs import Needs
from .sign_flip import holm, sign_flip
from .tabulating import extractor_of, write_table

LEAST_SEEDS = 5  # with fewer, nothing is decided
NEAR = 1.5  # of Fig. 5: training has arrived at this many times the distance that the largest fixed K ends with
SLIGHTLY = 1.5  # of Fig. S5: at most so many times the distance
DIVERGES, STABLE = 1e6, 50  # of Sec. 5.3: gaps between logits above and below these
U_TOLERANCE = 0.01  # of Table S1
AS_HIGH = 0.98  # of Table 4: at least so many times another clean AUROC

RIVALS = {"a plain classifier": "cifar10_ood_plain", "outlier exposure": "cifar10_ood_oe"}  # of Table 4
STABILITY = ("cifar10_max_likelihood", "cifar10_binary_at")

BySeed = pd.Series  # one number per seed


@dataclass(frozen=True)
class Evidence:
    """What the claims are decided on."""

    needs: Needs

    @cached_property
    def distances(self) -> pd.DataFrame:
        """Distances of samples, a row per seed and a column per sampler."""
        rows = [record["images"] | {"distance": record["value"]} for record in self.needs.records("metric")]
        return pd.DataFrame(rows).pivot(index="seed", columns="sampler", values="distance")

    @cached_property
    def cost_to_arrive(self) -> pd.DataFrame:
        """Gradient steps until training has arrived, or all where it never has; a row per seed and a column per run.

        That is, is on validation sources at NEAR times the distance with which the run of the largest fixed K ends.
        """
        frame = checks(self.needs)
        ends = frame[frame["run"] == "cifar10_K_max"].groupby("seed")["distance"].last()
        arrived = frame[frame["distance"] <= NEAR * frame["seed"].map(ends)]
        first, budget = (rows.groupby(["seed", "run"])["gradient_steps"] for rows in (arrived, frame))
        return first.first().combine_first(budget.last()).unstack()

    @cached_property
    def gaps(self) -> pd.DataFrame:
        """Between logits at the end of training (Sec. 5.3), inf after overflow; a row per seed, a column per run."""
        folders = [folder for folder in self.needs.folder("train") if record_of(folder)["run"] in STABILITY]
        last = pd.concat(gaps(self.needs, folder).tail(1) for folder in folders)
        gap = last[f"median_gap_{WINDOW}"].where(~last["overflowed"].astype(bool), inf)
        return last.assign(gap=gap).pivot(index="seed", columns="run", values="gap")

    @cached_property
    def auroc(self) -> pd.DataFrame:
        """Of out-of-distribution detection; a row per seed, a column per run, row of Table 4, and attack."""
        found = detections(self.needs)
        found = found[found["all_attacks"] & (found["in"] == IN)]
        return found.pivot(index="seed", columns=["run", "row", "attack"], values="auroc")

    def advantage(self, over: str, row: str, attack: str) -> BySeed:
        """The AUROC of adversarial training over that of another run; 1 where both are 0, none where one is none."""
        ours, theirs = (self.auroc[run, row, attack] for run in ("cifar10_ood", over))
        return (ours / theirs).mask((ours == 0) & (theirs == 0), 1)

    def maximin(self, measure: str) -> pd.DataFrame:
        """A measure at the end of Algorithm 1 in 2D: a row per seed, a column per p_0."""
        (folder,) = self.needs.folder("toy")
        return (
            pd.read_csv(folder / "toy.csv")
            .query("state == 'final'")
            .pivot(index="seed", columns="setting", values=measure)
        )

    def minimax(self, measure: str) -> pd.DataFrame:
        """The same of Algorithm 3."""
        (folder,) = self.needs.folder("minimax")
        return pd.read_csv(folder / "minimax.csv").pivot(index="seed", columns="setting", values=measure)

    def ratio(self, above: str, below: str) -> BySeed:
        return self.distances[above] / self.distances[below]


@dataclass(frozen=True)
class Claim:
    """A claim, and the effect that it is about: it holds in a seed whose effect lies between two bounds."""

    claim: str
    where: str
    measured: str  # what the effect is, in words
    effect: Callable[[Evidence], BySeed]  # all above 0
    above: float = 0
    below: float = inf
    family: str = "generation"  # p-values are adjusted for the claims of one

    def scores(self, effect: BySeed) -> BySeed:
        """How far inside the bounds each seed's effect is, in logarithms: negative where it is outside."""
        logs = np.log(effect.clip(1e-300, 1e300))
        inside = [logs - log(self.above)] if self.above else []
        inside += [log(self.below) - logs] if self.below < inf else []
        return least(*inside)

    @property
    def test(self) -> str:
        bounds = [f"above {self.above:g}"] * bool(self.above) + [f"below {self.below:g}"] * (self.below < inf)
        return f"{self.measured}, {' and '.join(bounds)}"


def stated(margin: float) -> list[Claim]:
    """The claims; two distances that differ by less than `margin`, relatively, count as the same."""
    ratio, same = Evidence.ratio, 1 + margin
    return [
        Claim(
            "A diverse p_0 makes samples better",
            "Fig. 3",
            "distance with the least diverse p_0 over that with all of it",
            lambda e: ratio(e, "cifar10_p0_narrowest", "cifar10"),
            above=1,
        ),
        Claim(
            "A larger K makes samples better",
            "Fig. 4",
            "distance with K = 1 over that with the largest K",
            lambda e: ratio(e, "cifar10_K_one", "cifar10_K_max"),
            above=1,
        ),
        Claim(
            "Progressive training is cheaper than a fixed large K",
            "Fig. 5",
            f"gradient steps until the distance on validation sources is {NEAR} times that which the largest fixed K "
            "ends with: that K's over progressive training's",
            lambda e: e.cost_to_arrive["cifar10_K_max"] / e.cost_to_arrive["cifar10"],
            above=1,
        ),
        Claim(
            "Pre-training makes samples better",
            "Fig. 2",
            "distance from scratch over that with pre-training, both with R1",
            lambda e: ratio(e, "celebahq256_scratch", "celebahq256"),
            above=1,
        ),
        Claim(
            "R1 is needed where the network is pre-trained",
            "Fig. 2",
            "distance without R1 over that with it, both pre-trained",
            lambda e: ratio(e, "celebahq256_r1_0", "celebahq256"),
            above=1,
        ),
        Claim(
            "R1 does no harm from scratch",
            "Fig. 2",
            "distance with R1 over that without it, both from scratch",
            lambda e: ratio(e, "celebahq256_scratch", "celebahq256_scratch_r1_0"),
            below=same,
        ),
        Claim(
            "Steps and step size may be traded at equal product",
            "Table S7",
            "largest over smallest distance of three samplers of equal product, of the worse of two models",
            lambda e: -least(-spread(e, "cifar10"), -spread(e, "celebahq256")),
            below=same,
        ),
        Claim(
            "Blurred sources make samples slightly worse",
            "Fig. S5",
            "distance from blurred sources over that from sharp ones",
            lambda e: ratio(e, "celebahq256_blurred", "celebahq256"),
            above=1,
            below=SLIGHTLY,
        ),
        Claim(
            "There is a best number of steps: fewer make samples worse, and more do too",
            "Figs. S14-S16",
            "distance with few steps or with many, the smaller, over that with the sampler's number",
            lambda e: e.distances[["celebahq256_short", "celebahq256_long"]].min(axis=1) / e.distances["celebahq256"],
            above=1,
        ),
        Claim(
            "Maximum likelihood with PGD diverges, binary AT does not",
            "Sec. 5.3",
            f"gap between logits with Eq. 2 over {DIVERGES:g} or {STABLE} over that with Eq. 11, the smaller",
            lambda e: least(
                e.gaps["cifar10_max_likelihood"] / DIVERGES, STABLE / e.gaps["cifar10_binary_at"].clip(lower=1)
            ),
            above=1,
        ),
        Claim(
            "The maximin game ends at U = -log 4",
            "Table S1",
            "how far U is from -log 4, with the worse of two p_0",
            lambda e: (e.maximin("u") + log(4)).abs().max(axis=1),
            below=U_TOLERANCE,
        ),
        Claim(
            "Off p_data's support D is free in the minimax game, and not in the maximin game",
            "Fig. S1",
            "greatest D there in the minimax game over that in the maximin game, the smaller of two p_0",
            lambda e: (e.minimax("d_off_support_max") / e.maximin("d_off_support_max")).min(axis=1),
            above=1,
        ),
    ]


def stated_of_detection(rows: list[str]) -> list[Claim]:
    """The claims on Table 4, whose rows are the sets out of distribution."""
    robust = [
        Claim(
            f"Adversarial training detects attacked {row} images better than {name}",
            "Table 4",
            "AUROC in the worst case of all attacks over that of the other",
            lambda e, run=run, row=row: e.advantage(run, row, WORST),  # type: ignore[misc]
            above=1,
            family="detection",
        )
        for name, run in RIVALS.items()
        for row in rows
    ]
    clean = [
        Claim(
            f"Adversarial training detects clean images as well as {name}",
            "Table 4",
            "clean AUROC over that of the other, the smallest of all sets",
            lambda e, run=run: least(*(e.advantage(run, row, CLEAN) for row in rows)),  # type: ignore[misc]
            above=AS_HIGH,
            family="detection",
        )
        for name, run in RIVALS.items()
    ]
    return [*robust, *clean]


def least(*columns: BySeed) -> BySeed:
    """The least of several numbers in each seed; none where one of them is none."""
    return pd.concat(columns, axis=1).min(axis=1, skipna=False)


def spread(evidence: Evidence, run: str) -> BySeed:
    """Largest over smallest distance of Table S7's three samplers of a model; one may be the model's own sampler."""
    ways = [f"{run}_{way}_steps" for way in ("small", "middle", "large")]
    mine = evidence.distances[[way if way in evidence.distances else run for way in ways]]
    return mine.max(axis=1) / mine.min(axis=1)


def claims(plan: str, out: str) -> pd.DataFrame:
    """Decide every claim and write the board to `out` (.csv) and .md; return the frame.

    A claim's scores over seeds are tested against 0, from above (it holds) and from below (it fails), by one-sided
    sign-flip tests, whose p-values are adjusted for the number of claims of a family. It `holds` or `fails` where the
    one or the other is at most the level, else it is `undecided`; with fewer than LEAST_SEEDS seeds nothing is tested.
    """
    needs = Needs.read(plan)
    board = [*stated(needs.settings["margin"]), *stated_of_detection(list(rows_of(needs)))]
    evidence = Evidence(needs)
    frame = decided(board, [claim.effect(evidence) for claim in board], needs.settings["level"])
    frame["scale"] = needs.scale
    shown = frame[["claim", "where", "test", "effect", "p_value", "holds"]].copy()
    shown["p_value"] = [f"{p:.3f}" if p <= 1 else "" for p in frame["p_value"]]
    shown.columns = ["claim", "where", "tested", "median [least, greatest]", "p", "verdict"]
    write_table(frame, shown, Path(out), caption(needs, frame))
    return frame


def decided(board: list[Claim], effects: list[BySeed], level: float) -> pd.DataFrame:
    """A row per claim: its test, its effect, adjusted p-values that it holds and that it fails, and the verdict."""
    scores = [claim.scores(effect) for claim, effect in zip(board, effects, strict=True)]
    families = [claim.family for claim in board]
    holds, fails = (adjusted([sign * score for score in scores], families) for sign in (1, -1))
    rows = []
    for claim, effect, p, p_fails in zip(board, effects, holds, fails, strict=True):
        verdict = "holds" if p <= level else "fails" if p_fails <= level else "undecided"
        rows.append(
            {
                "claim": claim.claim,
                "family": claim.family,
                "where": claim.where,
                "test": claim.test,
                "effect": f"{effect.median():.4g} [{effect.min():.4g}, {effect.max():.4g}]",
                "p_value": p,
                "p_value_fails": p_fails,
                "holds": verdict,
                "seeds": len(effect),
                "effect_by_seed": " ".join(f"{value:.4g}" for value in effect),
            }
        )
    return pd.DataFrame(rows)


def adjusted(scores: list[BySeed], families: list[str]) -> list[float]:
    """p-values that the scores are above 0, each adjusted for the claims of its family; with too few seeds, none.

    A claim whose score is missing in a seed, as where logits were not finite, cannot be decided: its p-value is 1.
    """
    if min(map(len, scores)) < LEAST_SEEDS:
        return [nan] * len(scores)
    found = pd.Series([sign_flip(score) if np.isfinite(score).all() else 1.0 for score in scores])
    return found.groupby(families).transform(lambda of_one: holm(of_one.tolist())).tolist()


def caption(needs: Needs, frame: pd.DataFrame) -> str:
    records, level = needs.records("metric"), needs.settings["level"]
    counts = frame["holds"].value_counts()
    families = ", ".join(f"{n} on {family}" for family, n in frame.groupby("family", sort=False).size().items())
    words = [
        f"What the paper claims, put to the test at scale {needs.scale}, with seeds: {frame['seeds'].max()}. Verdicts: "
        f"{', '.join(f'{counts.get(verdict, 0)} {verdict}' for verdict in ('holds', 'fails', 'undecided'))}.",
        "Each effect is paired by seed; its logarithm, less that of the bound, is put to an exact one-sided sign-flip "
        f"test, adjusted by Holm for the claims of its family ({families}). A claim holds where p <= {level:g}, fails "
        f"where the opposite test says so, and is undecided otherwise; fewer than {LEAST_SEEDS} seeds are not tested. "
        "The least of several effects is tested as one number: it can fail though each alone holds on average.",
        f"CIFAR-10 is played by: {needs.task('cifar10')['played_by']}. CelebA-HQ by: "
        f"{needs.task('celebahq256')['played_by']}. {rows_played(rows_of(needs))} Distances: {records[0]['name']}, "
        f"extractor {extractor_of(records[0])}.",
    ]
    if records[0]["standin"]:
        words.append(STANDIN)
    return " ".join(words)
