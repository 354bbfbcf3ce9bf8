"""Test effects over seeds: p-values, verdicts, and how far a verdict depends on single numbers.

A claim has one or more parts, each with an effect per seed and a bound. A claim holds if every part holds
(intersection-union: the largest p-value of its parts), and fails if some part fails (the smallest p-value, adjusted by
Holm for the number of parts). A part may be a condition, for example that a model has learnt at all: a claim holds only
if the condition does, but never fails because of it. Both p-values are adjusted by Holm within the claim's family and
compared with half of the level.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf, log

import numpy as np
import pandas as pd

from .sign_flip import Array, holm, rank_flip, sign_flip, sign_test

LEAST_SEEDS = 12  # fewer seeds give values but no verdict
EASY = 99.5  # AUROC in points: a comparison is too easy if both sides are above this
HOLDS, FAILS, UNDECIDED = "holds", "fails", "undecided"
NO_DIFFERENCE, TOO_EASY = "no difference that matters", "too easy here"
VERDICTS = (HOLDS, FAILS, NO_DIFFERENCE, UNDECIDED, TOO_EASY)
NOT_RUN, NOT_TESTABLE = "not run", "not testable here"  # stand in the column of verdicts but are no verdicts

EFFECT, LESSER = "effect", "lesser"  # columns of `BySeed`: the effect, and the lesser of two AUROCs that it compares
BySeed = pd.DataFrame  # a row per seed
PValue = Callable[[Array], float]


@dataclass(frozen=True)
class Bound:
    """The bound on an effect: it must lie above `above` or below `below`; one of the two is given."""

    above: float = -inf
    below: float = inf
    ratio: bool = False  # the effect is a ratio and is tested on its logarithm
    smallest: float = 0  # smaller effects (distance from 0, for a ratio from 1) do not matter; 0: any effect matters
    ranks: bool = False  # the order of effects is known but not their size
    given: bool = False  # a condition of the claim and not its statement

    @property
    def value(self) -> float:
        return self.above if self.below == inf else self.below

    def scores(self, effect: pd.Series) -> Array:
        """Return how far inside the bound each seed's effect is: negative outside, nan for a missing effect."""
        values = effect.to_numpy(np.float64)
        values = np.log(values.clip(1e-300, 1e300)) if self.ratio else values.clip(-1e300, 1e300)
        bound = log(self.value) if self.ratio else self.value
        return values - bound if self.below == inf else bound - values

    def matters(self, value: float) -> bool:
        """Return whether an effect is at least as large as the smallest effect of interest."""
        if self.smallest == 0:
            return True  # this holds for every condition
        return not 1 / self.smallest < value < self.smallest if self.ratio else abs(value) >= self.smallest

    @property
    def p_value(self) -> PValue:
        return rank_flip if self.ranks else sign_flip


@dataclass(frozen=True)
class Measured:
    """The effects of one claim, as a pair of bound and effects per part, and the family it is adjusted in."""

    family: str
    parts: tuple[tuple[Bound, BySeed], ...] = ()

    @property
    def seeds(self) -> int:
        """Return the number of seeds that every part has."""
        return min((len(effects) for _, effects in self.parts), default=0)

    def without(self, seed: int) -> "Measured":
        """Return the same effects without one seed."""
        return Measured(
            self.family, tuple((bound, effects.drop(seed, errors="ignore")) for bound, effects in self.parts)
        )

    @property
    def inside(self) -> int:
        """Return the number of seeds in which every part is inside its bound."""
        scores = [pd.Series(bound.scores(effects[EFFECT]) > 0, effects.index) for bound, effects in self.parts]
        return int(pd.concat(scores, axis=1, join="inner").all(axis=1).sum()) if scores else 0

    @property
    def too_easy(self) -> bool:
        """Return whether every part compares two AUROCs whose medians over seeds are both above EASY."""
        compared = [effects[LESSER] for bound, effects in self.parts if not bound.given]
        return all(lesser.notna().all() and lesser.median() > EASY for lesser in compared)


@dataclass(frozen=True)
class Raw:
    """The p-values of one claim before adjustment for the others."""

    holds: float
    fails: float
    failing: int  # the part with the least p-value against it


def raw(tested: Measured, p_value: PValue | None = None) -> Raw:
    """Return the p-values of a claim by its own tests, or by another test of the scores.

    If a seed has no score, for example because logits were not finite, nothing is decided: both p-values are 1.
    """
    pairs = []
    for bound, effects in tested.parts:
        scores, test = bound.scores(effects[EFFECT]), p_value or bound.p_value
        pairs.append((test(scores), test(-scores)) if np.isfinite(scores).all() else (1.0, 1.0))
    said = [number for number, (bound, _) in enumerate(tested.parts) if not bound.given]
    against = holm([pairs[number][1] for number in said])
    return Raw(max(holds for holds, _ in pairs), float(against.min()), said[int(against.argmin())])


def adjusted(board: Sequence[Measured], found: Sequence[Raw | None]) -> tuple[list[float], list[float]]:
    """Return the p-values for and against each claim, adjusted by Holm within families; nan for an untested claim."""
    holds, fails = [np.nan] * len(board), [np.nan] * len(board)
    families: dict[str, list[tuple[int, Raw]]] = {}
    for place, (measured, p) in enumerate(zip(board, found, strict=True)):
        if p is not None:
            families.setdefault(measured.family, []).append((place, p))
    for members in families.values():
        both = holm([p.holds for _, p in members]), holm([p.fails for _, p in members])
        for (place, _), p_holds, p_fails in zip(members, *both, strict=True):
            holds[place], fails[place] = float(p_holds), float(p_fails)
    return holds, fails


