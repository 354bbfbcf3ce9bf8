"""Does the paper hold: the claims board of one scale, and each claim's seeds as a drawing."""

from collections import Counter
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from math import isfinite, log
from pathlib import Path

import pandas as pd
from markupsafe import Markup

from ..report.verdicts import NOT_RUN, NOT_TESTABLE, VERDICTS
from .tables import inline

WIDTH, MARGIN = 120, 8  # of a drawing, in CSS pixels
LOGARITHMIC = ("ratio", "gap between logits")  # units that are drawn so


@dataclass(frozen=True)
class Strip:
    """A drawing of a claim's seeds; all numbers are CSS pixels from its left edge."""

    dots: list[float]
    bounds: list[float]
    left: float  # of the part where the claim holds
    right: float


@dataclass(frozen=True)
class Claim:
    text: str
    data: str  # what it was tested on, and what that stands in for
    where: Markup
    family: str
    tested: str
    effect: str  # median [least, greatest] over seeds, of each part
    unit: str
    margin: str
    p: str
    p_fails: str  # of the opposite
    p_sign: str
    verdict: str
    fragile: str  # why the verdict hangs by a thread
    reason: str  # why there is none, or what else to know
    seeds: int
    drawings: list[Strip]  # of each part that has one


def claims_in(results: Path, scale: str, anchors: list[str]) -> list[Claim]:
    """Return the claims board that lies in `results`; empty where there is none, or one of another scale."""
    return [
        Claim(
            text=row["claim"],
            data=row["data"],
            where=inline(row["place"], anchors),
            family=row["family"],
            tested=row["test"],
            effect=row["effect"],
            unit=row["unit"],
            margin=row["margin"],
            p=probability(row["p_holds"]),
            p_fails=probability(row["p_fails"]),
            p_sign=probability(row["p_sign"]),
            verdict=row["verdict"],
            fragile=row["fragile"],
            reason=row["reason"],
            seeds=int(row["seeds"]),
            drawings=list(strips(row)),
        )
        for row in of_scale(results / "claims.csv", scale).to_dict("records")
    ]


def of_scale(path: Path, scale: str) -> pd.DataFrame:
    """Return a table of results, all text; empty where it is not here, or of another scale."""
    if not path.exists():
        return pd.DataFrame()
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    return frame[frame["scale"] == scale]


VALUES = "values only"  # of claims with too few seeds for a verdict
OTHERS = (NOT_RUN, NOT_TESTABLE)  # stand in the column of verdicts


def tally(claims: list[Claim]) -> dict[str, tuple[int, int]]:
    """Return how many claims there are of each verdict or without one, and how many of these are fragile."""
    known = (*VERDICTS, *OTHERS)
    named = [(it.verdict if it.verdict in known else VALUES, it.fragile) for it in claims]
    found, weak = Counter(name for name, _ in named), Counter(name for name, fragile in named if fragile)
    return {name: (found[name], weak[name]) for name in (*VERDICTS, VALUES, *OTHERS)}


def probability(text: str) -> str:
    return f"{float(text):.2g}" if text else "not tested"


def strips(row: dict[Hashable, str]) -> Iterator[Strip]:
    """Yield a drawing of the seeds of each part of a claim, as claims.csv has them."""
    parts = zip(*(row[name].split("; ") for name in ("effect_by_seed", "above", "below")), strict=True)
    for effects, above, below in parts if row["effect_by_seed"] else ():
        values = [float(value) for value in effects.rpartition(": ")[2].split()]
        if drawing := strip(values, float(above), float(below), logarithmic=row["unit"] in LOGARITHMIC):
            yield drawing


def strip(values: list[float], above: float, below: float, logarithmic: bool = True) -> Strip | None:
    """Seeds as dots on an axis, with the bound of the claim; None where a value has no place on it."""
    if any(not isfinite(value) or (logarithmic and value <= 0) for value in values):
        return None

    def scaled(value: float) -> float:
        return log(value) if logarithmic else value

    marks = [bound for bound in (above, below) if isfinite(bound) and not (logarithmic and bound <= 0)]
    least, greatest = (pick(scaled(value) for value in (*values, *marks)) for pick in (min, max))

    def x(value: float) -> float:
        return round(MARGIN + (WIDTH - 2 * MARGIN) * (scaled(value) - least) / ((greatest - least) or 1.0), 1)

    return Strip(
        dots=[x(value) for value in values],
        bounds=[x(bound) for bound in marks],
        left=x(above) if above in marks else 0.0,
        right=x(below) if below in marks else float(WIDTH),
    )
