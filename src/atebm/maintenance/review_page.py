"""Write the part of docs/howto/artifact-review.md on each claim: its command, its minutes, and what to see."""

import json
from pathlib import Path
from typing import Any

import pandas as pd

from ..pipeline.artifacts import ARTIFACTS, target
from ..pipeline.naming import labels_in
from ..provenance.manifest import minutes, words_of
from ..utils.files import of_checkout
from .evidence_pages import board_of, markdown

UP = "../../"  # from a page in a folder of docs/ to the repository's root
BOARD = "results/scales/board/claims.csv"


def review(results: Path) -> str:
    """Return Markdown: for each figure and table that claims are about, its command, minutes, and what to look for."""
    manifest = json.loads(of_checkout(results / "manifest.json"))
    frame = board_of(results)
    frame = frame[frame["test"] != ""]
    named = {artifact.label: name for name, artifact in ARTIFACTS.items()}
    first = frame["place"].map(lambda place: next(iter([*filter(named.get, labels_in(place)), ""])))
    parts = [
        section(name, claims, manifest, results)
        for label, name in named.items()
        if len(claims := frame[first == label])
    ]
    others = frame[first == ""]
    alone = [
        "### Claims without a figure or table",
        f"Command: `snakemake --cores all {BOARD} --config scale=board`, which takes hours.",
        table(others),
    ]
    return "\n\n".join([*parts, *(alone if len(others) else [])])


def section(name: str, claims: pd.DataFrame, manifest: dict[str, Any], results: Path) -> str:
    """Return Markdown on the claims that name an artifact."""
    file, words = target(name), words_of(name, results)
    published = f" The paper has: {words['published']}." if words["published"] else ""
    return "\n\n".join(
        [
            f"### {ARTIFACTS[name].label}",
            f"{manifest['artifacts'][name]['title'].partition(': ')[2]}.",
            f"Command: `snakemake --cores all {file}`, {minutes(manifest, name):.0f} minutes on one core.",
            f"To see: [`{file}`]({UP}{file}) and [its page]({UP}results/notebooks/{name}.ipynb). "
            f"In the committed results: {words['headline']}.{published}",
            table(claims),
        ]
    )


def table(claims: pd.DataFrame) -> str:
    """Return a Markdown table of claims, and of what each test looks for."""
    return markdown(claims[["claim", "data", "test"]].set_axis(["claim", "on", "what to see, in each seed"], axis=1))
