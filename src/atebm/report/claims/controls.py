"""Run the claims' tests on results that were spoilt on purpose, as negative controls.

A test that confirms the paper even on spoilt results would confirm it on any results. Nothing is computed for this: the
results of a board are exchanged under the roles by which claims read them.
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
    """A way of spoiling results, and the claims that must not hold on them."""

    family: str
    what: str
    swap: Swap
    claims: tuple[str, ...]


def in_place_of(role: str, other: str) -> Swap:
    """Return a swap that replaces the results of one role by those of another, in every seed."""
    return lambda results: {
        name: results.get(f"{other}/{seed}", result) if place == role else result
        for name, result in results.items()
        for place, _, seed in [name.rpartition("/")]
    }


def exchanged(role: str, other: str) -> Swap:
    """Return a swap that exchanges the results of two roles in every other seed."""

    def swap(results: Mapping[str, Result]) -> dict[str, Result]:
        places = {role: other, other: role}
        return {
            name: results.get(f"{places[place]}/{seed}", result) if place in places and int(seed) % 2 else result
            for name, result in results.items()
            for place, _, seed in [name.rpartition("/")]
        }

    return swap


class Untrained:
    """A game in the plane with an untrained D: the measures before training also stand for those after it."""

    def __init__(self, result: Result):
        self.result = result

    def __getattr__(self, name: str) -> Any:
        return getattr(self.result, name)

    def table(self, name: str) -> pd.DataFrame:
        frame = self.result.table(name)
        before = frame[frame["state"] == "initial"]
        return pd.concat([before, before.assign(state="final")], ignore_index=True)


def untrained(results: Mapping[str, Result]) -> dict[str, Result]:
    """Return the results with an untrained D in the plane."""
    spoilt = {role: cast(Result, Untrained(results[role])) for role in ("maximin/relu",) if role in results}
    return {**results, **spoilt}


OURS, PLAIN = "detection/cifar10_ood", "detection/cifar10_ood_plain"
CONTROLS = (
    Control(
        THEORY,
        "a broken model: D before training is used as D after training",
        untrained,
        ("u_log4", "d_half_on_support", "maxima_suppressed"),
    ),
    Control(
        GENERATION,
        "a broken model: source images are used as samples",
        in_place_of("distance/cifar10", "sources/cifar10"),
        ("realistic",),
    ),
    Control(
        GENERATION,
        "shuffled labels: K = 1 and the largest K are exchanged in every other seed",
        exchanged("distance/cifar10_K_one", "distance/cifar10_K_max"),
        ("k_ends",),
    ),
    Control(
        DETECTION,
        "a broken model: a plain classifier is used as the adversarially trained one",
        in_place_of(OURS, PLAIN),
        ("worst_plain_svhn", "worst_plain_uniform_noise"),
    ),
    Control(
        DETECTION,
        "shuffled labels: the two classifiers are exchanged in every other seed",
        exchanged(OURS, PLAIN),
        ("worst_plain_svhn",),
    ),
)


def controls(needs: Needs) -> Drawn:
    """Return a row per control and claim: its verdict as measured, and its effect and verdict in spoilt results."""
    board = registry(words_of(needs))
    measured = tested(needs, board)
    rows = [row for control in CONTROLS for row in rows_of(needs, board, measured, control)]
    frame = pd.DataFrame(rows).assign(scale=needs.scale)
    passed, decided_ones = (
        int((frame["verdict_spoilt"] != HOLDS).sum()),
        int((frame["verdict_spoilt"] != NOT_RUN).sum()),
    )
    caption = (
        f"Negative controls at the {needs.scale} scale: the tests of the claims board on results that were spoilt on "
        "purpose. Existing results of the board were exchanged, so nothing was trained for this. A claim that still "
        "held on spoilt results would have a test that confirms anything."
    )
    shown = frame[["family", "control", "claim", "verdict", "effect_spoilt", "verdict_spoilt"]].copy()
    columns = ["family", "control", "claim", "verdict as measured", "effect in spoilt results, by seed"]
    shown.columns = [*columns, "verdict in spoilt results"]
    headline = f"{passed} of {len(frame)} claims do not hold on spoilt results ({decided_ones} of them were tested)"
    return Drawn(frame, caption, headline, shown=shown)


def tested(needs: Needs, board: list[Claim]) -> list[Measured]:
    """Return the effects of each claim."""
    effects = effects_of(needs, board)
    return [effects.tested(claim) for claim in board]


def rows_of(needs: Needs, board: list[Claim], measured: list[Measured], control: Control) -> list[dict[str, object]]:
    """Return the rows of one control; the board's other claims keep their results, so Holm's adjustment stays."""
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
