"""Compute the effects that decide claims: numbers per seed, from the results of steps by their roles."""

from functools import cached_property
from math import exp, inf

import numpy as np
import pandas as pd

from ...config.roles import IN
from ...utils.errors import ResultError
from ..detection import detections
from ..needs import Needs, Result
from ..neighbours import nearest_of_as_many, ratios
from ..records import NEAR, WINDOW, arrival, gaps
from ..trivial import gain, trivial_gains
from ..verdicts import EFFECT, LESSER

AFTER = 300  # iterations: the "few hundred" of Fig. 2
LEAST = 1e-3  # replaces a ratio of distances of 0, that of a sample which is itself a training image


class NotRunError(ResultError):
    """Raised if a role of a claim has no results, or if they lack a number."""


def paired(*columns: pd.Series) -> pd.DataFrame:
    """Return the rows of the seeds that all columns share. Raises NotRunError if there is none."""
    frame = pd.concat(columns, axis=1, join="inner", keys=range(len(columns)))
    if frame.empty:
        raise NotRunError("no seed has all of its numbers")
    return frame


def over(numerator: pd.Series, denominator: pd.Series) -> pd.Series:
    """Return one number over another, by seed."""
    frame = paired(numerator, denominator)
    return frame[0] / frame[1]


class Evidence:
    """Compute effects per seed. `ruler` is the extractor of distances, "" for the board's own."""

    def __init__(self, needs: Needs, ruler: str = ""):
        self.needs = needs
        self.ruler = ruler
        self.asked: set[str] = set()

    def found(self, role: str) -> dict[int, Result]:
        """Return the results of a role by seed. Raises NotRunError if there are none."""
        self.asked.add(role)
        results = {int(seed): result for seed, result in self.needs.under(role).items() if seed.isdecimal()}
        if not results:
            raise NotRunError(f"nothing was run for {role}")
        return results

    # --- samples ------------------------------------------------------------------------------------------------------

    def values(self, role: str) -> pd.Series:
        """Return the field `value` of a role's records, by seed."""
        return pd.Series({seed: float(result.record["value"]) for seed, result in self.found(role).items()})

    def distance(self, sampler: str) -> pd.Series:
        """Return the distance of a sampler's samples to p_data, by the ruler."""
        role = f"distance/{sampler}"
        self.asked.add(role)
        return self.values(f"distance_by/{self.ruler}/{sampler}") if self.ruler else self.values(role)

    def ratio(self, above: str, below: str) -> pd.Series:
        """Return the distance by one sampler over that by another."""
        return over(self.distance(above), self.distance(below))

    def percent(self, role: str) -> pd.Series:
        """Return a share in percent: precision, recall, saturation."""
        return 100 * self.values(role)

    # --- training -----------------------------------------------------------------------------------------------------

    def curve(self, run: str) -> dict[int, pd.DataFrame]:
        """Return, by seed, a row per evaluation: the smallest distance over numbers of steps, and the cost so far."""
        curves = {}
        for seed, training in self.found(f"train/{run}").items():
            frame = training.table("monitor.csv")
            if frame.empty:
                raise NotRunError(f"train/{run} was not monitored")
            curves[seed] = frame.loc[frame.groupby("iteration")["distance"].idxmin()].reset_index(drop=True)
        return curves

    def slope(self, run: str) -> pd.Series:
        """Return the slope of the distance on validation sources after iteration AFTER, in percent per 100 iterations.

        It is fitted to the logarithm by least squares, and below 0 where the distance still falls.
        """
        slopes = {}
        for seed, curve in self.curve(run).items():
            late = curve[curve["iteration"] >= AFTER]
            if len(late) < 3:
                raise NotRunError(f"train/{run} has fewer than 3 evaluations from iteration {AFTER} on")
            slopes[seed] = 100 * float(np.polyfit(late["iteration"] / 100, np.log(late["distance"]), 1)[0])
        return pd.Series(slopes)

    def cost(self, slower: str, faster: str) -> pd.Series:
        """Return the gradient steps until a run arrives over those of another; 1 if it is unknown which was first.

        A run has arrived once its best distance so far on validation sources is NEAR times the least of both runs. If a
        run was stopped before it arrived, the ratio is nearer to 1 than the true one, or 1.
        """
        first, second = self.curve(slower), self.curve(faster)
        costs = {}
        for seed in sorted(first.keys() & second.keys()):
            target = NEAR * min(first[seed]["distance"].min(), second[seed]["distance"].min())
            (one, one_arrived), (two, two_arrived) = arrival(first[seed], target), arrival(second[seed], target)
            known = one != two and ((one_arrived and (two_arrived or one < two)) or (two_arrived and two < one))
            costs[seed] = (one / two if two else inf) if known else 1.0  # with K = 0 a run arrives at no cost
        return pd.Series(costs)

    def gap(self, run: str) -> pd.Series:
        """Return the median gap between logits at the end (Sec. 5.3), inf after an overflow.

        If a training was to stop at a gap and did, it is the gap at which the training stopped.
        """
        ends = {}
        for seed, training in self.found(f"train/{run}").items():
            last, stop = gaps(training).iloc[-1], training.settings.get("stop_at_gap") or inf
            shown = "gap" if last["gap"] > stop else f"median_gap_{WINDOW}"
            ends[seed] = inf if last["overflowed"] else float(last[shown])
        return pd.Series(ends)

    def stopped(self, run: str) -> pd.Series:
        """Return 1 for a training that diverged, 0 for one that did not."""
        return pd.Series(
            {seed: float(result.record["diverged"]) for seed, result in self.found(f"train/{run}").items()}
        )

    # --- detection ----------------------------------------------------------------------------------------------------

    @cached_property
    def areas(self) -> dict[str, pd.DataFrame]:
        """Return a cache of the tables that `auroc` has read, by run."""
        return {}

    def auroc(self, run: str, row: str, attack: str) -> pd.Series:
        """Return the AUROC of a run in points, on one set under one attack; nan if logits were not finite."""
        results = self.found(f"detection/{run}")
        if run not in self.areas:
            frame = detections(results.values())
            frame = frame[frame["all_attacks"] & (frame["in"] == IN)]
            self.areas[run] = frame.pivot(index="seed", columns=["row", "attack"], values="auroc")
        if (row, attack) not in self.areas[run]:
            raise NotRunError(f"detection/{run} has no row {row}, {attack}")
        return 100 * self.areas[run][row, attack]

    def lead(self, run: str, rival: str, row: str, attack: str) -> pd.DataFrame:
        """Return by how many points a run's AUROC exceeds a rival's, and the lesser of the two."""
        frame = paired(self.auroc(run, row, attack), self.auroc(rival, row, attack))
        return pd.DataFrame({EFFECT: frame[0] - frame[1], LESSER: frame.min(axis=1, skipna=False)})

    # --- in the plane -------------------------------------------------------------------------------------------------

    def maximin(self, activation: str, setting: str, measure: str, state: str = "final") -> pd.Series:
        """Return a measure of Algorithm 1 in 2D, before or after training."""
        role = f"maximin/{activation}"
        self.asked.add(role)
        return self.game(role, "toy.csv", measure, setting, state)

    def minimax(self, setting: str, measure: str) -> pd.Series:
        """Return a measure at the end of Algorithm 3 in 2D."""
        self.asked.add("minimax")
        return self.game("minimax", "minimax.csv", measure, setting)

    def game(self, role: str, file: str, measure: str, setting: str, state: str = "") -> pd.Series:
        if role not in self.needs.results:
            raise NotRunError(f"nothing was run for {role}")
        frame = self.needs[role].table(file)
        if measure not in frame:
            raise NotRunError(f"{role} has no {measure}")
        mine = frame[frame["setting"] == setting]
        return (mine[mine["state"] == state] if state else mine).set_index("seed")[measure].astype(float)

    # --- pictures -----------------------------------------------------------------------------------------------------

    def translated(self, name: str, target: str) -> pd.Series:
        """Return the distance of translated images to the target, over that of ordinary samples of its model."""
        ends = {seed: ascent.table("distances.csv") for seed, ascent in self.found(f"ascent/{name}").items()}
        after = pd.Series({seed: float(frame["distance"].iloc[-1]) for seed, frame in ends.items()})
        return over(after, self.distance(target))

    def nearer(self, name: str) -> pd.Series:
        """Return the distance to the target before translation, over that after it."""
        ends = {
            seed: ascent.table("distances.csv")["distance"] for seed, ascent in self.found(f"ascent/{name}").items()
        }
        return pd.Series({seed: float(column.iloc[0] / column.iloc[-1]) for seed, column in ends.items()})

    def memorised(self, run: str, space: str) -> pd.Series:
        """Return the ratio of distances to the nearest training and held-out image, a geometric mean over samples."""
        means = {}
        for seed, search in self.found(f"neighbours/{run}").items():
            mine = nearest_of_as_many(search.table("neighbours.csv"))
            logs = np.log(ratios(mine[mine["space"] == space]).clip(lower=LEAST))
            if logs.empty:
                raise NotRunError(f"neighbours/{run} has no held-out images")
            means[seed] = exp(logs.mean())
        return pd.Series(means)

    def restored(self, name: str) -> dict[int, pd.Series]:
        """Return, by seed, how much the PSNR (dB) of each image rises from damaged to restored."""
        return {seed: gain(ascent.table("path.csv")) for seed, ascent in self.found(f"ascent/{name}").items()}

    def gained(self, name: str) -> pd.Series:
        """Return the mean rise in PSNR, in dB."""
        return pd.Series({seed: float(gains.mean()) for seed, gains in self.restored(name).items()})

    def made_worse(self, name: str) -> pd.Series:
        """Return the share of images, in percent, that restoration makes worse."""
        return pd.Series({seed: 100 * float((gains < 0).mean()) for seed, gains in self.restored(name).items()})

    def beyond_trivial(self, name: str, run: str) -> pd.Series:
        """Return the mean rise in PSNR minus that of the best trivial filter, in dB."""
        undamaged, best = self.found(f"undamaged/{run}"), {}
        for seed, ascent in self.found(f"ascent/{name}").items():
            if seed in undamaged:
                damaged = ascent.array("frames.npy")[:, 0]
                originals = undamaged[seed].images[: len(damaged)]
                found = trivial_gains(ascent.record["start"], damaged, originals)
                best[seed] = max(float(rises.mean()) for rises in found.values())
        frame = paired(self.gained(name), pd.Series(best, dtype=float))
        return frame[0] - frame[1]

    def between(self, name: str) -> pd.Series:
        """Return the median f of samples from blends of two sources minus that of samples from the sources."""
        found = {}
        for seed, ascent in self.found(f"ascent/{name}").items():
            frame, count = ascent.table("path.csv"), ascent.record["start"]["count"]
            last = frame[frame["steps"] == frame["steps"].max()]
            inside = (last["image"] % count).between(1, count - 2)
            found[seed] = float(last.loc[inside, "logit"].median() - last.loc[~inside, "logit"].median())
        return pd.Series(found)

    def rise(self, name: str, run: str) -> pd.Series:
        """Return by how much PGD on the sum of two f raises the median f of one of the models."""
        rises = {}
        for seed, ascent in self.found(f"ascent/{name}").items():
            medians = ascent.table("path.csv").groupby("steps")[f"logit_{run}"].median()
            rises[seed] = float(medians.iloc[-1] - medians.iloc[0])
        return pd.Series(rises)
