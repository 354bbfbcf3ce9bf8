"""Statistics of the claims board: verdicts must follow from the numbers alone, from enough of them, and both ways."""

import math
from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from atebm.report.sign_flip import holm, rank_flip, sign_flip, sign_test
from atebm.report.verdicts import (
    LEAST_SEEDS,
    Bound,
    Measured,
    counted,
    decided,
    fragile,
    raw,
    sensitivity,
)

LEVEL = 0.05


@pytest.mark.parametrize("n", [2, 5, 12])
def test_the_sign_flip_test_is_scipys(n):
    """Ours is fast and exact; scipy's does the same job some hundred times as slowly."""
    differences = np.random.default_rng(n).normal(0.5, 1, n)
    test = stats.permutation_test(
        (differences,), np.mean, permutation_type="samples", n_resamples=np.inf, alternative="greater"
    )
    assert sign_flip(differences) == pytest.approx(test.pvalue, rel=1e-9)
    assert rank_flip(differences) == pytest.approx(stats.wilcoxon(differences, alternative="greater").pvalue)


def test_ties_count_as_large_whatever_their_rounding():
    assert sign_flip(np.full(5, 0.1)) == 1 / 32 and sign_flip([0.1, 0.2, 0.3, -0.3]) == 6 / 16


def test_the_sign_flip_test_cannot_go_below_one_in_two_to_the_n():
    assert sign_flip(np.full(5, 0.3)) == 1 / 32 and sign_flip(-np.arange(1.0, 9)) == 1


@pytest.mark.parametrize("numbers", [[math.nan] * 8, [1.0] * 7 + [math.nan], [math.inf, 1.0], [1.0], [1.0] * 21])
def test_the_sign_flip_test_wants_a_few_finite_numbers(numbers):
    with pytest.raises(ValueError, match="finite numbers"):
        sign_flip(numbers)


def test_the_sign_flip_test_keeps_its_level():
    draws = np.random.default_rng(0).normal(0, 1, (400, 6))
    rejected = sum(sign_flip(row) <= 0.05 for row in draws)
    assert 3 / 64 * 400 * 0.4 < rejected < 3 / 64 * 400 * 1.8  # 3/64 is the largest attainable level below 0.05


def test_ranks_forget_sizes():
    assert rank_flip([0.1, 5, -0.01, 7]) == rank_flip([3, 4, -1, 5]) and rank_flip([0, 0, 1, 2]) == 1 / 4


def test_the_sign_test_counts_signs_and_a_tie_speaks_against():
    assert sign_test([1.0, 2, 3, -0.1, 5, 6, 7, 8]) == pytest.approx(9 / 256)
    assert sign_test([-1.0] * 8) == 1 and sign_test([0.0] * 8) == 1


def rejected(p_values: list[float], level: float) -> list[bool]:
    """Holm's procedure as he stated it: from the least on, until one exceeds level / (how many are left)."""
    left, verdicts = len(p_values), [False] * len(p_values)
    for index in sorted(range(len(p_values)), key=p_values.__getitem__):
        if p_values[index] > level / left:
            break
        verdicts[index], left = True, left - 1
    return verdicts


def test_adjusted_p_values_reject_what_holms_procedure_rejects():
    draws = np.random.default_rng(0).uniform(0, 0.3, (50, 6)).tolist()
    for p_values, level in product(draws, (0.02, 0.1, 0.3)):
        assert (holm(p_values) <= level).tolist() == rejected(p_values, level)
    assert holm([0.9, 0.5]).tolist() == [1, 1]


# --- one claim ----------------------------------------------------------------------------------------------------

SEEDS = range(40, 52)
NOISE = np.random.default_rng(1).uniform(0.9, 1.1, len(SEEDS))


def effects(values: object, lesser: object = math.nan) -> pd.DataFrame:
    """Return effects by seed; a number stands for itself with some noise."""
    values = values * NOISE if isinstance(values, float) else values
    return pd.DataFrame({"effect": values, "lesser": lesser}, index=list(SEEDS)[: np.size(values)], dtype=float)


