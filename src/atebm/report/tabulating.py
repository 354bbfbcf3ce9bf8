"""What all tables share: choosing records, their intervals, measured beside published, and their files."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import pandas as pd

from ..files import atomic, write_text
from ..markdown import plain
from ..metrics.intervals import t_half_width
from .published import published

Record = dict[str, Any]  # a metric.json

SCORES = ("measured_is", "measured_is_ci95")
MEASURED = (
    "measured_distance",
    "measured_distance_ci95",
    "difference",
    "agrees",
    "metric",
    "extractor",
    "data",
    "scale",
    "n_samples",
    "seeds",
)
NAMES = {"is": "score", "kid": "KID"}  # of measured columns, for a page


@dataclass(frozen=True)
class Row:
    """What was measured for one row of a table."""

    names: dict[str, str]  # the columns that tell it from others, as they are published
    records: list[Record]  # one of each metric for each seed
    data: str  # what the images were


def compared(frame: pd.DataFrame, rows: Sequence[Row], scale: str, scores: bool = False) -> pd.DataFrame:
    """The rows of a published table with measured columns; what nothing was published for comes last.

    Measured columns hold the mean over seeds and half of a 95 % interval. Where both are FID of as many images,
    `difference` is measured less published_fid, and `agrees` says whether it is within `tolerance`. The distance of a
    set with another number of images than our samples, another metric than theirs, and KID have columns of their own.
    What was not measured, or not published, is empty. `scores` adds columns of the Inception Score.
    """
    columns = [*frame.columns, *(SCORES if scores else ()), *MEASURED]
    frame = frame.reindex(columns=columns).astype(object).fillna("")
    (n,) = {record["n_samples"] for row in rows for record in of(row.records, "frechet") if "run" in record["images"]}
    for row in rows:
        same = (frame[list(row.names)] == pd.Series(row.names)).all(axis=1)
        index = int(same.argmax()) if same.any() else len(frame)
        values = row.names | measured(row.records, n)
        if "measured_distance" in values:
            values |= difference(row.records, frame["published_fid"].get(index, ""))
        for column, value in (values | {"data": row.data, "scale": scale}).items():
            frame.loc[index, column] = value
    return frame.fillna("")


def measured(records: Sequence[Record], n: int) -> dict[str, Any]:
    """The measured columns of one row, of those metrics that it has; `n` images are our samples."""
    scores, distances, kids = (of(records, metric) for metric in ("inception_score", "frechet", "kid"))
    images = distances[0]["n_samples"]
    distance = "measured_distance" if images == n else f"measured_distance_of_{images}_images"
    found = {
        column: mine
        for column, mine in zip(("measured_is", distance, "measured_kid"), (scores, distances, kids), strict=True)
        if mine
    }
    values: dict[str, Any] = {}
    for column, mine in found.items():
        values[column] = f"{mean(record['value'] for record in mine):.4g}"
        values[f"{column}_ci95"] = f"{interval(mine):.2g}"
    return values | {
        "metric": "; ".join(mine[0]["name"] for mine in found.values()),
        "extractor": extractor_of(distances[0]),
        "n_samples": images,
        "seeds": len(distances),
    }


def difference(records: Sequence[Record], fid: str) -> dict[str, str]:
    """Measured less published, and whether that is within `tolerance`, where both are FID."""
    distances = of(records, "frechet")
    if not fid or distances[0]["standin"]:
        return {}
    less = mean(record["value"] for record in distances) - float(fid)
    return {"difference": f"{less:+.4g}", "agrees": "yes" if abs(less) <= tolerance() * float(fid) else "no"}


def tolerance() -> float:
    """How far the paper is from itself, relatively: its FID of one model and sampler in Table 3 and in Table S7."""
    theirs = published("table3").query("dataset == 'CelebA-HQ 256' and approach == 'Ours'")
    again = published("tableS7").query("dataset == 'CelebA-HQ 256' and sampler == '20 x 8.0'")
    return abs(float(again["fid"].item()) / float(theirs["fid"].item()) - 1)


def of(metrics: Sequence[Record], metric: str | None = None, **images: Any) -> list[Record]:
    """The records of one metric (of any by default) whose images are described by the fields, such as run="cifar10"."""
    described = (record for record in metrics if images.items() <= record["images"].items())
    return [record for record in described if metric in (None, record["metric"])]


def extractor_of(record: Record) -> str:
    """Name and beginning of the sha256 of the extractor behind a number."""
    return f"{record['extractor']['extractor']} {record['extractor']['sha256'][:12]}"


def interval(records: Sequence[Record]) -> float:
    """Half of a 95 % interval: of the mean over seeds where there are several, else as the metric itself states it."""
    return t_half_width([record["value"] for record in records]) if len(records) > 1 else records[0]["ci95"]


def with_intervals(frame: pd.DataFrame) -> pd.DataFrame:
    """The measured columns for a page, "69.01 ± 3.2", empty where they are, under names for a page.

    Those of distances of other numbers of images become one, whose cells say how many.
    """
    shown = pd.DataFrame(index=frame.index)
    for column in map(str, frame):
        if f"{column}_ci95" not in frame:
            continue
        name = column.removeprefix("measured_").replace("_", " ")
        suffix = " ± " + frame[f"{column}_ci95"]
        if fewer := re.fullmatch(r"distance of (\d+) images", name):
            name, suffix = "distance of fewer images", suffix + f" (of {fewer[1]})"
        page = f"{NAMES.get(name, name)}, measured"
        cells = frame[column] + suffix.where(frame[column] != "", "")
        shown[page] = shown[page] + cells if page in shown else cells
    return shown


def differences(frame: pd.DataFrame) -> pd.DataFrame:
    """The columns of `difference` for a page, none where there is none."""
    columns = {"difference": "difference of FID", "agrees": f"within the paper's own {100 * tolerance():.1f} %"}
    shown = frame[list(columns)].rename(columns=columns)
    return shown if (frame["difference"] != "").any() else shown[[]]


def write_table(frame: pd.DataFrame, shown: pd.DataFrame, out: Path, caption: str) -> None:
    """All of a table as `out` (.csv), and what fits a page, with a caption, as .md beside it."""
    with atomic(out) as temporary:
        frame.to_csv(temporary, index=False)
    shown = shown.rename(columns=plain).map(lambda value: plain(value) if isinstance(value, str) else value)
    table = shown.to_markdown(index=False, disable_numparse=True)
    write_text(out.with_suffix(".md"), f"{plain(caption)}\n\n{table}\n")
