"""Compute the effects of all claims, per seed, from the results of steps."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ..needs import Needs
from ..records import extractor_of
from ..verdicts import EFFECT, LESSER, BySeed, Measured
from .claim import Claim
from .evidence import Evidence, NotRunError

COLUMNS = ["id", "part", "ruler", "seed", EFFECT, LESSER]
OWN = ""  # the board's own extractor, among rulers


@dataclass(frozen=True)
class Effects:
    """The claims' effects in a table, with facts about how they were computed."""

    table: pd.DataFrame  # COLUMNS; `part` counts a claim's parts from 0
    facts: Mapping[str, Any]

    @property
    def rulers(self) -> list[str]:
        """Return the other extractors with which some distance was measured."""
        return sorted(set(self.table["ruler"]) - {OWN})

    def tested(self, claim: Claim, ruler: str = OWN) -> Measured:
        """Return a claim's effects, measured with another extractor if possible, else with the board's own."""
        mine = self.table[self.table["id"] == claim.id]
        measured = mine[mine["ruler"] == ruler]
        by_part = dict(list((measured if len(measured) else mine[mine["ruler"] == OWN]).groupby("part")))
        if set(by_part) != set(range(len(claim.parts))):
            return Measured(claim.family)
        effects = (by_part[number].set_index("seed")[[EFFECT, LESSER]] for number in range(len(claim.parts)))
        return Measured(claim.family, tuple(zip((part.bound for part in claim.parts), effects, strict=True)))

    def missing(self, claim: Claim) -> str:
        """Return why a claim has no effects."""
        return str(self.facts.get("missing", {}).get(claim.id, "its numbers have not been computed"))


def effects_of(needs: Needs, board: list[Claim]) -> Effects:
    """Return the effects of a board, computed from the results of steps in work/ or their copies."""
    rulers = sorted({role.split("/")[0] for role in needs.under("distance_by")})
    frames, missing = [], {}
    for ruler in (OWN, *rulers):
        evidence = Evidence(needs, ruler)
        for claim in board:
            if ruler != OWN and not any(role.startswith("distance/") for role in claim.needed.roles):
                continue
            try:
                frames += effects_by_part(claim, evidence)
            except NotRunError as error:
                if ruler == OWN:
                    missing[claim.id] = str(error)
    table = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=COLUMNS)
    return Effects(table[COLUMNS], facts_of(needs) | {"missing": missing})


def effects_by_part(claim: Claim, evidence: Evidence) -> list[pd.DataFrame]:
    """Return a frame of COLUMNS for each part of a claim. Raises NotRunError if a part lacks a number."""
    frames = []
    for number, part in enumerate(claim.parts):
        effect = part.effect(evidence)
        frame: BySeed = effect.to_frame(EFFECT) if isinstance(effect, pd.Series) else effect
        frame = frame.reindex(columns=[EFFECT, LESSER]).rename_axis("seed").sort_index().reset_index()
        frames.append(frame.assign(id=claim.id, part=number, ruler=evidence.ruler))
    return frames


def facts_of(needs: Needs) -> dict[str, Any]:
    """Return how effects were computed: the measure, and how long the runs of Sec. 5.3 were trained."""
    facts: dict[str, Any] = {}
    if metrics := needs.records("distance"):
        facts |= {
            "measure": metrics[0]["name"],
            "extractor": extractor_of(metrics[0]),
            "standin": metrics[0]["standin"],
        }
    trainings = needs.runs("train").items()
    return facts | {"iterations": {run: [training.record["iterations"] for training in own] for run, own in trainings}}
