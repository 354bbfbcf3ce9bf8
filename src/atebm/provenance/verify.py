"""Check every file against its records, and report files that are missing, altered or stale."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..data.folder import changed
from ..models.committed import CARD, WEIGHTS, committed
from ..models.committed import RECORD as MODEL_RECORD
from ..pipeline.job import record_file
from ..pipeline.kept import (
    EXCERPTS,
    NUMBERS,
    SPEC,
    excerpt_name,
    excerpts_in,
    folders_of_results,
    is_beside,
    listed_files,
    listing_in,
)
from ..pipeline.kinds import FILES
from ..pipeline.plan import Plan
from ..pipeline.staleness import (
    MANIFEST,
    PAGE,
    SITE,
    digest,
    drawn_from,
    page_record,
    provenance,
    renderings,
    shows_the_manifest,
)
from ..utils.hashing import is_sealed, sha256
from ..utils.progress import progress

# The three kinds of finding, as users see them:
#   missing  a file that a record names does not exist, or a step was never finished
#   altered  a file differs from what was written
#   stale    a step was computed, or a rendering drawn, from inputs that have changed since
MODEL_FILES = (WEIGHTS, CARD, MODEL_RECORD)
AGAIN = "make it again: snakemake --cores all, with the same --config as before."


def verify(plan: Plan, root: Path, quiet: bool = False) -> tuple[list[str], int]:
    """Return the findings, a line each, and the number of files checked.

    Checks every step in work/, every folder of results of any scale, and every model in models/ against their records;
    and the plan's renderings and models against the plan. Steps that were not computed here are not reported: results/
    alone, as in a fresh clone, can be complete too.
    """
    folders = [folder for kind in FILES for folder in sorted((root / "work" / kind).glob("*")) if folder.is_dir()]
    findings: list[str] = []
    checked = 0
    with progress("verify", len(folders), quiet=quiet) as report:
        for done, folder in enumerate(folders, start=1):
            findings += step_findings(folder, root)
            checked += len(FILES[folder.parent.name])
            report(done)
    for results in folders_of_results(root):
        found, files = folder_findings(results, root)
        findings += found
        checked += files
    for folder in committed(root):
        findings += model_findings(folder, plan, root)
        checked += len(MODEL_FILES)
    findings += stale_renderings(plan, root)
    findings += [f"stale    {said}" for said in changed(plan.config, root)]
    return findings, checked


def folder_findings(results: Path, root: Path) -> tuple[list[str], int]:
    """Return the findings on a folder of results by its own records, and the number of files checked."""
    findings, files = numbers_findings(results, root)
    checked = len(files | manifest_files(results).keys())
    if (results / provenance(MANIFEST)).exists():
        named = {finding.partition(": ")[0] for finding in findings}
        findings += [each for each in results_findings(results, root) if each.partition(": ")[0] not in named]
        own, shown = page_findings(results, root)
        findings += own
        checked += 1 + shown
    return findings, checked


def describe_findings(found: dict[str, Any]) -> Iterator[str]:
    """Yield the lines that describe findings in JSON, {"checked": n, "findings": [{"kind": ..., "what": ...}]}."""
    for finding in found["findings"]:
        yield f"{finding['kind']:9}{finding['what']}"
    number = len(found["findings"])
    told = f"{number} finding{'s' * (number > 1)}" if number else "nothing to report"
    yield f"{found['checked']} files checked: {told}."


def step_findings(folder: Path, root: Path) -> Iterator[str]:
    """Yield the findings on one step."""
    kind, here = folder.parent.name, str(folder.relative_to(root))
    spec = root / f"work/specs/{kind}/{folder.name}.json"
    if spec.exists() and hashlib.sha256(spec.read_bytes()).hexdigest()[:8] != folder.name[-8:]:
        yield f"altered  {spec.relative_to(root)}: its digest is not the one in its name; snakemake writes it again."
    record = record_file(folder)
    if not record.exists():
        yield f"missing  {here}/{record.name}: the step was not finished; {AGAIN}"
        return
    if not is_sealed(record.read_text(encoding="utf-8", errors="replace")):
        yield f"altered  {here}/{record.name}: it has changed since it was written; {again(here)}"
        return
    contents = json.loads(record.read_text(encoding="utf-8"))
    for name in FILES[kind][:-1]:
        yield from file_findings(folder / name, contents["files"][name], f"{here}/{name}", again(here))
    for role, parent in contents["parents"].items():
        theirs = record_file(root / "work" / parent["step"])
        if not theirs.exists():
            yield f"missing  {theirs.relative_to(root)}: {here} was computed from it, as its {role}."
        elif sha256(theirs) != parent["sha256"]:
            yield f"stale    {here}: its {role}, {parent['step']}, has been computed again since; {again(here)}"


def model_findings(folder: Path, plan: Plan, root: Path) -> Iterator[str]:
    """Yield the findings on a model in models/<scale>/<run>/, by its record and by the plan of its scale."""
    here = folder.relative_to(root)
    text = (folder / MODEL_RECORD).read_text(encoding="utf-8", errors="replace")
    if not is_sealed(text):
        yield f"altered  {here}/{MODEL_RECORD}: it has changed since it was written; {checked_out(here)}"
        return
    record = json.loads(text)
    for name, sha in record["files"].items():
        yield from file_findings(folder / name, sha, f"{here}/{name}", checked_out(here))
    run, config = record["run"], plan.config
    if record["scale"] == config.scale and run in config.runs:
        step = plan.train(run, config.seed)
        if record["step"] != f"{step.kind}/{step.id}":
            yield f"stale    {here}: its settings are not those of {run} in the plan; `atebm publish-models {run}`"


def checked_out(folder: Path) -> str:
    return f"`git checkout {folder}` restores the committed version."


def results_findings(results: Path, root: Path) -> Iterator[str]:
    """Yield the findings on a folder of results, by its manifest."""
    here, manifest = results.relative_to(root), results / provenance(MANIFEST)
    if not is_sealed(manifest.read_text(encoding="utf-8", errors="replace")):
        yield f"altered  {here}/{manifest.name}: it has changed since it was written; remove it and {AGAIN}"
        return
    for name, sha in manifest_files(results).items():
        remedy = f"remove {here}/{name} and {AGAIN}"
        yield from file_findings(results / name, sha, f"{here}/{name}", remedy)
    for step, entry in json.loads(manifest.read_text(encoding="utf-8"))["steps"].items():
        record = record_file(root / "work" / step)
        text = record.read_text(encoding="utf-8", errors="replace") if record.exists() else ""
        if is_sealed(text) and json.loads(text)["files"] != entry["files"]:
            yield f"stale    {here}/: {step} has been computed again since; remove {here}/ and {AGAIN}"


def numbers_findings(results: Path, root: Path) -> tuple[list[str], set[str]]:
    """Return the findings on numbers/ of a folder of results, by the records kept there, and its files.

    A file is missing if a rendering was drawn from it; the manifest also has the checksums.
    """
    numbers = results / NUMBERS
    findings: list[str] = []
    for listing in map(listing_in, sorted((results / "provenance").glob("*.json"))):
        paths = (numbers / name for name in sorted(listed_files([listing or {}])))
        findings += [missing_number(path, root) for path in paths if not path.exists()]
    folders = sorted(path for path in numbers.glob("*/*") if path.is_dir())
    for folder in folders:
        findings += kept_findings(folder, root)
    files = {str(path.relative_to(results)) for folder in folders for path in folder.iterdir()}
    return list(dict.fromkeys(findings)), files


def missing_number(path: Path, root: Path) -> str:
    here = path.relative_to(root)
    return f"missing  {here}: {restore(here)}"


def kept_findings(folder: Path, root: Path) -> Iterator[str]:
    """Yield the findings on the copies of one step's files."""
    here = folder.relative_to(root)
    remedy = restore(here)
    record, spec = record_file(folder), folder / SPEC
    if spec.exists() and hashlib.sha256(spec.read_bytes()).hexdigest()[:8] != folder.name[-8:]:
        yield f"altered  {here}/{SPEC}: its digest is not the one in the step's name; {remedy}"
    if not record.exists():
        yield missing_number(record, root)
        return
    for path in (record, folder / EXCERPTS):
        if path.exists() and not is_sealed(path.read_text(encoding="utf-8", errors="replace")):
            yield f"altered  {here}/{path.name}: it has changed since it was written; {remedy}"
            return
    sources = json.loads(record.read_text(encoding="utf-8"))["files"]
    digests = dict(sources)
    for name, entry in excerpts_in(folder).items():
        digests[excerpt_name(name)] = entry["sha256"]
        if entry["of"] != sources.get(name):
            yield f"altered  {here}/{excerpt_name(name)}: taken from another {name} than the recorded one; {remedy}"
    for path in sorted(folder.iterdir()):
        if path not in (record, spec, folder / EXCERPTS):
            yield from file_findings(path, digests.get(path.name, ""), f"{here}/{path.name}", remedy)


