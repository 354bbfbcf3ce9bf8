"""Tables that a training leaves."""

import csv
from pathlib import Path
from typing import Any

from ..utils.files import atomic


def write_csv(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write rows of the same keys as a table; without a row, the header names the iteration alone."""
    with atomic(path) as temporary, temporary.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0] if rows else ["iteration"])
        writer.writeheader()
        writer.writerows(rows)