def claim(*parts: tuple[Bound, pd.DataFrame], family: str = "a") -> Measured:
    return Measured(family, parts)


def verdict(*parts: tuple[Bound, pd.DataFrame]) -> str:
    return decided([claim(*parts)], LEVEL)["verdict"].item()


BETTER = Bound(above=1, ratio=True, smallest=1.1)  # superiority of a ratio
NOT_WORSE = Bound(above=-3)  # non-inferiority in points
POINTS = Bound(above=0, smallest=2)
BELOW = Bound(below=50)
RANKS = Bound(above=1, ratio=True, ranks=True)
LOW, HIGH = Bound(above=1 / 1.1, ratio=True), Bound(below=1.1, ratio=True)  # equivalence


@pytest.mark.parametrize(
    ("bounds", "holding", "failing"),
    {
        "a ratio above 1": ((BETTER,), (1.5,), (0.6,)),
        "points above 0": ((POINTS,), (8.0,), (-8.0,)),
        "not worse by a margin": ((NOT_WORSE,), (-1.0,), (-8.0,)),
        "below a bound": ((BELOW,), (10.0,), (90.0,)),
        "ranks": ((RANKS,), (2.0,), (0.4,)),
        "between two bounds": ((LOW, HIGH), (1.0 * 0.998, 1.0 * 0.998), (1.6, 1.6)),
        "between, from below": ((LOW, HIGH), (1.0 * 0.998, 1.0 * 0.998), (0.5, 0.5)),
        "all of three": ((BETTER,) * 3, (1.5, 1.6, 1.7), (1.5, 1.6, 0.6)),
        "many points": ((POINTS, NOT_WORSE), (8.0, -1.0), (8.0, -8.0)),
    }.values(),
)
def test_every_kind_of_test_comes_out_both_ways(bounds, holding, failing):
    small = {LOW: 0.2, HIGH: 0.2}  # of the noise, so that equivalence can be seen
    for values, expected in ((holding, "holds"), (failing, "fails")):
        parts = [(b, effects(v * (1 + (NOISE - 1) * small.get(b, 1.0)))) for b, v in zip(bounds, values, strict=True)]
        assert verdict(*parts) == expected


@pytest.mark.parametrize(
    ("bound", "values", "expected"),
    [
        (BETTER, [2.0, 0.5] * 6, "undecided"),
        (BETTER, [2.0] * 11, ""),  # too few seeds
        (BETTER, [math.inf] * 12, "holds"),
        (BETTER, [2.0] * 11 + [math.nan], "undecided"),  # logits that are not finite decide nothing
        (BETTER, [1.01, 1.02, 1.03, 1.04] * 3, "no difference that matters"),  # though every seed is above 1
        (BETTER, [0.99] * 12, "no difference that matters"),
        (BETTER, [1.0] * 12, "no difference that matters"),
        (BETTER, [1.0, 1.3, 0.7, 1.0, 1.0, 1.0] * 2, "undecided"),
        (POINTS, [1.0] * 12, "no difference that matters"),
        (POINTS, [-1.0] * 12, "no difference that matters"),
        (NOT_WORSE, [-2.9] * 12, "holds"),
    ],
)
def test_a_verdict_follows_from_the_effects(bound, values, expected):
    assert verdict((bound, effects(values))) == expected


def test_where_both_sides_are_perfect_a_comparison_is_too_easy():
    easy, hard = effects([0.1] * 12, 99.8), effects([5.0] * 12, 80)
    assert verdict((POINTS, easy)) == "too easy here"
    assert verdict((NOT_WORSE, easy)) == "too easy here", "holding there would say nothing"
    assert verdict((NOT_WORSE, easy), (NOT_WORSE, hard)) == "holds", "one of its sets is not"
    assert verdict((POINTS, effects([-9.0] * 12, 90))) == "fails"


