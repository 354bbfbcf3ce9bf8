"""The paper's own numbers, data/published/*.csv: the only numbers that nobody here computed."""

import pandas as pd

from ..utils.files import repository

PUBLISHED = repository() / "data/published"


def published(artifact: str) -> pd.DataFrame:
    """Return the rows of a published table, as text, so that 9.10 stays 9.10; what the paper leaves out is empty."""
    return pd.read_csv(PUBLISHED / f"{artifact}.csv", dtype=str, keep_default_na=False)
