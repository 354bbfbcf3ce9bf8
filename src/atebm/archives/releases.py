"""The list of the authors' released checkpoints.

This module is separate from models/released.py, which reads the checkpoints and needs torch: plans need only the list.
"""

import csv
from functools import cache

from ..utils.files import of_checkout, repository

TABLE = repository() / "data/published/released_weights.csv"


@cache
def releases() -> dict[str, dict[str, str]]:
    """Return file, bytes, sha256 and source of each released checkpoint, by run or pre-training of config.yaml."""
    table = of_checkout(TABLE).splitlines()
    return {row["task"]: row for row in csv.DictReader(table)}
