"""What renderings are drawn from, as it lies in git: results/numbers/<kind>/<id>/, in each folder of results.

Of each step that an artifact needs: its record and its spec, the files that drawing read of it, and of an array the
rows that it read. What was read is noted while it is drawn, and stands in results/provenance/<artifact>.json under
"numbers", so a new figure has nothing to declare.
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from .job import record_file
from .kinds import FILES

RESULTS = "results"  # the folder in which those of other scales lie, results/scales/<name>/
NUMBERS = "numbers"  # in the folder of results
SPEC = "spec.json"  # in the folder of a step, beside copies of the step's own files
EXCERPTS = "excerpts.json"  # there: sealed, the checksum of each excerpt and of the array that it is of
Reads = dict[str, str]  # by file of a step, the rows that were read of an array, "0-23 40"; "" for a whole file
Listing = dict[str, Reads]  # by step, "metric/<id>"


def folders_of_results(root: Path) -> list[Path]:
    """Return results/ of a checkout, and those that lie beside it in results/scales/."""
    return [root / RESULTS, *sorted(path for path in (root / RESULTS / "scales").glob("*") if path.is_dir())]


def is_beside(results: Path) -> bool:
    """Return whether a folder of results is one of results/scales/, whose pages are not in git."""
    return results.parent.name == "scales"


def excerpt_name(file: str) -> str:
    """Return the file that keeps rows of an array: images.rows.npz of images.npy."""
    return f"{file.removesuffix('.npy')}.rows.npz"


def is_array(file: str) -> bool:
    return file.endswith(".npy")


def files_of(step: str, reads: Reads) -> Iterator[str]:
    """Yield the names of the files in results/numbers/ that keep what was read of a step, "kind/id"."""
    kind = step.partition("/")[0]
    yield f"{step}/{SPEC}"
    yield f"{step}/{FILES[kind][-1]}"
    yield from (f"{step}/{excerpt_name(file) if is_array(file) else file}" for file in reads)
    if any(map(is_array, reads)):
        yield f"{step}/{EXCERPTS}"


def listed_files(listings: Iterable[Listing]) -> set[str]:
    """Return the names of all files in results/numbers/ that some listings want."""
    return {name for listing in listings for step, reads in listing.items() for name in files_of(step, reads)}


def listing_in(path: Path) -> Listing | None:
    """Return the listing in results/provenance/<artifact>.json or a like file; None where it has none."""
    try:
        found: Listing = json.loads(path.read_text(encoding="utf-8"))["numbers"]
        listed_files([found])  # whether it is one
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return found


def is_kept(results: Path, listing: Listing | None) -> bool:
    """Return whether all that a rendering was drawn from lies in results/numbers/."""
    return listing is not None and all((results / NUMBERS / name).exists() for name in listed_files([listing]))


def place_of(folder: Path, kept: Path | None) -> Path:
    """Return where a step's files are read: work/<kind>/<id> if it is computed here, else where it is kept."""
    if kept is None or record_file(folder).exists() or not record_file(kept).exists():
        return folder
    return kept


def excerpts_in(folder: Path) -> dict[str, dict[str, Any]]:
    """Return what the excerpts in results/numbers/<kind>/<id>/ are of, by array: "sha256" of the excerpt, "of"."""
    try:
        files: dict[str, dict[str, Any]] = json.loads((folder / EXCERPTS).read_text(encoding="utf-8"))["files"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return files
