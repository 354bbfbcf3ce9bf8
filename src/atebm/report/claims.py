"""The claims board: each claim of the paper, its effect over seeds, and what its test says."""

import json
from pathlib import Path
from typing import Any

import pandas as pd

from ..pipeline.tasks import STABILITY
from .captions import STANDIN
from .detection import rows_of
from .drawn import Drawn
from .needs import Needs
from .records import extractor_of
from .registry import Claim, Evidence, claims_of_detection, claims_of_generation
from .verdicts import LEAST_SEEDS, BySeed, counted, decided, fragile


def claims(needs: Needs) -> Drawn:
    """Decide every claim, and return the board, a row per claim.

    `verdict` is empty where fewer than LEAST_SEEDS seeds were run, `fragile` says why a verdict hangs by a thread, and
    `caveat` what else to know of a test.
    """
    board = claims_of(needs)
    effects, kept = effects_of(needs, board)
    level, tests = needs.settings["level"], [claim.test for claim in board]
    decisions = decided(tests, effects, level)
    before = None
    if "earlier" in kept:
        before = decided(tests, by_claim(board, needs.numbers / kept["earlier"]), level)
    decisions["fragile"] = fragile(decisions, before, level)
    frame = pd.concat([described(needs, board, effects, kept["iterations"]), decisions], axis=1)
    frame["verdict"] = frame["verdict"].where(frame["verdict"] != "", frame.pop("shown_only"))
    frame["scale"] = needs.scale
    words = caption(needs, board, frame, kept, before is not None)
    return Drawn(frame, words, counted(frame), shown=board_shown(frame))


def claims_of(needs: Needs) -> list[Claim]:
    """Return the registry with the words of a scale."""
    of_runs = needs.settings["stability"]
    rates = {run: setting["lr"] for run, setting in of_runs.items()}
    generation = claims_of_generation(needs.settings["margin"], rates, of_runs[STABILITY[0]]["K"])
    return [*generation, *claims_of_detection(rows_of(needs))]


# --- effects ----------------------------------------------------------------------------------------------------------


def effects_of(needs: Needs, board: list[Claim]) -> tuple[list[BySeed], dict[str, Any]]:
    """Return the effect of each claim by seed, and what is known of how they were computed.

    They follow from the steps, in work/ or kept. The steps of the board of eight seeds are nowhere any more: of it
    results/numbers/claims.csv has the effects, and claims.json the facts. These may name another file, `earlier`:
    effects of the same seeds as an earlier state of the code had them.
    """
    old = needs.numbers / "claims.json"
    if old.exists() and not all(result.is_there for result in needs.results.values()):
        return by_claim(board, old.with_suffix(".csv")), json.loads(old.read_text(encoding="utf-8"))
    evidence = Evidence(needs)
    metric = needs.records("distance")[0]
    iterations = [record["iterations"] for record in needs.records(f"train/{STABILITY[2]}")]
    facts = {
        "measure": metric["name"],
        "extractor": extractor_of(metric),
        "standin": metric["standin"],
        "iterations": max(iterations, default=0),
        "computed": "",
    }
    return [claim.effect(evidence) for claim in board], facts


def by_claim(board: list[Claim], path: Path) -> list[BySeed]:
    """Return the effect of each claim by seed, as a file of effects has them; empty where it has none."""
    frame = pd.read_csv(path).set_index(["id", "seed"])["effect"]
    known = frame.index.get_level_values("id")
    return [frame[claim.id] if claim.id in known else pd.Series(dtype=float) for claim in board]


# --- the board --------------------------------------------------------------------------------------------------------


def described(needs: Needs, board: list[Claim], effects: list[BySeed], iterations: int) -> pd.DataFrame:
    """Return what each claim says, what its test is, and its effect."""
    rows = [
        {
            "id": claim.id,
            "family": claim.test.family,
            "place": claim.where,
            "claim": claim.claim,
            "data": needs.name(claim.task) if claim.task else "points in the plane",
            "test": claim.tested,
            "smallest": claim.test.smallest,
            "above": claim.test.above,
            "below": claim.test.below,
            "effect": f"{effect.median():.4g} [{effect.min():.4g}, {effect.max():.4g}]",
            "seeds": len(effect),
            "effect_by_seed": " ".join(f"{value:.4g}" for value in effect),
            "caveat": claim.caveat,
            "shown_only": "" if claim.test.tested else reached(claim, effect, iterations),
        }
        for claim, effect in zip(board, effects, strict=True)
    ]
    return pd.DataFrame(rows)


