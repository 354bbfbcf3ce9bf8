"""Generate the documentation's sections on verdicts from the registry and claims.csv."""

import re
from collections import Counter
from pathlib import Path

import pandas as pd

from ..pipeline.evidence import TIERS
from ..provenance.manifest import evidence
from ..report.claims.registry import registry
from ..report.claims.reproduced import LEAST, rules
from ..report.verdicts import (
    FAILS,
    HOLDS,
    LEAST_SEEDS,
    NO_DIFFERENCE,
    NOT_RUN,
    NOT_TESTABLE,
    TOO_EASY,
    UNDECIDED,
    VERDICTS,
    counted,
    sensitivity,
)

TITLES = {"table2": "Table 2", "table3": "Table 3", "table4": "Table 4", "tableS7": "Table S7", "tableS8": "Table S8"}


def board_of(results: Path) -> pd.DataFrame:
    """Return the committed claims board, that of the board scale if there is one; only `seeds` is a number."""
    return pd.read_csv(evidence(results) / "claims.csv", dtype=str, keep_default_na=False).astype({"seeds": int})


def few(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the claims that have values but too few seeds for a verdict."""
    return frame[~frame["verdict"].isin([*VERDICTS, NOT_RUN, NOT_TESTABLE])]


def verdicts(results: Path) -> str:
    """Return Markdown: the number of claims of each family by verdict, and the claims that fail or are undecided."""
    frame = board_of(results)
    lines = [
        f"- **{family}**, {len(claims)} claims: {counted(claims)};"
        for family, claims in frame.groupby("family", sort=False)
    ]
    for verdict in (FAILS, UNDECIDED):
        named = "; ".join(f"{row.claim} ({row.data})" for row in frame[frame["verdict"] == verdict].itertuples())
        lines += [f"- **{verdict}**: {named};"] if named else []
    standings = few(frame)["verdict"]
    if outside := sum(not all_inside(standing) for standing in standings):
        words = f"{len(standings)} claims, {outside} of them outside their bounds in some seed"
        lines.append(f"- **fewer than {LEAST_SEEDS} seeds, so no verdict**: {words};")
    return "\n".join(lines).removesuffix(";") + "."


def all_inside(standing: str) -> bool:
    """Return whether k equals n in "inside in k of n"."""
    k, _, n = standing.removeprefix("inside in ").partition(" of ")
    return k == n


def negative(results: Path) -> str:
    """Return Markdown: the claims that differ from the paper, could not be decided, or were not run, with numbers."""
    frame = board_of(results)
    mixed = few(frame)
    sections = {
        "Fails": frame[frame["verdict"] == FAILS],
        "No difference that matters": frame[frame["verdict"] == NO_DIFFERENCE],
        "Undecided": frame[frame["verdict"] == UNDECIDED],
        "Too easy here": frame[frame["verdict"] == TOO_EASY],
        "Holds, but is fragile": frame[(frame["verdict"] == HOLDS) & (frame["fragile"] != "")],
        f"Fewer than {LEAST_SEEDS} seeds, outside the bounds in some seed": mixed[~mixed["verdict"].map(all_inside)],
        "Not run": frame[frame["verdict"] == NOT_RUN],
        "Not testable here": frame[frame["verdict"] == NOT_TESTABLE],
    }
    parts = [f"At the {frame['scale'].iloc[0]} scale: {counted(frame)}."]
    for title, rows in sections.items():
        parts += [f"## {title}", listed(rows)]
    return "\n\n".join(parts)


def listed(rows: pd.DataFrame) -> str:
    """Return a Markdown table of claims with their numbers; "None." if there are none."""
    if rows.empty:
        return "None."
    why = rows["fragile"].where(rows["fragile"] == "", "fragile: " + rows["fragile"] + "; ") + rows["reason"]
    shown = pd.DataFrame(
        {
            "claim": rows["claim"],
            "data": rows["data"],
            "place": rows["place"],
            "tested": rows["test"],
            "effect": (rows["effect"] + " " + rows["unit"].where(rows["effect"] != "", "")).str.strip(),
            "verdict": rows["verdict"],
            "reason or note": why,
        }
    )
    kept = shown.loc[:, (shown != "").any()]
    return markdown(kept)


def scope(results: Path) -> str:
    """Return Markdown: how many sentences of each part of the paper have a test, numbers and a verdict."""
    frame, claims = board_of(results), registry()
    place = {claim.id: part_of(claim.place) for claim in claims}
    tested = {claim.id for claim in claims if claim.parts}
    frame = frame.assign(part=frame["id"].map(place), tested=frame["id"].isin(tested), ran=frame["seeds"] > 0)
    frame = frame.assign(decided=frame["verdict"].isin(VERDICTS))
    rows = frame.groupby("part", sort=False).agg(
        sentences=("id", "size"), tested=("tested", "sum"), ran=("ran", "sum"), decided=("decided", "sum")
    )
    rows.columns = ["sentences", "with a test", "with numbers here", "with a verdict"]
    return markdown(rows.rename_axis("part of the paper").reset_index())


def part_of(place: str) -> str:
    """Return the part of the paper where a claim stands first, "Sec. 4.4"."""
    return place.partition(",")[0].partition(";")[0]


def outcomes(results: Path) -> str:
    """Return Markdown: every claim with numbers, its effect and its verdict; then the changes of verdicts."""
    frame = board_of(results)
    ran = frame[frame["seeds"] > 0]
    table = pd.DataFrame(
        {name: ran[name] for name in ("claim", "data", "effect", "unit", "seeds", "verdict", "fragile")}
    )
    changes = sensitivity(frame)
    return "\n\n".join(
        [
            markdown(table),
            "Verdicts that change under the sign test, without one seed, or with another extractor:",
            markdown(changes) if len(changes) else "None.",
        ]
    )


def reproduction() -> str:
    """Return Markdown: the rule that decides whether each published number counts as reproduced."""
    frame = rules()
    frame["table"] = frame["table"].map(TITLES)
    within = "± " + frame["within"] + (" " + frame["unit"]).str.rstrip()
    shown = frame[["table", "row", "number", "published"]].assign(within=within, reason=frame["reason"])
    shown.columns = [
        "table",
        "row",
        "number",
        "published",
        f"mean of at least {LEAST} seeds within",
        "reason for this margin",
    ]
    return markdown(shown)


def design() -> str:
    """Return Markdown: the number of seeds of each tier of claims."""
    tiers = Counter(claim.needed.tier for claim in registry() if claim.parts)
    return "\n".join(f"- tier {tier}: {TIERS[tier]} seeds, {tiers[tier]} claims" for tier in sorted(tiers))


def markdown(frame: pd.DataFrame) -> str:
    """Return a table without the spaces that align columns, so a changed cell changes only its own line."""
    text = frame.to_markdown(index=False, disable_numparse=True)
    return re.sub(r"-{4,}", "---", re.sub(r" {2,}", " ", text))