def page_findings(results: Path, root: Path) -> tuple[list[str], int]:
    """Return the findings on the page of a folder of results, by its record, and the number of files checked."""
    here = results.relative_to(root)
    remedy = f"remove {here}/{PAGE} and {AGAIN}"
    if not (results / PAGE).exists():
        return [] if is_beside(results) else [f"missing  {here}/{PAGE}: {AGAIN}"], 0
    if (page := page_record(results)) is None:
        return [f"altered  {here}/{provenance(SITE)}: it has changed since it was written; {remedy}"], 1
    findings = files_findings(page["files"], results, root, remedy)
    if not findings and not shows_the_manifest(results):
        findings.append(f"stale    {here}/{PAGE}: made from another {here}/{provenance(MANIFEST)}; {AGAIN}")
    board = page.get("board", {})
    known = {provenance(name): sha for name, sha in page["request"].get("claims", {}).items()}
    known |= {f"scales/{name}": sha for name, sha in page["request"].get("scales", {}).items()}
    if all(digest(results / name) == sha for name, sha in known.items()):  # else a board was drawn since, on request
        findings += files_findings(board, results, root, f"remove the claims.csv beside it and {AGAIN}")
    return findings, 1 + len(page["files"]) + len(board)


def files_findings(digests: dict[str, str], results: Path, root: Path, remedy: str) -> list[str]:
    return [
        finding
        for name, sha in digests.items()
        for finding in file_findings(results / name, sha, f"{results.relative_to(root)}/{name}", remedy)
    ]


