"""Whether a checkout lies where its tools can work: `python -m atebm.maintenance.place` ends with a sentence if not."""

import sys
from pathlib import Path

# Snakemake takes what stands in braces for a name, and a colon ends a folder in PATH and PYTHONPATH.
IMPOSSIBLE = frozenset("{}:")


def unfit(checkout: Path) -> str | None:
    """Return what is to be said of a checkout at a path that cannot work; None of all others."""
    found = " and ".join(repr(character) for character in sorted(IMPOSSIBLE.intersection(str(checkout))))
    if not found:
        return None
    return f"{checkout}: Snakemake and Python cannot work where a path has {found}: move the checkout elsewhere."


if __name__ == "__main__":
    if said := unfit(Path.cwd()):
        sys.exit(f"error: {said}")
