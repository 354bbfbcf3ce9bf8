"""Draw the claims board: each claim of the paper with its effect over seeds and the verdict of its test."""

from collections.abc import Callable, Collection

import pandas as pd

from ...pipeline.tasks import STABILITY, TASKS_256
from ..captions import STANDIN
from ..detection import rows_of
from ..drawn import Drawn
from ..needs import Needs
from ..tabulating import scientific
from ..verdicts import (
    EASY,
    LEAST_SEEDS,
    NOT_RUN,
    NOT_TESTABLE,
    VERDICTS,
    Measured,
    counted,
    decided,
    fragile,
    sensitivity,
)
from .claim import Claim, Words
from .effects import Effects, effects_of
from .registry import registry

LONG = "C"  # the tier of Sec. 5.3, whose rows say how long training took


def claims(needs: Needs) -> Drawn:
    """Decide every claim and return the board, a row per claim.

    `verdict` is a verdict only if a claim has LEAST_SEEDS seeds; else it says in how many seeds all parts were inside
    their bounds, or that nothing was run. `fragile` says why a verdict is fragile; `reason` says why there is none, or
    gives a note.
    """
    board = registry(words_of(needs))
    effects, level = effects_of(needs, board), needs.settings["level"]
    tests = [effects.tested(claim) for claim in board]
    rulers = {ruler: [effects.tested(claim, ruler) for claim in board] for ruler in effects.rulers}
    decisions = decided(tests, level).assign(fragile=fragile(tests, rulers, level))
    frame = pd.concat([described(needs, board, tests, effects), decisions], axis=1)
    frame["verdict"] = frame["verdict"].where(frame["verdict"] != "", frame.pop("undecided"))
    frame = frame[ORDER].assign(scale=needs.scale)
    return Drawn(frame, caption(needs, frame, effects), counted(frame), shown=board_shown(frame))


ORDER = [
    *("id", "place", "claim", "data", "test", "effect", "unit", "margin", "p_holds", "p_fails", "p_sign", "verdict"),
    *("fragile", "seeds", "effect_by_seed", "reason"),
    *("family", "above", "below", "smallest"),  # for the page's drawings, and to repeat the adjustment
]


def words_of(needs: Needs) -> Words:
    """Return the words that the registry needs of a scale: names of data, learning rates, K."""
    of_runs = needs.settings["stability"]
    first, last = of_runs[STABILITY[0]]["K"]
    tasks = [task for task in TASKS_256 if needs.request["tasks"].get(task, {}).get("out_of_distribution")]
    return Words(
        1 + needs.settings["margin"],
        {"cifar10": rows_of(needs)} | {task: needs.rows(task) for task in tasks},
        (scientific(of_runs[STABILITY[0]]["lr"]), scientific(of_runs[STABILITY[2]]["lr"])),
        f"K = {first}" if first == last else f"K from {first} to {last}",
    )


def described(needs: Needs, board: list[Claim], tests: list[Measured], effects: Effects) -> pd.DataFrame:
    """Return each claim's sentence, test and effect; `undecided` is shown where there is no verdict."""
    rows = [
        {
            "id": claim.id,
            "place": claim.place,
            "claim": claim.claim,
            "data": needs.name(claim.task) if claim.task else "points in the plane",
            "test": claim.test,
            "effect": joined(claim, tested, summary),
            "unit": claim.unit,
            "margin": "; ".join(filter(None, [claim.interest, claim.margin])),
            "undecided": standing(claim, tested),
            "seeds": tested.seeds,
            "effect_by_seed": joined(claim, tested, by_seed),
            "reason": reason(claim, tested, effects),
            "family": claim.family,
            "above": bounds(claim, "above"),
            "below": bounds(claim, "below"),
            "smallest": bounds(claim, "smallest"),
        }
        for claim, tested in zip(board, tests, strict=True)
    ]
    return pd.DataFrame(rows)


def bounds(claim: Claim, which: str) -> str:
    """Return one number of each part's bound, joined by "; "."""
    return "; ".join(f"{getattr(part.bound, which):g}" for part in claim.parts)


def summary(effect: pd.Series) -> str:
    return f"{effect.median():.4g} [{effect.min():.4g}, {effect.max():.4g}]"


def by_seed(effect: pd.Series) -> str:
    return " ".join(f"{value:.4g}" for value in effect)


def joined(claim: Claim, tested: Measured, said: Callable[[pd.Series], str]) -> str:
    """Return `said` of each part's effects, joined by "; "; if there are several parts, each with its label."""
    several = len(claim.parts) > 1
    return "; ".join(
        f"{part.label}: {said(effects['effect'])}" if several else said(effects["effect"])
        for part, (_, effects) in zip(claim.parts, tested.parts, strict=bool(tested.parts))
    )


