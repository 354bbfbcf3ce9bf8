"""Controls: what the claims' tests say of results that were spoilt on purpose.

A test that finds what the paper says in spoilt results, too, finds it anywhere. Nothing is computed for this: results
of a board take each other's places, under the roles that claims know them by.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

import pandas as pd

from ..drawn import Drawn
from ..needs import Needs, Result
from ..verdicts import HOLDS, NOT_RUN, Measured, decided
from .board import by_seed, joined, standing, words_of
from .claim import DETECTION, GENERATION, THEORY, Claim
from .effects import effects_of
from .registry import registry

Swap = Callable[[Mapping[str, Result]], dict[str, Result]]


@dataclass(frozen=True)
class Control:
    """A way of spoiling results, and the claims that must not come out of them."""

    family: str
    what: str
    swap: Swap
    claims: tuple[str, ...]


def in_place_of(role: str, other: str) -> Swap:
    """Return what puts the results of one role in the place of another's, in every seed."""
    return lambda results: {
        name: results.get(f"{other}/{seed}", result) if place == role else result
        for name, result in results.items()
        for place, _, seed in [name.rpartition("/")]
    }


def exchanged(role: str, other: str) -> Swap:
    """Return what gives the results of two roles each other's labels, in every other seed."""

    def swap(results: Mapping[str, Result]) -> dict[str, Result]:
        places = {role: other, other: role}
        return {
            name: results.get(f"{places[place]}/{seed}", result) if place in places and int(seed) % 2 else result
            for name, result in results.items()
            for place, _, seed in [name.rpartition("/")]
        }

    return swap


class Untrained:
    """A game in the plane whose D was never trained: its measures before training pass for those after it."""

    def __init__(self, result: Result):
        self.result = result

    def __getattr__(self, name: str) -> Any:
        return getattr(self.result, name)

    def table(self, name: str) -> pd.DataFrame:
        frame = self.result.table(name)
        before = frame[frame["state"] == "initial"]
        return pd.concat([before, before.assign(state="final")], ignore_index=True)


def untrained(results: Mapping[str, Result]) -> dict[str, Result]:
    """Return the results with a D in the plane that was never trained."""
    spoilt = {role: cast(Result, Untrained(results[role])) for role in ("maximin/relu",) if role in results}
    return {**results, **spoilt}


OURS, PLAIN = "detection/cifar10_ood", "detection/cifar10_ood_plain"
CONTROLS = (
    Control(
        THEORY,
        "a broken model: D before its training passes for D after it",
        untrained,
        ("u_log4", "d_half_on_support", "maxima_suppressed"),
    ),
    Control(
        GENERATION,
        "a broken model: source images pass for samples",
        in_place_of("distance/cifar10", "sources/cifar10"),
        ("realistic",),
    ),
    Control(
        GENERATION,
        "shuffled labels: K = 1 and the largest K change places in every other seed",
        exchanged("distance/cifar10_K_one", "distance/cifar10_K_max"),
        ("k_ends",),
    ),
    Control(
        DETECTION,
        "a broken model: a plain classifier passes for one that was trained against attacks",
        in_place_of(OURS, PLAIN),
        ("worst_plain_svhn", "worst_plain_uniform_noise"),
    ),
    Control(
        DETECTION,
        "shuffled labels: both classifiers change places in every other seed",
        exchanged(OURS, PLAIN),
        ("worst_plain_svhn",),
    ),
)


def controls(needs: Needs) -> Drawn:
    """Return a row per control and claim: its effect and verdict as it was measured, and in spoilt results."""
    board = registry(words_of(needs))
    measured = tested(needs, board)
    rows = [row for control in CONTROLS for row in rows_of(needs, board, measured, control)]
    frame = pd.DataFrame(rows).assign(scale=needs.scale)
    passed, decided_ones = (
        int((frame["verdict_spoilt"] != HOLDS).sum()),
        int((frame["verdict_spoilt"] != NOT_RUN).sum()),
    )
    caption = (
        f"Controls at scale {needs.scale}: the tests of the claims board on results that were spoilt on purpose. "
        "Results of the board take each other's places, so nothing was trained for this. A claim that held in them, "
        "too, would be found anywhere."
    )
    shown = frame[["family", "control", "claim", "verdict", "effect_spoilt", "verdict_spoilt"]].copy()
    shown.columns = ["family", "control", "claim", "as measured", "effect in spoilt results, by seed", "verdict there"]
    headline = f"{passed} of {len(frame)} claims do not hold in spoilt results ({decided_ones} were run)"
    return Drawn(frame, caption, headline, shown=shown)


def tested(needs: Needs, board: list[Claim]) -> list[Measured]:
    """Return the effects of each claim."""
    effects = effects_of(needs, board)
    return [effects.tested(claim) for claim in board]


def rows_of(needs: Needs, board: list[Claim], measured: list[Measured], control: Control) -> list[dict[str, object]]:
    """Return the rows of one control. The other claims of the board stay as they were, so that Holm's steps do, too."""
    spoilt = tested(replace(needs, results=control.swap(needs.results)), board)
    mixed = [
        other if claim.id in control.claims else own for claim, own, other in zip(board, measured, spoilt, strict=True)
    ]
    level = needs.settings["level"]
    before, after = decided(measured, level)["verdict"], decided(mixed, level)["verdict"]
    return [
        {
            "family": control.family,
            "control": control.what,
            "id": claim.id,
            "claim": claim.claim,
            "verdict": before[place] or standing(claim, measured[place]),
            "effect_spoilt": joined(claim, mixed[place], by_seed),
            "verdict_spoilt": after[place] or standing(claim, mixed[place]),
        }
        for place, claim in enumerate(board)
        if claim.id in control.claims
    ]