def verdict(tested: Measured, p: Raw, holds: float, fails: float, level: float) -> str:
    """Return the verdict on a claim from its adjusted p-values, at half of the level for each direction."""
    if tested.too_easy:
        return TOO_EASY
    matters = [bound.matters(effects[EFFECT].median()) for bound, effects in tested.parts]
    if holds <= level / 2:
        return HOLDS if all(matters) else NO_DIFFERENCE
    if fails <= level / 2:
        return FAILS if matters[p.failing] else NO_DIFFERENCE
    said = [(bound, effects) for bound, effects in tested.parts if not bound.given]
    small = [not any(map(bound.matters, effects[EFFECT])) for bound, effects in said]
    return NO_DIFFERENCE if all(small) else UNDECIDED


def verdicts(board: Sequence[Measured], found: Sequence[Raw | None], level: float) -> list[str]:
    """Return the verdict on each claim; "" for an untested one."""
    rows = zip(board, found, *adjusted(board, found), strict=True)
    return ["" if p is None else verdict(tested, p, holds, fails, level) for tested, p, holds, fails in rows]


def all_raw(board: Sequence[Measured], p_value: PValue | None = None) -> list[Raw | None]:
    """Return the p-values of each claim; None for a claim with too few seeds."""
    return [raw(tested, p_value) if tested.seeds >= LEAST_SEEDS else None for tested in board]


def decided(board: Sequence[Measured], level: float) -> pd.DataFrame:
    """Return a row per claim: `p_holds` and `p_fails`, `p_sign` of the sign test, and the verdict.

    `p_sign` tests the direction in which the smaller of the other two points. All are adjusted within the family.
    """
    found, by_sign = all_raw(board), all_raw(board, sign_test)
    (holds, fails), (sign_holds, sign_fails) = adjusted(board, found), adjusted(board, by_sign)
    frame = pd.DataFrame({"p_holds": holds, "p_fails": fails}, dtype=float)
    signs = pd.DataFrame({"holds": sign_holds, "fails": sign_fails}, dtype=float)
    frame["p_sign"] = signs["holds"].where(frame["p_holds"] <= frame["p_fails"], signs["fails"])
    frame["verdict"] = verdicts(board, found, level)
    return frame


# --- what a verdict depends on ----------------------------------------------------------------------------------------

SIGN, SEED, RULER = "sign test", "without seed", "by extractor"  # the beginnings of the reasons that `fragile` gives


def fragile(board: Sequence[Measured], rulers: dict[str, list[Measured]], level: float) -> list[str]:
    """Return why each verdict is fragile, as reasons joined by "; "; "" for a verdict that is not.

    A verdict is fragile if it changes under the sign test, without one of the seeds, or with the distances of another
    extractor (`rulers`, by name). The first two change one claim at a time; another extractor changes the whole board.
    """
    found = all_raw(board)
    base, by_sign = verdicts(board, found, level), verdicts(board, all_raw(board, sign_test), level)
    reasons: list[list[str]] = [[] for _ in board]
    for place, (now, other) in enumerate(zip(base, by_sign, strict=True)):
        if now and other != now:
            reasons[place].append(f"{SIGN}: {other}")
        if now:
            reasons[place] += left_out(board, found, place, level, now)
    for ruler, measured in rulers.items():
        for place, (now, other) in enumerate(zip(base, verdicts(measured, all_raw(measured), level), strict=True)):
            if now and other and other != now:
                reasons[place].append(f"{RULER} {ruler}: {other}")
    return ["; ".join(why) for why in reasons]


def left_out(board: Sequence[Measured], found: Sequence[Raw | None], place: int, level: float, now: str) -> list[str]:
    """Return the verdicts on one claim without one seed, for each seed whose removal changes the verdict."""
    reasons = []
    for seed in board[place].parts[0][1].index:
        fewer, p_values = list(board), list(found)
        fewer[place] = board[place].without(seed)
        p_values[place] = p = raw(fewer[place])
        holds, fails = adjusted(fewer, p_values)
        other = verdict(fewer[place], p, holds[place], fails[place], level)
        if other != now:
            reasons.append(f"{SEED} {seed}: {other}")
    return reasons


def sensitivity(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a row per way in which a verdict on a board changes: the claim, the cause, and the other verdict."""
    rows = [
        {"claim": row["claim"], "verdict": row["verdict"], "changed by": what, "into": into}
        for row in frame.to_dict("records")
        for what, _, into in (reason.partition(": ") for reason in str(row["fragile"]).split("; ") if reason)
    ]
    return pd.DataFrame(rows, columns=["claim", "verdict", "changed by", "into"])


WORDS = {HOLDS: "hold", FAILS: "fail"}


def counted(frame: pd.DataFrame) -> str:
    """Say how many claims of a board have each verdict, how many of those are fragile, and how many have none."""
    parts = []
    for name in VERDICTS:
        rows = frame[frame["verdict"] == name]
        weak = int((rows["fragile"] != "").sum())
        if len(rows):
            parts.append(f"{len(rows)} {WORDS.get(name, name)}" + (f" ({weak} of these fragile)" if weak else ""))
    others = {name: int((frame["verdict"] == name).sum()) for name in (NOT_RUN, NOT_TESTABLE)}
    parts += [f"{number} {name}" for name, number in others.items() if number]
    if few := int((~frame["verdict"].isin([*VERDICTS, NOT_RUN, NOT_TESTABLE])).sum()):
        parts.append(f"{few} with values but too few seeds for a verdict")
    return ", ".join(parts)
