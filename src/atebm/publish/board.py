"""The claims board on the overview: how many claims have which verdict, and every effect on an axis of its unit."""

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

LOGARITHMIC = ("ratio", "gap between logits")  # units that are drawn so
GIVEN = "given that "  # how the label of a part begins that is a condition, and no effect
VALUES = "values only"  # of claims with too few seeds for a verdict
ORDER = (FAILS, NO_DIFFERENCE, UNDECIDED, VALUES, HOLDS, TOO_EASY)  # of rows in a panel
OTHERS = (NOT_RUN, NOT_TESTABLE)  # stand in the column of verdicts, and are none
NUMBER = r"-?(?:inf|nan|[\d.]+(?:e[-+]?\d+)?)"
SUMMARY = re.compile(rf"^(?:(?P<label>.*): )?(?P<mid>{NUMBER}) \[(?P<low>{NUMBER}), (?P<high>{NUMBER})\]$")
MOST_TICKS, APART = 4, 18  # of an axis; percent of its width


@dataclass(frozen=True)
class Part:
    """An effect: median, least and greatest over seeds, and the bounds between which it speaks for its claim."""

    mid: float
    low: float
    high: float
    above: float = -inf
    below: float = inf

    def __str__(self) -> str:
        return f"{self.mid:.3g} [{self.low:.3g}, {self.high:.3g}]"


@dataclass(frozen=True)
class Claim:
    """A sentence of the paper, and what its test says; words are as in claims.csv."""

    text: str
    data: str  # what it was tested on, and what that stands in for
    place: str
    family: str  # what it is on: theory, generation or detection
    artifacts: list[str]  # that `place` names
    effect: str  # median [least, greatest] over seeds, of each part
    unit: str
    test: str
    verdict: str  # one of VERDICTS or OTHERS, or VALUES
    standing: str  # what claims.csv has in place of a verdict: "inside in 8 of 8"
    fragile: str  # why the verdict hangs by a thread
    reason: str  # why there is none, or what else to know
    seeds: int
    parts: list[Part]


@dataclass(frozen=True)
class Mark:
    """A part of a claim on an axis: percent of its width, and of the height of its row."""

    low: float
    mid: float
    high: float
    bounds: list[float]
    left: float  # of where the effect speaks for the claim
    width: float
    y: float


@dataclass(frozen=True)
class Panel:
    """The claims whose effects have one unit, on one axis."""

    unit: str
    logarithmic: bool
    ticks: list[tuple[float, str]]  # percent of the width, and the number there
    rows: list[tuple[Claim, list[Mark]]]


def claims_in(results: Path, scale: str) -> list[Claim]:
    """Return the claims board that lies in `results`; empty where there is none, or one of another scale."""
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
    """Return the effects of a claim in a row of claims.csv: not its conditions, and nothing that is no number."""
    columns = (row[name].split("; ") for name in ("effect", "above", "below"))
    parts = []
    for summary, above, below in zip(*columns, strict=True):
        found = SUMMARY.match(summary)
        if found and not (found["label"] or "").startswith(GIVEN):
            mid, low, high = (float(found[name]) for name in ("mid", "low", "high"))
            parts.append(Part(mid, low, high, float(above), float(below)))
    return parts


def tally(claims: Iterable[Claim]) -> dict[str, int]:
    """Return how many claims there are of each verdict, or without one."""
    found = Counter(claim.verdict for claim in claims)
    return {name: found[name] for name in (*ORDER, *OTHERS)}


def panels_of(claims: Iterable[Claim]) -> list[Panel]:
    """Return the claims that have effects by their units: first where something fails, then where most are."""
    by_unit: dict[str, list[Claim]] = {}
    for claim in claims:
        if claim.parts:
            by_unit.setdefault(claim.unit, []).append(claim)
    panels = [panel_of(unit, members) for unit, members in by_unit.items()]
    return sorted(panels, key=lambda it: (all(claim.verdict != FAILS for claim, _ in it.rows), -len(it.rows)))


def panel_of(unit: str, claims: list[Claim]) -> Panel:
    """Return the claims of a unit on their axis, failures first."""
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
    """Return the first, the last, and of those between so few that their numbers do not meet."""
    kept, last = [ticks[0]], ticks[-1]
    for tick in ticks[1:-1]:
        if tick[0] - kept[-1][0] >= APART and last[0] - tick[0] >= APART:
            kept.append(tick)
    return [*kept, last]


def mark_of(part: Part, x: Callable[[float], float], y: int, parts: int) -> Mark:
    """Return a part of a claim with `parts` of them, drawn in the row's `y`th line."""
    left, right = x(part.above), x(part.below)
    bounds = [x(bound) for bound in (part.above, part.below) if isfinite(bound)]
    height = round(100 * (y + 0.5) / parts, 1)
    return Mark(x(part.low), x(part.mid), x(part.high), bounds, left, round(right - left, 2), height)
