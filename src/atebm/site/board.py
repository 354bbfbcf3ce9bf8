"""Does the paper hold: the claims board and the picture checks of one scale, and each claim's seeds as a drawing."""

import re
from collections import Counter
from dataclasses import dataclass
from math import inf, log
from pathlib import Path

import pandas as pd
from markupsafe import Markup

from .tables import inline

VERDICTS = ("holds", "fails", "undecided")
WIDTH, MARGIN = 120, 8  # of a drawing, in CSS pixels


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
    where: Markup
    family: str
    tested: str
    effect: str  # median [least, greatest] over seeds
    p: str
    p_fails: str  # of the opposite
    verdict: str
    seeds: int
    drawing: Strip | None


@dataclass(frozen=True)
class Check:
    text: str
    run: str
    what: str
    value: float
    low: float
    high: float
    bound: float
    images: int
    verdict: str


def claims_in(results: Path, scale: str, anchors: list[str]) -> list[Claim]:
    """The claims board that lies in `results`; empty where there is none, or one of another scale."""
    frame = of_scale(results / "claims.csv", scale)
    return [
        Claim(
            text=row["claim"],
            where=inline(row["where"], anchors),
            family=row["family"],
            tested=row["test"],
            effect=row["effect"],
            p=probability(row["p_value"]),
            p_fails=probability(row["p_value_fails"]),
            verdict=row["verdict"],
            seeds=int(row["seeds"]),
            drawing=strip([float(value) for value in row["effect_by_seed"].split()], *bounds(row["test"])),
        )
        for row in frame.rename(columns={"holds": "verdict"}).to_dict("records")
    ]


def checks_in(results: Path, scale: str) -> list[Check]:
    """The picture checks that lie in `results`, likewise."""
    frame = of_scale(results / "picture_checks.csv", scale)
    numbers = ("value", "low", "high", "bound")
    return [
        Check(
            text=row["check"],
            run=row["run"],
            what=row["what"],
            images=int(row["images"]),
            verdict=row["verdict"],
            **{name: float(row[name]) for name in numbers},
        )
        for row in frame.to_dict("records")
    ]


def of_scale(path: Path, scale: str) -> pd.DataFrame:
    if not path.exists():
        return pd.DataFrame()
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    return frame[frame["scale"] == scale]


def counted(rows: list[Claim] | list[Check]) -> dict[str, int]:
    """How many there are of each verdict."""
    found = Counter(row.verdict for row in rows)
    return {verdict: found[verdict] for verdict in VERDICTS}


def probability(text: str) -> str:
    return f"{float(text):.3f}" if text else "not tested"


def bounds(test: str) -> tuple[float, float]:
    """Between which values a claim holds, from how its test is worded: "..., above 1 and below 1.5" """
    above, below = (re.search(rf"\b{word} ([\d.e+-]+)(?: and below [\d.]+)?$", test) for word in ("above", "below"))
    return (float(above[1]) if above else 0.0), (float(below[1]) if below else inf)


def strip(values: list[float], above: float, below: float) -> Strip | None:
    """Seeds as dots on a logarithmic axis, with the bounds of the claim; None where a value has no logarithm."""
    if any(value <= 0 for value in values):
        return None
    marks = [bound for bound in (above, below) if 0 < bound < inf]
    least, greatest = (pick(log(value) for value in (*values, *marks)) for pick in (min, max))

    def x(value: float) -> float:
        return round(MARGIN + (WIDTH - 2 * MARGIN) * (log(value) - least) / ((greatest - least) or 1.0), 1)

    return Strip(
        dots=[x(value) for value in values],
        bounds=[x(bound) for bound in marks],
        left=x(above) if above > 0 else 0.0,
        right=x(below) if below < inf else float(WIDTH),
    )
