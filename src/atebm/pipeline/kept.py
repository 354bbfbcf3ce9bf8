"""Describe the copies in git that renderings are drawn from: results/numbers/<kind>/<id>/, in each folder of results.

For each step that an artifact needs, git keeps its record, its spec, the files that drawing read and, of arrays, the
rows that it read. What was read is noted during drawing and listed in results/provenance/<artifact>.json under
"numbers", so a new figure has nothing to declare.
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from .job import record_file
from .kinds import FILES

RESULTS = "results"  # the folder of results; those of other scales are in results/scales/<name>/
NUMBERS = "numbers"  # the folder of the copies, in a folder of results
SPEC = "spec.json"  # in the folder of a step, beside copies of the step's own files
EXCERPTS = "excerpts.json"  # in the same folder, sealed: the checksum of each excerpt and of its array
Reads = dict[str, str]  # by file of a step, the rows that were read of an array, "0-23 40"; "" for a whole file
Listing = dict[str, Reads]  # by step, "metric/<id>"


def folders_of_results(root: Path) -> list[Path]:
    """Return results/ of a checkout and the folders in results/scales/."""
    return [root / RESULTS, *sorted(path for path in (root / RESULTS / "scales").glob("*") if path.is_dir())]


def is_beside(results: Path) -> bool:
    """Return whether a folder of results lies in results/scales/, whose pages are not in git."""
    return results.parent.name == "scales"


def excerpt_name(file: str) -> str:
    """Return the name of the file that keeps rows of an array: images.rows.npz for images.npy."""
    return f"{file.removesuffix('.npy')}.rows.npz"


def is_array(file: str) -> bool:
    return file.endswith(".npy")


def files_of(step: str, reads: Reads) -> Iterator[str]:
    """Yield the files in results/numbers/ that keep what was read of a step, "kind/id"."""
    kind = step.partition("/")[0]
    yield f"{step}/{SPEC}"
    yield f"{step}/{FILES[kind][-1]}"
    yield from (f"{step}/{excerpt_name(file) if is_array(file) else file}" for file in reads)
    if any(map(is_array, reads)):
        yield f"{step}/{EXCERPTS}"


def listed_files(listings: Iterable[Listing]) -> set[str]:
    """Return all files in results/numbers/ that some listings need."""
    return {name for listing in listings for step, reads in listing.items() for name in files_of(step, reads)}


def listing_in(path: Path) -> Listing | None:
    """Return the listing in results/provenance/<artifact>.json or a similar file; None if it has none."""
    try:
        found: Listing = json.loads(path.read_text(encoding="utf-8"))["numbers"]
        listed_files([found])  # fails if it is not a listing
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return found


def is_kept(results: Path, listing: Listing | None) -> bool:
    """Return whether results/numbers/ has every file that a rendering was drawn from."""
    return listing is not None and all((results / NUMBERS / name).exists() for name in listed_files([listing]))


def place_of(folder: Path, kept: Path | None) -> Path:
    """Return the folder where a step's files are read: work/<kind>/<id> if computed here, else that of the copies."""
    if kept is None or record_file(folder).exists() or not record_file(kept).exists():
        return folder
    return kept


def excerpts_in(folder: Path) -> dict[str, dict[str, Any]]:
    """Return, by array, the description of the excerpts in results/numbers/<kind>/<id>/.

    It has "rows", "sha256" of the excerpt and, under "of", the recorded sha256 of the array.
    """
    try:
        files: dict[str, dict[str, Any]] = json.loads((folder / EXCERPTS).read_text(encoding="utf-8"))["files"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return files
