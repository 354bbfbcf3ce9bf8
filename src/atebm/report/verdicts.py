"""What tests over seeds make of effects: p-values, verdicts, and how much these hang on single numbers."""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, log, nan

import numpy as np
import pandas as pd
from scipy import stats

from .sign_flip import holm, sign_flip

LEAST_SEEDS = 5  # with fewer, nothing is decided
HOLDS, FAILS, UNDECIDED, NO_DIFFERENCE = "holds", "fails", "undecided", "no difference that matters"
VERDICTS = (HOLDS, FAILS, NO_DIFFERENCE, UNDECIDED)

BySeed = pd.Series  # one number per seed


@dataclass(frozen=True)
class Criterion:
    """What an effect must be for a claim to hold: between two bounds, and worth speaking of."""

    above: float = 0
    below: float = inf
    smallest: float = 1  # a ratio nearer to 1 than this is no difference that matters; 1: any difference does
    family: str = "generation"  # p-values are adjusted for the claims of one
    claim: str = ""  # tests of one name are parts of one claim, which holds where every part does
    tested: bool = True  # or only shown

    def scores(self, effect: BySeed) -> BySeed:
        """Return how far inside the bounds each seed's effect is, in logarithms: negative where it is outside."""
        logs = np.log(effect.clip(1e-300, 1e300))
        inside = [logs - log(self.above)] if self.above else []
        inside += [log(self.below) - logs] if self.below < inf else []
        return least(*inside)

    def matters(self, value: float) -> bool:
        """Return whether an effect, a ratio, is as far from 1 as the smallest that matters."""
        return self.smallest == 1 or not 1 / self.smallest < value < self.smallest


def least(*columns: BySeed) -> BySeed:
    """Return the least of several numbers in each seed; none where one of them is none."""
    return pd.concat(columns, axis=1).min(axis=1, skipna=False)


def decided(tests: list[Criterion], effects: list[BySeed], level: float) -> pd.DataFrame:
    """Return a row per test: p-values that it holds and that it fails, that of the sign test, and the verdict.

    `p_holds` and `p_fails` are of one-sided sign-flip tests of the scores, `p_sign` of the sign test in the direction
    of the smaller of the two; all are adjusted for the claims of the family.
    """
    scores = [test.scores(effect) for test, effect in zip(tests, effects, strict=True)]
    against = [-score for score in scores]
    columns = {
        "p_holds": adjusted(tests, scores, sign_flip),
        "p_fails": adjusted(tests, against, sign_flip),
        "sign_holds": adjusted(tests, scores, sign_test),
        "sign_fails": adjusted(tests, against, sign_test),
    }
    frame = pd.DataFrame(columns)
    frame["p_sign"] = frame["sign_holds"].where(frame["p_holds"] <= frame["p_fails"], frame["sign_fails"])
    rows = zip(tests, effects, columns["p_holds"], columns["p_fails"], strict=True)
    frame["verdict"] = [verdict(test, effect, holds, fails, level) for test, effect, holds, fails in rows]
    return frame.drop(columns=["sign_holds", "sign_fails"])


def asked(test: Criterion, by_seed: BySeed) -> bool:
    """Return whether a test is carried out on as many seeds."""
    return test.tested and len(by_seed) >= LEAST_SEEDS


def verdict(test: Criterion, effect: BySeed, p_holds: float, p_fails: float, level: float) -> str:
    """Return what the p-values say; an effect that no seed shows to matter is none, whatever they say."""
    if not asked(test, effect):
        return ""
    if not any(map(test.matters, effect)):
        return NO_DIFFERENCE
    decision = HOLDS if p_holds <= level else FAILS if p_fails <= level else UNDECIDED
    return decision if decision == UNDECIDED or test.matters(effect.median()) else NO_DIFFERENCE


def adjusted(tests: list[Criterion], scores: list[BySeed], p_value: Callable[[BySeed], float]) -> list[float]:
    """Return p-values that the scores are above 0, adjusted by Holm within families; nan for what is not tested.

    A score that is missing in a seed, as where logits were not finite, has the p-value 1. The parts of a claim share
    the largest of their p-values: the claim holds where each part does (intersection-union).
    """
    pairs = list(zip(tests, scores, strict=True))
    frame = pd.DataFrame(
        {
            "family": [test.family for test in tests],
            "claim": [test.claim or str(number) for number, test in enumerate(tests)],
            "p": [
                nan if not asked(*pair) else p_value(pair[1]) if np.isfinite(pair[1]).all() else 1.0 for pair in pairs
            ],
        }
    )
    tested = frame["p"].notna()
    claims = frame[tested].groupby(["family", "claim"], sort=False)["p"].max().reset_index()
    claims["p"] = claims.groupby("family")["p"].transform(lambda p_values: holm(p_values.tolist()))
    return frame.drop(columns="p").merge(claims, "left", ["family", "claim"])["p"].where(tested).tolist()


def sign_test(scores: BySeed) -> float:
    """Return the one-sided p-value of the sign test: of as many scores above 0, were each as likely below."""
    return float(stats.binomtest(int((scores > 0).sum()), len(scores), alternative="greater").pvalue)


def fragile(now: pd.DataFrame, before: pd.DataFrame | None, level: float) -> list[str]:
    """Return why each verdict of `decided` hangs by a thread, empty where it does not.

    `before` are the verdicts of the same tests on an earlier computation of the same seeds; None where there is none.
    """
    reasons = []
    for number, row in enumerate(now.to_dict("records")):
        why, verdict = [], row["verdict"]
        if verdict in (HOLDS, FAILS) and row["p_sign"] > level:
            why.append(f"undecided by the sign test (p {row['p_sign']:.2f})")
        if before is not None and verdict and before["verdict"].iloc[number] not in ("", verdict):
            p_before = before[["p_holds", "p_fails"]].iloc[number].min()
            why.append(f"{before['verdict'].iloc[number]} when the same seeds were computed before (p {p_before:.2f})")
        reasons.append("; ".join(why))
    return reasons


def counted(frame: pd.DataFrame) -> str:
    """Say how many claims of a board have each verdict, and how many of these are fragile."""
    parts = []
    for name in VERDICTS:
        rows = frame[frame["verdict"] == name]
        weak = int((rows["fragile"] != "").sum())
        if len(rows):
            words = {HOLDS: "hold", FAILS: "fail", UNDECIDED: "undecided", NO_DIFFERENCE: NO_DIFFERENCE}[name]
            parts.append(f"{len(rows)} {words}" + (f" (of these {weak} fragile)" if weak else ""))
    shown = int((frame["verdict"] == "").sum() + (~frame["verdict"].isin(["", *VERDICTS])).sum())
    return ", ".join([*parts, *([f"{shown} not tested"] if shown else [])])
