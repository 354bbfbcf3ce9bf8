"""The authors' released checkpoints. Apart from energy/released.py, which reads them and needs torch: plans ask too."""

import csv
from functools import cache
from pathlib import Path

TABLE = Path(__file__).resolve().parents[2] / "data/published/released_weights.csv"


@cache
def releases() -> dict[str, dict[str, str]]:
    """By run or pre-training of config.yaml: file, bytes, sha256 and source of its released checkpoint."""
    with TABLE.open(newline="", encoding="utf-8") as table:
        return {row["task"]: row for row in csv.DictReader(table)}
