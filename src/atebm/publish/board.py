"""Prepare the claims board for the overview: counts of verdicts, and every effect on an axis of its unit."""

import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from math import ceil, floor, inf, isfinite, isnan, log, log10
from pathlib import Path

import pandas as pd
from matplotlib.ticker import MaxNLocator

from ..pipeline.artifacts import ARTIFACTS
from ..pipeline.naming import labels_in
from ..report.verdicts import FAILS, HOLDS, NO_DIFFERENCE, NOT_RUN, NOT_TESTABLE, TOO_EASY, UNDECIDED, VERDICTS

LOGARITHMIC = ("ratio", "gap between logits")  # units with a logarithmic axis
GIVEN = "given that "  # beginning of the label of a part that is a condition and not an effect
VALUES = "values only"  # the state of claims with too few seeds for a verdict
ORDER = (FAILS, NO_DIFFERENCE, UNDECIDED, VALUES, HOLDS, TOO_EASY)  # order of rows in a panel
OTHERS = (NOT_RUN, NOT_TESTABLE)  # stand in the column of verdicts but are no verdicts
NUMBER = r"-?(?:inf|nan|[\d.]+(?:e[-+]?\d+)?)"
SUMMARY = re.compile(rf"^(?:(?P<label>.*): )?(?P<mid>{NUMBER}) \[(?P<low>{NUMBER}), (?P<high>{NUMBER})\]$")
MOST_TICKS, APART = 4, 18  # ticks of an axis; their least distance in percent of its width


@dataclass(frozen=True)
class Part:
    """An effect: median, least and greatest over seeds, and the bounds between which it supports its claim."""

    mid: float
    low: float
    high: float
    above: float = -inf
    below: float = inf

    def __str__(self) -> str:
        return f"{self.mid:.3g} [{self.low:.3g}, {self.high:.3g}]"


@dataclass(frozen=True)
class Claim:
    """A sentence of the paper and the result of its test, in the words of claims.csv."""

    text: str
    data: str  # the data that it was tested on, and what they stand in for
    place: str
    family: str  # theory, generation or detection
    artifacts: list[str]  # the ids of the artifacts that `place` names
    effect: str  # median [least, greatest] over seeds, for each part
    unit: str
    test: str
    verdict: str  # one of VERDICTS or OTHERS, or VALUES
    standing: str  # the text that claims.csv has in place of a verdict: "inside in 8 of 8"
    fragile: str  # why the verdict is fragile
    reason: str  # why there is no verdict, or a note
    seeds: int
    parts: list[Part]


@dataclass(frozen=True)
class Mark:
    """A part of a claim on an axis, in percent of the axis's width and of the row's height."""

    low: float
    mid: float
    high: float
    bounds: list[float]
    left: float  # the left end of the side that supports the claim
    width: float  # the width of that side
    y: float


@dataclass(frozen=True)
class Panel:
    """The claims whose effects share a unit, on one axis."""

    unit: str
    logarithmic: bool
    ticks: list[tuple[float, str]]  # percent of the width, and the number there
    rows: list[tuple[Claim, list[Mark]]]


def claims_in(results: Path, scale: str) -> list[Claim]:
    """Return the claims board in `results`; empty if there is none, or if it is of another scale."""
    path = results / "claims.csv"
    if not path.exists():
        return []
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    return [claim_of(row) for row in frame[frame["scale"] == scale].to_dict("records")]


def claim_of(row: Mapping[Hashable, str]) -> Claim:
    """Return the claim in a row of claims.csv."""
    known = row["verdict"] in (*VERDICTS, *OTHERS)
    return Claim(
        text=row["claim"],
        data=row["data"],
        place=row["place"],
        family=row["family"],
        artifacts=artifacts_in(row["place"]),
        effect=row["effect"],
        unit=row["unit"],
        test=row["test"],
        verdict=row["verdict"] if known else VALUES,
        standing="" if known else row["verdict"],
        fragile=row["fragile"],
        reason=row["reason"],
        seeds=int(row["seeds"]),
        parts=parts_of(row) if int(row["seeds"]) else [],
    )


def artifacts_in(place: str) -> list[str]:
    """Return the ids of the artifacts that a place in the paper names, such as "Sec. 4.4, Fig. 3"."""
    ids = {artifact.label: name for name, artifact in ARTIFACTS.items()}
    return [ids[label] for label in labels_in(place) if label in ids]