def reached(claim: Claim, effect: BySeed, iterations: int) -> str:
    """Say of an effect that longer training could still bring about in how many seeds it was seen."""
    seen = int((effect > claim.test.above).sum())
    return f"reached in {seen} of {len(effect)} seeds" if seen else f"not reached in {iterations} iterations"


def board_shown(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the board for a page."""
    shown = frame[["claim", "data", "place", "test", "effect"]].copy()
    shown.columns = ["claim", "data", "place", "tested", "effect: median [least, greatest]"]
    for column, title in (("p_holds", "p that it holds"), ("p_fails", "p that it fails")):
        shown[title] = [f"{p:.3f}" if p <= 1 else "" for p in frame[column]]
    shown["verdict"] = frame["verdict"] + (frame["fragile"] != "").map({True: ", fragile", False: ""})
    notes = frame["fragile"].where(frame["fragile"] == "", "Fragile: " + frame["fragile"] + ".")
    caveats = frame["caveat"].where(frame["caveat"] == "", "Note: " + frame["caveat"] + ".")
    shown["what else to know"] = (notes + " " + caveats).str.strip()
    return shown


def caption(needs: Needs, board: list[Claim], frame: pd.DataFrame, kept: dict[str, Any], twice: bool) -> str:
    """Say how the claims were tested; `twice`: whether an earlier computation of the same seeds is compared with."""
    level, sizes = needs.settings["level"], ", ".join(f"{n} on {family}" for family, n in hypotheses(board).items())
    weak = "the sign test, which does not assume it, is undecided"
    if twice:
        weak += ", or where the same seeds had another verdict when an earlier state of the code computed them"
    words = [
        f"Claims of the paper, tested at scale {needs.scale}{' on stand-in data' if kept['standin'] else ''}, with "
        f"{frame['seeds'].max()} seeds: {counted(frame)}.",
        kept["computed"],
        "Each effect is paired by seed. The logarithm of its distance from the bound is put to one-sided sign-flip "
        f"tests, adjusted by Holm within its family ({sizes}): of the claim and of its opposite, each at level "
        f"{level:g}, so the board's family-wise level is up to {2 * len(hypotheses(board)) * level:g}. A claim holds "
        f"where p <= {level:g}, fails where p of the opposite is, and is undecided otherwise; fewer than {LEAST_SEEDS} "
        "seeds are not tested. The tests are exact where the bound is 1; with another bound, or the least of several "
        f"effects, they assume symmetry. A verdict is fragile where {weak}.",
        f"A difference of less than {100 * needs.settings['margin']:g} % between distances, or of less than 2 % "
        "between AUROCs, is no difference that matters. This smallest effect was stated after the runs; all else was "
        "stated before them, but for what the last column says.",
        "All seeds share one extractor, one pre-training, one set of source photographs and the same images under "
        f"attack: the p-values say nothing of others. {pretraining(needs)}",
        needs.introduction("cifar10", "celebahq256"),
        f"Distances: {kept['measure']}, extractor {kept['extractor']}.",
        STANDIN if kept["standin"] else "",
    ]
    return " ".join(filter(None, words))


def hypotheses(board: list[Claim]) -> dict[str, int]:
    """Return how many claims each family adjusts for: the parts of one count once, what is only shown not at all."""
    names = {(claim.test.family, claim.test.claim or claim.id) for claim in board if claim.test.tested}
    return {family: sum(name[0] == family for name in names) for family in dict.fromkeys(c.test.family for c in board)}


def pretraining(needs: Needs) -> str:
    """Say what the pre-training of the 256x256 network learns at this scale."""
    return f"Pre-training learns which class of p_0 an image is of: here, {needs.p_0('celebahq256')}."
