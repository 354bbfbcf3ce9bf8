"""Define a claim: a sentence of the paper, and its test or the reason why there is none."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pandas as pd

from ...pipeline.evidence import EVIDENCE, Needed
from ..verdicts import Bound
from .evidence import Evidence, over

THEORY, GENERATION, DETECTION = "theory", "generation", "detection"  # families: p-values are adjusted within each
RATIO, POINTS = "ratio", "points of AUROC"  # units

Effect = Callable[[Evidence], pd.Series | pd.DataFrame]  # by seed; a frame has columns `effect` and `lesser`


@dataclass(frozen=True)
class Part:
    """One effect of a claim, and its bound."""

    measured: str
    effect: Effect
    bound: Bound
    label: str = ""  # names the part in a claim with several

    @property
    def tested(self) -> str:
        """Return the test in words."""
        side = "above" if self.bound.above == self.bound.value else "below"
        return f"{self.measured} is {side} {self.bound.value:g}"


@dataclass(frozen=True)
class Claim:
    """A sentence of the paper. It holds if every part does."""

    id: str
    place: str
    claim: str
    task: str  # the task whose data it is about; empty for the plane
    family: str
    unit: str = ""
    parts: tuple[Part, ...] = ()  # empty if no test is possible here
    reason: str = ""  # why there is no test, or a note on the test
    margin: str = ""  # the reason for the bound or the smallest effect of interest

    @property
    def needed(self) -> Needed:
        """Return the results that the test needs."""
        return EVIDENCE.get(self.id, Needed())

    @property
    def test(self) -> str:
        """Return the test in words; text that parts share appears once."""
        said = list(dict.fromkeys(part.tested for part in self.parts))
        every = "; ".join(said)
        return f"each of {len(self.parts)}: {every}" if len(self.parts) > len(said) == 1 else every

    @property
    def interest(self) -> str:
        """Return the smallest effect of interest; without one, the bound, which is then itself a margin."""
        said = [part.bound for part in self.parts if not part.bound.given]
        smallest = {bound.smallest for bound in said} - {0}
        bounds = {bound.value for bound in said}
        return ", ".join(f"{value:g}" for value in sorted(smallest or bounds))


@dataclass(frozen=True)
class Words:
    """The words of a scale in the registry: the smallest ratio of interest, names of data, settings of Sec. 5.3."""

    same: float = 1.1  # two distances whose ratio is nearer to 1 than this count as the same
    rows: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # by task: labels of out-of-distribution sets
    rates: tuple[str, str] = ("5e-4", "1e-6")  # learning rates of Sec. 5.3: that of Table S3, and the stated one
    K: str = "K = 4"  # the number of steps of the attacks in Sec. 5.3


def on_distances(id: str, place: str, claim: str, task: str, *parts: Part, reason: str = "", margin: str = "") -> Claim:
    """Return a claim about ratios of distances of samples."""
    return Claim(id, place, claim, task, GENERATION, RATIO, parts, reason, margin)


def above(bound: float = 0, smallest: float = 0, **more: bool) -> Bound:
    """Return the bound of an effect that must be larger than `bound`."""
    return Bound(above=bound, smallest=smallest, **more)


def below(bound: float, smallest: float = 0, **more: bool) -> Bound:
    """Return the bound of an effect that must be smaller than `bound`."""
    return Bound(below=bound, smallest=smallest, **more)


def times(smallest: float = 1.0, bound: float = 1.0, **more: bool) -> Bound:
    """Return the bound of a ratio that must be above `bound`."""
    return Bound(above=bound, smallest=0 if smallest == 1 else smallest, ratio=True, **more)


def at_most(bound: float) -> Bound:
    """Return the bound of a ratio that must be below `bound`."""
    return Bound(below=bound, ratio=True)


def within(measured: str, effect: Effect, factor: float, label: str = "") -> tuple[Part, Part]:
    """Return two parts, one-sided tests that a ratio lies between 1 / factor and factor."""
    high, low = f"{label}, high" if label else "high", f"{label}, low" if label else "low"
    return Part(measured, effect, at_most(factor), high), Part(measured, effect, times(bound=1 / factor), low)


def learnt(task: str, sampler: str = "") -> Part:
    """Return the condition that samples are at most half as far from p_data as their sources.

    If nothing was learnt, all models are alike, and that must not count as a finding.
    """
    return Part(
        "distance of the source images over that of their samples",
        lambda e: over(e.values(f"sources/{task}"), e.distance(sampler or task)),
        times(bound=2, given=True),
        f"given that {sampler or task} learnt",
    )


def detects(run: str, row: str, attack: str, label: str) -> Part:
    """Return the condition that a detector does better than guessing on a set."""
    return Part(
        "AUROC of the detector that it is compared with",
        area_of(run, row, attack),
        above(50, given=True),
        f"given that others detect {label}",
    )


def ratio_of(numerator: str, denominator: str) -> Effect:
    """Return the effect that compares two samplers: the ratio of their distances."""
    return lambda e: e.ratio(numerator, denominator)


def lead_of(run: str, rival: str, row: str, attack: str) -> Effect:
    """Return the effect that compares two detectors: the difference of their AUROCs, in points."""
    return lambda e: e.lead(run, rival, row, attack)


def area_of(run: str, row: str, attack: str) -> Effect:
    """Return the effect that is a detector's AUROC, in points."""
    return lambda e: e.auroc(run, row, attack)
