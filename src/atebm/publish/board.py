"""Does the paper hold: the claims board of one scale, and each claim's seeds as a drawing."""

from collections import Counter
from dataclasses import dataclass
from math import inf, log
from pathlib import Path

import pandas as pd
from markupsafe import Markup

from ..report.verdicts import VERDICTS
from .tables import inline

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
    data: str  # what it was tested on, and what that stands in for
    where: Markup
    family: str
    tested: str
    effect: str  # median [least, greatest] over seeds
    p: str
    p_fails: str  # of the opposite
    verdict: str
    fragile: str  # why the verdict hangs by a thread
    caveat: str
    seeds: int
    drawing: Strip | None


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
            p=probability(row["p_holds"]),
            p_fails=probability(row["p_fails"]),
            verdict=row["verdict"],
            fragile=row["fragile"],
            caveat=row["caveat"],
            seeds=int(row["seeds"]),
            drawing=strip(
                [float(value) for value in row["effect_by_seed"].split()], float(row["above"]), float(row["below"])
            ),
        )
        for row in of_scale(results / "claims.csv", scale).to_dict("records")
    ]


def of_scale(path: Path, scale: str) -> pd.DataFrame:
    """Return a table of results, all text; empty where it is not here, or of another scale."""
    if not path.exists():
        return pd.DataFrame()
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    return frame[frame["scale"] == scale]


def tally(claims: list[Claim]) -> dict[str, tuple[int, int]]:
    """Return how many claims there are of each verdict, and how many of these are fragile."""
    found, weak = Counter(it.verdict for it in claims), Counter(it.verdict for it in claims if it.fragile)
    return {verdict: (found[verdict], weak[verdict]) for verdict in [*VERDICTS, *(found.keys() - set(VERDICTS))]}


def probability(text: str) -> str:
    return f"{float(text):.3f}" if text else "not tested"


def strip(values: list[float], above: float, below: float) -> Strip | None:
    """Seeds as dots on a logarithmic axis, with the bounds of the claim; None where a value has no logarithm."""
    if any(not 0 < value < inf for value in values):
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
