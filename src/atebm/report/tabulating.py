"""What all tables share: choosing records, their intervals, and their files."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ..files import atomic, write_text
from ..metrics.score import t_half_width

Record = dict[str, Any]  # a metric.json


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


def write_table(frame: pd.DataFrame, shown: pd.DataFrame, out: Path, caption: str) -> None:
    """All of a table as `out` (.csv), and what fits a page, with a caption, as .md beside it."""
    with atomic(out) as temporary:
        frame.to_csv(temporary, index=False)
    write_text(out.with_suffix(".md"), f"{caption}\n\n{shown.to_markdown(index=False, disable_numparse=True)}\n")