def standing(claim: Claim, tested: Measured) -> str:
    """Return what is shown without a verdict: in how many seeds all parts are inside their bounds, or why none is."""
    if not claim.parts:
        return NOT_TESTABLE
    return f"inside in {tested.inside} of {tested.seeds}" if tested.seeds else NOT_RUN


def reason(claim: Claim, tested: Measured, effects: Effects) -> str:
    """Return why a claim has no verdict, with notes on it."""
    words = [claim.reason]
    if claim.parts and not tested.seeds:
        words.insert(0, effects.missing(claim))
    elif claim.needed.tier == LONG:
        run = claim.needed.roles[0].removeprefix("train/")
        words.insert(0, f"after {in_words(effects.facts['iterations'][run])} iterations")
    if claim.parts and 0 < tested.seeds < LEAST_SEEDS:
        words.append(f"no verdict: fewer than {LEAST_SEEDS} seeds")
    return "; ".join(filter(None, words))


def in_words(counts: Collection[int]) -> str:
    """Return a number of iterations as text, or a range if the trainings of a run differ."""
    return " to ".join(f"{count:,}" for count in sorted({min(counts), max(counts)}))


def board_shown(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the board for a page."""
    shown = frame[["claim", "data", "place", "test", "effect", "unit"]].copy()
    shown.columns = ["claim", "data", "place", "tested", "effect: median [least, greatest]", "unit"]
    for column, title in (("p_holds", "p that it holds"), ("p_fails", "p that it fails"), ("p_sign", "p by signs")):
        shown[title] = [f"{p:.2g}" if p <= 1 else "" for p in frame[column]]
    shown["verdict"] = frame["verdict"] + (frame["fragile"] != "").map({True: ", fragile", False: ""})
    notes = frame["fragile"].where(frame["fragile"] == "", "Fragile: " + frame["fragile"] + ".")
    reasons = frame["reason"].where(frame["reason"] == "", frame["reason"] + ".")
    shown["notes"] = (notes + " " + reasons).str.strip()
    return shown


def caption(needs: Needs, frame: pd.DataFrame, effects: Effects) -> str:
    """Say what was tested, how, and on which data."""
    facts = effects.facts
    words = [
        f"Claims of the paper at the {needs.scale} scale{', on stand-in data' if facts.get('standin') else ''}: "
        f"{counted(frame)}.",
        how_decided(frame, needs.settings["level"]),
        on_what_it_hangs(frame, effects),
        needs.introduction("cifar10", "celebahq256"),
        f"Pre-training classifies images of p_0, here {needs.p_0('celebahq256')}.",
        f"Distances: {facts['measure']}, extractor {facts['extractor']}." if "measure" in facts else "",
        STANDIN if facts.get("standin") else "",
    ]
    return " ".join(filter(None, words))


def how_decided(frame: pd.DataFrame, level: float) -> str:
    """Say, for the caption, how p-values are computed and which level they must reach."""
    families = list(dict.fromkeys(frame["family"]))
    tested = frame[frame["verdict"].isin(VERDICTS)]
    sizes = ", ".join(f"{(tested['family'] == family).sum()} on {family}" for family in families)
    return (
        "Effects are paired by seed. An effect is a ratio of distances (tested on its logarithm), a difference of "
        "AUROCs in points, or a quantity in the unit shown. A claim with several parts holds if every part holds "
        "(intersection-union test) and fails if some part fails (Holm over its parts). Its two p-values, one for each "
        "direction, come from exact one-sided sign-flip tests and are adjusted by Holm within the claim's family "
        f"({sizes}). A verdict needs a p-value of at most {level / 2:g}, half the level of {level:g}, so the chance of "
        f"any wrong verdict on the board is at most {len(families) * level:g}. The sign-flip test is exact if the "
        "bound means no difference; with another bound it assumes a symmetric distribution, unlike the sign test."
    )


def on_what_it_hangs(frame: pd.DataFrame, effects: Effects) -> str:
    """Say, for the caption, when there is no verdict, when a verdict is fragile, and how many are."""
    rulers = f"here: {', '.join(effects.rulers)}" if effects.rulers else "no other extractor was used here"
    return (
        f'With fewer than {LEAST_SEEDS} seeds there are values but no verdict. The verdict is "no difference that '
        f'matters" if the effect is below the smallest one of interest, and "too easy here" if both AUROCs are above '
        f"{EASY:g} points. A verdict is fragile if it changes under the sign test, without one of the seeds, or with "
        f"another extractor ({rulers}). Fragile verdicts: {sensitivity(frame)['claim'].nunique()}."
    )
