"""Check that tools can work at a checkout's path; `python -m atebm.maintenance.place` ends with a message if not."""

import sys
from pathlib import Path

# Snakemake replaces names in braces, and a colon separates folders in PATH and PYTHONPATH.
IMPOSSIBLE = frozenset("{}:")


def unfit(checkout: Path) -> str | None:
    """Return an error message if a checkout's path cannot work; else None."""
    found = " and ".join(repr(character) for character in sorted(IMPOSSIBLE.intersection(str(checkout))))
    if not found:
        return None
    return f"{checkout}: Snakemake and Python cannot work in a path with {found}: move the checkout elsewhere."


if __name__ == "__main__":
    if said := unfit(Path.cwd()):
        sys.exit(f"error: {said}")