def test_parts_hold_together_and_fail_alone():
    """The largest p-value of the parts for, the least after Holm against: one failing part of many has a price."""
    up, down = (BETTER, effects(2.0)), (BETTER, effects(0.5))
    both, split = raw(claim(up, up)), raw(claim(up, up, down))
    least = 1 / 2 ** len(SEEDS)
    assert both.holds == least and both.fails == 1
    assert split.holds == 1 and split.fails == pytest.approx(3 * least) and split.failing == 2
    mixed = (BETTER, effects([2.0, 0.5] * 6))
    assert raw(claim(up, mixed)).holds == raw(claim(mixed)).holds, "no part can carry another"


def test_a_mean_of_parts_cannot_hide_one_that_fails():
    """The least of two effects, put to one test, would fail where each alone is undecided or holds."""
    one, other = effects([1.3, 0.9] * 6), effects([0.9, 1.3] * 6)
    assert verdict((BETTER, one), (BETTER, other)) == "undecided"


def test_half_of_the_level_is_for_each_direction():
    """Five claims with 8 of 12 seeds' worth of evidence: at the whole level they would hold."""
    values = np.full(12, 2.0)
    values[:2] = 0.9
    p = raw(claim((BETTER, effects(values)))).holds
    board = [claim((BETTER, effects(values)))] * int(0.04 / p)
    found = decided(board, LEVEL)
    assert 0.025 < found["p_holds"].iloc[0] <= 0.05 and set(found["verdict"]) == {"undecided"}


def test_twelve_seeds_leave_room_for_a_hundred_claims_in_a_family():
    effect = (BETTER, effects(2.0))
    assert set(decided([claim(effect)] * 102, LEVEL)["verdict"]) == {"holds"}
    assert set(decided([claim(effect)] * 103, LEVEL)["verdict"]) == {"undecided"}
    apart = [claim(effect, family=str(number % 2)) for number in range(204)]
    assert set(decided(apart, LEVEL)["verdict"]) == {"holds"}, "families are adjusted apart"


def test_what_has_too_few_seeds_takes_no_part_in_the_adjustment():
    board = [claim((BETTER, effects(2.0))), claim((BETTER, effects([2.0] * 4))), claim()]
    found = decided(board, LEVEL)
    assert found["p_holds"].iloc[0] == 1 / 4096 and found["p_holds"].isna().tolist() == [False, True, True]
    assert found["verdict"].tolist() == ["holds", "", ""] and board[1].inside == 4 and board[2].seeds == 0
    assert LEAST_SEEDS == 12


# --- fragile ------------------------------------------------------------------------------------------------------


def test_a_clear_verdict_is_not_fragile():
    board = [claim((BETTER, effects(2.0))), claim((BETTER, effects(0.5)))]
    assert decided(board, LEVEL)["verdict"].tolist() == ["holds", "fails"]
    assert fragile(board, {}, LEVEL) == ["", ""]


def test_the_sign_test_can_make_a_verdict_fragile():
    """Two seeds a little on the wrong side: sizes decide, signs do not."""
    values = np.full(12, 2.0)
    values[:2] = 0.99
    board = [claim((BETTER, effects(values)))] * 2
    (why, _) = fragile(board, {}, LEVEL)
    assert decided(board, LEVEL)["verdict"].tolist() == ["holds"] * 2
    assert why.startswith("sign test: undecided")


def test_one_seed_can_make_a_verdict_fragile():
    values = np.full(12, 2.0)
    values[0] = 0.1
    board = [claim((BETTER, effects(values)))]
    assert decided(board, LEVEL)["verdict"].item() == "undecided"
    (why,) = fragile(board, {}, LEVEL)
    assert "without seed 40: holds" in why and "without seed 50" not in why


def test_another_extractor_can_make_a_verdict_fragile():
    board = [claim((BETTER, effects(2.0))), claim((BETTER, effects(2.0)))]
    other = [claim((BETTER, effects(0.5))), claim((BETTER, effects(2.0)))]
    frame = pd.DataFrame({"claim": ["one", "two"]}).join(decided(board, LEVEL))
    frame["fragile"] = fragile(board, {"another": other}, LEVEL)
    assert frame["fragile"].tolist() == ["by extractor another: fails", ""]
    assert sensitivity(frame).values.tolist() == [["one", "holds", "by extractor another", "fails"]]
    assert counted(frame) == "2 hold (1 of these fragile)"