def stale_renderings(plan: Plan, root: Path) -> Iterator[str]:
    for name, contents in renderings(plan, root).items():
        drawn = drawn_from(root / plan.results, name)
        if drawn is not None and drawn != contents:
            command = plan.command(*([f"{plan.results}/{name}.csv"] if name in plan.on_request else []))
            yield f"stale    {plan.results}/{name}: not drawn from the present plan ({why(drawn, contents)}): {command}"


def why(drawn: dict[str, Any], wanted: dict[str, Any]) -> str:
    """Say which keys of two requests differ."""
    return "changed: " + ", ".join(key for key in wanted if drawn.get(key) != wanted[key])


def file_findings(path: Path, digest: str, name: str, remedy: str) -> Iterator[str]:
    if not path.exists():
        yield f"missing  {name}: {remedy}"
    elif sha256(path) != digest:
        yield f"altered  {name}: its sha256 is not the recorded one; {remedy}"


def manifest_files(results: Path) -> dict[str, str]:
    """Return the sha256 of every file in a folder's manifest; {} if it cannot be read.

    Pages that are not in git are left out if they do not exist.
    """
    try:
        contents = json.loads((results / provenance(MANIFEST)).read_text(encoding="utf-8", errors="replace"))
        files = {name: digest for part in contents["artifacts"].values() for name, digest in part["files"].items()} | (
            contents["summary"] | contents.get("numbers", {})
        )
        spared = is_beside(results)
        return {
            name: digest
            for name, digest in files.items()
            if not (spared and name.endswith(".html") and not (results / name).exists())
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def restore(path: Path) -> str:
    return f"`git checkout {path}` if it is committed; otherwise remove it and draw again what uses it."


def again(folder: str) -> str:
    return f"remove {folder} and {AGAIN}"