def parts_of(row: Mapping[Hashable, str]) -> list[Part]:
    """Return the effects of a claim in a row of claims.csv, without its conditions and without missing numbers."""
    columns = (row[name].split("; ") for name in ("effect", "above", "below"))
    parts = []
    for summary, above, below in zip(*columns, strict=True):
        found = SUMMARY.match(summary)
        if found and not (found["label"] or "").startswith(GIVEN):
            mid, low, high = (float(found[name]) for name in ("mid", "low", "high"))
            parts.append(Part(mid, low, high, float(above), float(below)))
    return parts


def tally(claims: Iterable[Claim]) -> dict[str, int]:
    """Return the number of claims with each verdict, and of those without one."""
    found = Counter(claim.verdict for claim in claims)
    return {name: found[name] for name in (*ORDER, *OTHERS)}


def panels_of(claims: Iterable[Claim]) -> list[Panel]:
    """Return the claims that have effects, by unit: units with a failing claim first, then by number of claims."""
    by_unit: dict[str, list[Claim]] = {}
    for claim in claims:
        if claim.parts:
            by_unit.setdefault(claim.unit, []).append(claim)
    panels = [panel_of(unit, members) for unit, members in by_unit.items()]
    return sorted(panels, key=lambda it: (all(claim.verdict != FAILS for claim, _ in it.rows), -len(it.rows)))


def panel_of(unit: str, claims: list[Claim]) -> Panel:
    """Return the claims with one unit on their axis, failing claims first."""
    logarithmic = unit in LOGARITHMIC
    shown = [number for claim in claims for part in claim.parts for number in ends_of(part, logarithmic)]
    ticks = tick_values(min(shown, default=0.5), max(shown, default=2.0), logarithmic)
    first, last = (log(tick) if logarithmic else tick for tick in (ticks[0], ticks[-1]))

    def x(number: float) -> float:
        if logarithmic and number <= 0:
            return 0.0
        place = (log(number) if logarithmic and isfinite(number) else number) - first
        return round(min(max(100 * place / (last - first), 0.0), 100.0), 2)

    def marks(claim: Claim) -> list[Mark]:
        parts = [part for part in claim.parts if not isnan(part.mid)]
        return [mark_of(part, x, y, len(parts)) for y, part in enumerate(parts)]

    rows = [(claim, marks(claim)) for claim in sorted(claims, key=lambda claim: ORDER.index(claim.verdict))]
    return Panel(unit, logarithmic, thinned([(x(tick), f"{tick:g}".replace("e+0", "e")) for tick in ticks]), rows)


def ends_of(part: Part, logarithmic: bool) -> list[float]:
    """Return the numbers of a part that an axis must reach."""
    numbers = (part.mid, part.low, part.high, part.above, part.below)
    return [number for number in numbers if isfinite(number) and (number > 0 or not logarithmic)]


def tick_values(low: float, high: float, logarithmic: bool) -> list[float]:
    """Return round numbers, the first at most `low` and the last at least `high`."""
    if low == high:
        low, high = (low / 2, high * 2) if logarithmic else (low - 1, high + 1)
    if not logarithmic:
        return [float(tick) for tick in MaxNLocator(MOST_TICKS).tick_values(low, high)]
    subs = (1, 2, 5) if high / low < 1e3 else (1,)
    ticks = [sub * 10.0**power for power in range(floor(log10(low)), ceil(log10(high)) + 1) for sub in subs]
    first = bisect_right(ticks, low * (1 + 1e-9)) - 1
    return ticks[first : bisect_left(ticks, high * (1 - 1e-9)) + 1]


def thinned(ticks: list[tuple[float, str]]) -> list[tuple[float, str]]:
    """Return the first and last tick, and only so many between them that their numbers do not overlap."""
    kept, last = [ticks[0]], ticks[-1]
    for tick in ticks[1:-1]:
        if tick[0] - kept[-1][0] >= APART and last[0] - tick[0] >= APART:
            kept.append(tick)
    return [*kept, last]


def mark_of(part: Part, x: Callable[[float], float], y: int, parts: int) -> Mark:
    """Return the mark of one part, on line `y` of the row of a claim with `parts` parts."""
    left, right = x(part.above), x(part.below)
    bounds = [x(bound) for bound in (part.above, part.below) if isfinite(bound)]
    height = round(100 * (y + 0.5) / parts, 1)
    return Mark(x(part.low), x(part.mid), x(part.high), bounds, left, round(right - left, 2), height)
