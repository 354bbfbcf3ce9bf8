"""Prepare a card for every figure and table on the overview, grouped by the data that they really show."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..pipeline.artifacts import ARTIFACTS, PAPER_WORDS
from ..pipeline.naming import labelled
from ..provenance.manifest import ancestry, words_of
from .board import Claim, tally
from .pictures import Picture, sized, thumbnail

SEVERAL, PLANE, SOURCES, SETTINGS = "several of these", "points in the plane", "source images", "settings only"
CLAIMS = "all claims"
NO_SET = (SEVERAL, PLANE, SOURCES, SETTINGS, CLAIMS)
IN_PLANE = {"toy", "minimax"}  # kinds of step
LEARNING = ("train/", "check/")  # steps whose p_data counts: other steps only examine trained models


@dataclass(frozen=True)
class Card:
    """A figure or table; addresses are relative to the overview."""

    id: str
    label: str  # "Fig. 7"
    title: str
    measured: str  # the artifact's headline
    page: str  # "" if it was not drawn
    picture: Picture | None
    verdicts: dict[str, int]  # numbers of claims whose place in the paper names the artifact, by verdict


def groups_of(results: Path, manifest: dict[str, Any], claims: Iterable[Claim]) -> dict[str, list[Card]]:
    """Return the cards of all artifacts by their data: first those with one data set, then with several or none."""
    names = [name for name in ARTIFACTS if is_drawn(name, results, manifest)]
    data = {name: data_of(name, results, manifest) for name in names}
    found = Counter(words for words in data.values() if words not in NO_SET)
    groups: dict[str, list[Card]] = {words: [] for words in (*(words for words, _ in found.most_common()), *NO_SET)}
    for name in names:
        groups[data[name]].append(card(name, results, manifest, claims))
    missing = [card(name, results, manifest, claims) for name in ARTIFACTS if name not in names]
    return {words: cards for words, cards in {**groups, "not drawn": missing}.items() if cards}


def is_drawn(name: str, results: Path, manifest: dict[str, Any]) -> bool:
    """Return whether an artifact is drawn, according to the manifest or because it was drawn on request."""
    return name in manifest["artifacts"] or (results / f"provenance/{name}.json").exists()


def card(name: str, results: Path, manifest: dict[str, Any], claims: Iterable[Claim]) -> Card:
    """Return the card of an artifact."""
    label, _, title = ARTIFACTS[name].titled(PAPER_WORDS).partition(": ")
    drawn = is_drawn(name, results, manifest)
    if drawn:
        label, _, title = request_of(name, results)["title"].partition(": ")
    return Card(
        id=name,
        label=label,
        title=title,
        measured=words_of(name, results)["headline"] if drawn else "",
        page=f"notebooks/{name}.html" if drawn else "",
        picture=sized(results, thumbnail(name)),
        verdicts=tally(claim for claim in claims if name in claim.artifacts and claim.seeds),
    )


def request_of(name: str, results: Path) -> dict[str, Any]:
    """Return the request that a rendering was drawn for."""
    request: dict[str, Any] = json.loads((results / f"provenance/{name}.json").read_text(encoding="utf-8"))["request"]
    return request


def data_of(name: str, results: Path, manifest: dict[str, Any]) -> str:
    """Return the data of the models that an artifact shows, "digits (for SVHN)", or one of NO_SET."""
    if ARTIFACTS[name].on_request:
        return CLAIMS
    if name not in manifest["artifacts"]:  # drawn on request: the manifest knows nothing of what is behind it
        return SEVERAL
    request, behind = request_of(name, results), ancestry(manifest, name)
    parents = [manifest["steps"][step]["parents"] for step in behind if step.startswith(LEARNING)]
    sets = {roles["p_data"]["step"].removeprefix("data/").rpartition("-")[0] for roles in parents if "p_data" in roles}
    if len(sets) == 1:
        (used,) = sets
        paper = [task["title"] for task in request["tasks"].values() if task["p_data"] == used]
        return labelled(request["sets"].get(used, used), paper[0]) if paper else used
    kinds = {step.partition("/")[0] for step in behind}
    return SEVERAL if sets else PLANE if kinds & IN_PLANE else SOURCES if "data" in kinds else SETTINGS
