"""Write results/numbers/, copies of what drawing read of the steps in work/, and remove copies that nothing needs."""

import json
import shutil
from collections.abc import Iterable
from pathlib import Path

from ..pipeline.job import record_file
from ..pipeline.kept import (
    EXCERPTS,
    NUMBERS,
    SPEC,
    Listing,
    excerpt_name,
    excerpts_in,
    listed_files,
    listing_in,
)
from ..utils.excerpts import ranges, rows_of, trim_excerpt, write_excerpt
from ..utils.files import atomic, sweep, write_text
from ..utils.hashing import sealed, sha256
from ..utils.locks import locked
from .needs import Result


def keep(results: Iterable[Result]) -> None:
    """Copy what was read of results in work/; copies of results that are not in work/ stay as they are.

    Renderings that share a step take turns, and each adds what it read to the copies of the others.
    """
    for result in results:
        if result.kept is not None and result.place != result.kept and result.is_there:
            lock = (
                result.folder.parents[1] / "locks" / NUMBERS / result.folder.parent.name / f"{result.folder.name}.lock"
            )
            with locked(lock):
                sweep(result.kept, "")
                keep_step(result, result.kept)


def keep_step(result: Result, kept: Path) -> None:
    """Write copies of a step's record, spec and files, and excerpts of its arrays.

    Earlier copies are written again too, since the step may have been computed again.
    """
    arrays = {name: rows for name, rows in result.read.items() if rows is not None}
    for name, entry in excerpts_in(kept).items():
        arrays[name] = arrays.get(name, set()) | rows_of(entry["rows"])
    record = record_file(result.folder)
    there = {path.name for path in kept.glob("*") if (result.folder / path.name).exists()}
    for name in sorted({record.name, *there, *result.read} - arrays.keys()):
        copy_if_changed(result.folder / name, kept / name)
    if result.spec_file.exists():
        copy_if_changed(result.spec_file, kept / SPEC)
    for name, rows in arrays.items():
        write_excerpt(kept / excerpt_name(name), result.folder / name, rows)
    if arrays:
        describe_excerpts(kept, {name: ranges(rows) for name, rows in arrays.items()})


def describe_excerpts(kept: Path, rows: dict[str, str]) -> None:
    """Describe the excerpts in a folder: their rows, their checksums, and the recorded checksums of the arrays."""
    sources = json.loads(record_file(kept).read_text(encoding="utf-8")).get("files", {})
    files = {
        name: {"rows": rows[name], "of": sources.get(name), "sha256": sha256(kept / excerpt_name(name))}
        for name in sorted(rows)
    }
    write_text(kept / EXCERPTS, sealed({"files": files}))


def copy_if_changed(source: Path, target: Path) -> None:
    if not target.exists() or target.read_bytes() != source.read_bytes():
        with atomic(target) as temporary:
            shutil.copyfile(source, temporary)


def prune_numbers(results: Path, requests: Path, more: Listing) -> None:
    """Remove from results/numbers/ every copy that no rendering in `results` was drawn from and `more` does not list.

    `requests` is the folder of the requests of the present plan. Copies that an undrawn artifact needs stay: it is
    being drawn at the moment, or its notebook failed.
    """
    listed = {path.stem: listing_in(path) for path in (results / "provenance").glob("*.json")}
    listings = [more, *(listing for listing in listed.values() if listing is not None)]
    undrawn = [path for path in requests.glob("*.json") if listed.get(path.stem) is None]
    spared = {folder.removeprefix("work/") for path in undrawn for folder in needed(path)}
    numbers, wanted = results / NUMBERS, listed_files(listings)
    for folder in sorted(path for path in numbers.glob("*/*") if path.is_dir()):
        step = str(folder.relative_to(numbers))
        if step in spared:
            continue
        for path in folder.iterdir():
            if f"{step}/{path.name}" not in wanted:
                path.unlink()
        if not any(folder.iterdir()):
            folder.rmdir()
        else:
            trim_step(folder, [listing[step] for listing in listings if step in listing])


def needed(request: Path) -> Iterable[str]:
    """Return the folders of the steps that a request names; requests about all renderings name none."""
    needs: dict[str, str] = json.loads(request.read_text(encoding="utf-8"))["request"].get("needs", {})
    return needs.values()


def trim_step(folder: Path, readings: list[dict[str, str]]) -> None:
    """Trim a step's excerpts to the rows that some rendering reads."""
    kept = excerpts_in(folder)
    rows = {name: {row for reads in readings for row in rows_of(reads.get(name, ""))} for name in kept}
    rows = {name: wanted for name, wanted in rows.items() if (folder / excerpt_name(name)).exists()}
    now = {name: ranges(wanted & rows_of(kept[name]["rows"])) for name, wanted in rows.items()}
    if now != {name: entry["rows"] for name, entry in kept.items()}:
        for name, wanted in rows.items():
            trim_excerpt(folder / excerpt_name(name), wanted)
        describe_excerpts(folder, now)
