"""The authors' released checkpoints. Apart from models/released.py, which reads them and needs torch: plans ask too."""

import csv
from functools import cache

from ..utils.files import of_checkout, repository

TABLE = repository() / "data/published/released_weights.csv"


@cache
def releases() -> dict[str, dict[str, str]]:
    """By run or pre-training of config.yaml: file, bytes, sha256 and source of its released checkpoint."""
    table = of_checkout(TABLE).splitlines()
    return {row["task"]: row for row in csv.DictReader(table)}
