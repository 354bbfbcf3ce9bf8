"""Read the paper's own numbers, data/published/*.csv: the only numbers that were not computed here."""

import pandas as pd

from ..utils.files import repository

PUBLISHED = repository() / "data/published"


def published(artifact: str) -> pd.DataFrame:
    """Return the rows of a published table as text, so 9.10 stays 9.10; cells that the paper leaves out are empty."""
    return pd.read_csv(PUBLISHED / f"{artifact}.csv", dtype=str, keep_default_na=False)
