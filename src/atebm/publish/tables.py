"""Tables for the page: read from results/*.md, whose columns were chosen for readers, and from small .csv files."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from ..utils.errors import ResultError

NUMBER = re.compile(r"[-+]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?", re.IGNORECASE)
INTERVAL = re.compile(r"^([-+\d.,e]+) (\[[^\]]+\]|± \S+)")
MARKED = re.compile(
    r"`(?P<code>[^`]+)`|\*\*(?P<bold>[^*]+)\*\*"
    r"|\bFigs?\. (?P<figure>S?\d+)|\bTables? (?P<table>S?\d+)|\bSec\. 5\.3"
)


@dataclass(frozen=True)
class Cell:
    html: Markup
    key: str  # what the column is sorted by: the number that the cell begins with, or its text


@dataclass(frozen=True)
class Column:
    name: str
    kind: str  # "published", "measured" or neither
    numeric: bool


@dataclass(frozen=True)
class Table:
    columns: list[Column]
    rows: list[list[Cell]]


def of_markdown(path: Path, anchors: Iterable[str] = ()) -> tuple[str, Table]:
    """Caption and table of a rendered results/<id>.md.

    Raises ResultError where its rows are not as long as its head.
    """
    caption, _, below = path.read_text(encoding="utf-8").partition("\n\n")
    head, _, *rows = ([cell.strip() for cell in line.strip()[1:-1].split("|")] for line in below.strip().splitlines())
    if any(len(row) != len(head) for row in rows):
        raise ResultError(
            f"{path}: a cell holds a '|', so its columns cannot be told apart; take it out and draw again."
        )
    return caption, table(head, rows, anchors)


def of_numbers(path: Path, most: int) -> Table | None:
    """A .csv as a table; None where it has more than `most` rows, or no columns that fit beside each other."""
    frame = pd.read_csv(path)
    if not 0 < len(frame) <= most or len(frame.columns) > 12:
        return None
    shown = frame.map(short)
    return table([str(name).replace("_", " ") for name in frame], shown.to_numpy().tolist())


def short(value: Any) -> str:
    return "" if pd.isna(value) else f"{value:.4g}" if isinstance(value, float) else str(value)


def table(head: list[str], rows: list[list[str]], anchors: Iterable[str] = ()) -> Table:
    cells = [[Cell(with_interval(text, anchors), key(text)) for text in row] for row in rows]
    columns = [Column(name, kind(name), is_numeric([row[index] for row in rows])) for index, name in enumerate(head)]
    return Table(columns, cells)


def kind(name: str) -> str:
    """Whose the numbers of a column are, by its name: "FID, published", "measured_fid"."""
    words = re.findall(r"[a-z]+", name.lower())
    return next((word for word in ("published", "measured") if word in words), "")


def number(text: str) -> float | None:
    """The number that a cell begins with, as "59.51 ± 6.9" and "**1,792**" do; None where it begins otherwise."""
    found = NUMBER.match(text.lstrip("*` "))
    return float(found[0].replace(",", "")) if found else None


def key(text: str) -> str:
    value = number(text)
    return text.strip("*` ").lower() if value is None else repr(value)


def is_numeric(texts: list[str]) -> bool:
    """Whether most cells of a column that hold something begin with a number."""
    filled = [text for text in texts if text]
    return bool(filled) and 2 * sum(number(text) is not None for text in filled) > len(filled)


def inline(text: str, anchors: Iterable[str] = ()) -> Markup:
    """Text with `code` and **bold** as HTML, and what names one of the artifacts `anchors` as a link to it."""
    parts: list[str] = []
    end = 0
    for found in MARKED.finditer(text):
        parts += [text[end : found.start()], marked(found, anchors)]
        end = found.end()
    return Markup("").join([*parts, text[end:]])  # which escapes what is no Markup


def marked(found: re.Match[str], anchors: Iterable[str]) -> str:
    if found["code"]:
        return Markup("<code>{}</code>").format(found["code"])
    if found["bold"]:
        return Markup("<strong>{}</strong>").format(found["bold"])
    target = f"fig{found['figure']}" if found["figure"] else f"table{found['table']}" if found["table"] else "stability"
    return Markup('<a href="#{}">{}</a>').format(target, found[0]) if target in anchors else found[0]


def with_interval(text: str, anchors: Iterable[str] = ()) -> Markup:
    """A cell; where it begins with a number and its interval, the latter is marked, so that neither is broken."""
    if found := INTERVAL.match(text):
        rest = inline(text[found.end() :], anchors)
        return Markup('{} <span class="interval">{}</span>{}').format(found[1], found[2], rest)
    return inline(text, anchors)
