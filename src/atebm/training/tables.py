"""Write the tables of a training."""

import csv
from pathlib import Path
from typing import Any

from ..utils.files import atomic


def write_csv(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write rows with equal keys as a table; without rows, the header has only the iteration."""
    with atomic(path) as temporary, temporary.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0] if rows else ["iteration"])
        writer.writeheader()
        writer.writerows(rows)
