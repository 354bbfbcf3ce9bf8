"""Provide what all tables share: measured columns beside published ones, and their files."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import pandas as pd

from ..utils.files import atomic, write_text
from ..utils.markdown import plain
from .records import Record, extractor_of, interval, of

SCORES = ("measured_is", "measured_is_ci95")
MEASURED = (
    "measured_distance",
    "measured_distance_ci95",
    "difference",
    "metric",
    "extractor",
    "weights",
    "data",
    "scale",
    "n_samples",
    "seeds",
)
COLUMNS = {"inception_score": "is", "frechet": "distance"}  # another metric's column has the metric's name
IN_WORDS = ("class_shares",)  # metrics that only captions state
HERE = "AT-EBM, measured here"  # the paper's method on stand-in data, which has no row in a published table


@dataclass(frozen=True)
class Row:
    """The measurements for one row of a table."""

    names: dict[str, str]  # the columns that identify the row; published names if the data are the paper's
    records: list[Record]  # one for each metric and seed
    data: str  # the data that the model learnt, or that the set was compared with
    weights: str = ""  # who trained the model; empty if there is none


def compared(frame: pd.DataFrame, rows: Sequence[Row], scale: str, scores: bool = False) -> pd.DataFrame:
    """Add measured columns to a published table; rows without a published counterpart come last.

    Measured columns hold the mean over seeds and half of a 95 % interval. Where both are FID of as many images,
    `difference` is the measured value minus published_fid. The distance of a set with another number of images than the
    samples is another metric; it and KID have columns of their own. Cells that were not measured or not published are
    empty. `scores` adds columns of the Inception Score.
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
        for column, value in (values | {"data": row.data, "weights": row.weights, "scale": scale}).items():
            frame.loc[index, column] = value
    return frame.fillna("")


def measured(records: Sequence[Record], n: int) -> dict[str, Any]:
    """Return the measured columns of one row; `n` is the number of samples that the distance needs."""
    distances = of(records, "frechet")
    images = distances[0]["n_samples"]
    columns = COLUMNS if images == n else COLUMNS | {"frechet": f"distance_of_{images}_images"}
    metrics = dict.fromkeys([*COLUMNS, *(record["metric"] for record in records if record["metric"] not in IN_WORDS)])
    found = {f"measured_{columns.get(name, name)}": mine for name in metrics if (mine := of(records, name))}
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
    """Return the measured minus the published value if both are FID; else {}."""
    distances = of(records, "frechet")
    if not fid or distances[0]["standin"]:
        return {}
    return {"difference": f"{mean(record['value'] for record in distances) - float(fid):+.4g}"}


def with_intervals(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the measured columns for a page, with cells like "69.01 ± 3.2", under headings for readers.

    Distances of other numbers of images share one column, whose cells give the number. The headings of a stand-in's
    numbers say that they are a stand-in's.
    """
    shown = pd.DataFrame(index=frame.index)
    standin = frame["metric"].str.contains("stand-in").any()
    names = {"is": "stand-in score", "distance": "stand-in distance"} if standin else {"is": "IS", "distance": "FID"}
    for column in map(str, frame):
        if f"{column}_ci95" not in frame:
            continue
        name = column.removeprefix("measured_").replace("_", " ")
        suffix = " ± " + frame[f"{column}_ci95"]
        if other := re.fullmatch(r"distance of (\d+) images", name):
            page = f"{names['distance']} of another number of images, measured"
            suffix += f" ({other[1]} images)"
        else:
            page = f"{names.get(name, name.upper())}, measured"
        cells = frame[column] + suffix.where(frame[column] != "", "")
        shown[page] = shown[page] + cells if page in shown else cells
    return shown


def differences(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the column `difference` for a page; no column if it is empty."""
    shown = frame[["difference"]].rename(columns={"difference": "FID, measured minus published"})
    return shown if (frame["difference"] != "").any() else shown[[]]


def scientific(number: float) -> str:
    """Return a number as the paper prints learning rates, "5e-4"."""
    return np.format_float_scientific(number, trim="-", exp_digits=1)


def write_table(frame: pd.DataFrame, shown: pd.DataFrame, out: Path, caption: str) -> None:
    """Write a whole table as `out` (.csv), and the part that fits a page, with a caption, as .md beside it."""
    with atomic(out) as temporary:
        frame.to_csv(temporary, index=False)
    write_text(out.with_suffix(".md"), markdown_of(shown, caption))


def markdown_of(shown: pd.DataFrame, caption: str) -> str:
    """Return a table under its caption in Markdown, with every cell escaped to plain text."""
    shown = shown.rename(columns=plain).map(lambda value: plain(value) if isinstance(value, str) else value)
    table = shown.to_markdown(index=False, disable_numparse=True)
    return f"{plain(caption)}\n\n{table}\n"
