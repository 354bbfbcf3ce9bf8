"""Is everything still what its records say? Missing, altered, stale."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..data.folder import changed
from ..pipeline.artifacts import ON_REQUEST
from ..pipeline.job import record_file
from ..pipeline.kept import EXCERPTS, NUMBERS, RESULTS, SPEC, excerpt_name, excerpts_in, listed_files, listing_in
from ..pipeline.kinds import FILES
from ..pipeline.plan import Plan
from ..pipeline.staleness import (
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
#   missing  a file that a record names is not there, or a step was never finished
#   altered  a file is not, byte for byte, what was written
#   stale    a step was computed from, or a rendering drawn from, something else than what is there now
RESTORE = "`git checkout results/numbers` where it was committed; else remove it and run again what draws from it."
AGAIN = "run again what made it: snakemake --cores all, with the --config that it was made with."


def verify(plan: Plan, root: Path, quiet: bool = False) -> tuple[list[str], int]:
    """Findings, a line each, and the number of files checked.

    Checks every step in work/, of whatever scale, results/numbers/ against the records that are kept there, and
    results/ against its manifest and against the present plan.
    Steps that were not computed here are no finding: results/ alone, as in a fresh clone, can be whole too.
    """
    folders = [folder for kind in FILES for folder in sorted((root / "work" / kind).glob("*")) if folder.is_dir()]
    findings: list[str] = []
    checked = 0
    with progress("verify", len(folders), quiet=quiet) as report:
        for done, folder in enumerate(folders, start=1):
            findings += step_findings(folder, root)
            checked += len(FILES[folder.parent.name])
            report(done)
    kept, files = numbers_findings(root)
    findings += kept
    manifest = root / "results/manifest.json"
    checked += len(files | manifest_files(manifest).keys())
    if manifest.exists():
        named = {finding.partition(": ")[0] for finding in kept}
        findings += [each for each in results_findings(manifest, root) if each.partition(": ")[0] not in named]
        checked += 1
        own, shown = page_findings(root)
        findings += own
        checked += 1 + shown
    findings += stale_renderings(plan, root)
    findings += [f"stale    {said}" for said in changed(plan.config, root)]
    return findings, checked


def describe_findings(found: dict[str, Any]) -> Iterator[str]:
    """The lines of findings as JSON, {"checked": n, "findings": [{"kind": ..., "what": ...}]}."""
    for finding in found["findings"]:
        yield f"{finding['kind']:9}{finding['what']}"
    yield f"{found['checked']} files checked: {len(found['findings']) or 'nothing'} to report."


def step_findings(folder: Path, root: Path) -> Iterator[str]:
    """What is wrong with one step."""
    kind, here = folder.parent.name, str(folder.relative_to(root))
    spec = root / f"work/specs/{kind}/{folder.name}.json"
    if spec.exists() and hashlib.sha256(spec.read_bytes()).hexdigest()[:8] != folder.name[-8:]:
        yield f"altered  {spec.relative_to(root)}: not what its name, a digest, says; snakemake writes it anew."
    record = record_file(folder)
    if not record.exists():
        yield f"missing  {here}/{record.name}: the step was not finished; {AGAIN}"
        return
    if not is_sealed(record.read_text(encoding="utf-8", errors="replace")):
        yield f"altered  {here}/{record.name}: not as it was written; {again(here)}"
        return
    contents = json.loads(record.read_text(encoding="utf-8"))
    for name in FILES[kind][:-1]:
        yield from file_findings(folder / name, contents["files"][name], f"{here}/{name}", again(here))
    for role, parent in contents["parents"].items():
        theirs = record_file(root / "work" / parent["step"])
        if not theirs.exists():
            yield f"missing  {theirs.relative_to(root)}: the {role} of {here}."
        elif sha256(theirs) != parent["sha256"]:
            yield f"stale    {here}: its {role}, {parent['step']}, has been computed again since; {again(here)}"


def results_findings(manifest: Path, root: Path) -> Iterator[str]:
    """What is wrong with results/, by its manifest."""
    if not is_sealed(manifest.read_text(encoding="utf-8", errors="replace")):
        yield f"altered  results/{manifest.name}: not as it was written; remove it and {AGAIN}"
        return
    for name, sha in manifest_files(manifest).items():
        remedy = f"remove results/{name} and {AGAIN}"
        yield from file_findings(manifest.parent / name, sha, f"results/{name}", remedy)
    for step, entry in json.loads(manifest.read_text(encoding="utf-8"))["steps"].items():
        record = record_file(root / "work" / step)
        text = record.read_text(encoding="utf-8", errors="replace") if record.exists() else ""
        if is_sealed(text) and json.loads(text)["files"] != entry["files"]:
            yield f"stale    results/: {step} was computed again since; remove results/ and {AGAIN}"


def numbers_findings(root: Path) -> tuple[list[str], set[str]]:
    """Return what is wrong with results/numbers/, by the records that are kept there, and the files that it has.

    Missing is what a rendering in results/ says that it was drawn from; the manifest has the checksums a second time.
    """
    numbers = root / RESULTS / NUMBERS
    findings: list[str] = []
    for listing in map(listing_in, sorted((root / RESULTS / "provenance").glob("*.json"))):
        names = listed_files([listing or {}])
        findings += [missing_number(name) for name in sorted(names) if not (numbers / name).exists()]
    folders = sorted(path for path in numbers.glob("*/*") if path.is_dir())
    for folder in folders:
        findings += kept_findings(folder)
    files = {str(path.relative_to(root / RESULTS)) for folder in folders for path in folder.iterdir()}
    return list(dict.fromkeys(findings)), files


def missing_number(name: str) -> str:
    return f"missing  {RESULTS}/{NUMBERS}/{name}: {RESTORE}"


def kept_findings(folder: Path) -> Iterator[str]:
    """What is wrong with what is kept of one step."""
    here = f"{RESULTS}/{NUMBERS}/{folder.parent.name}/{folder.name}"
    record, spec = record_file(folder), folder / SPEC
    if spec.exists() and hashlib.sha256(spec.read_bytes()).hexdigest()[:8] != folder.name[-8:]:
        yield f"altered  {here}/{SPEC}: not what its step's name, a digest, says; {RESTORE}"
    if not record.exists():
        yield missing_number(f"{folder.parent.name}/{folder.name}/{record.name}")
        return
    for path in (record, folder / EXCERPTS):
        if path.exists() and not is_sealed(path.read_text(encoding="utf-8", errors="replace")):
            yield f"altered  {here}/{path.name}: not as it was written; {RESTORE}"
            return
    sources = json.loads(record.read_text(encoding="utf-8"))["files"]
    digests = dict(sources)
    for name, entry in excerpts_in(folder).items():
        digests[excerpt_name(name)] = entry["sha256"]
        if entry["of"] != sources.get(name):
            yield f"altered  {here}/{excerpt_name(name)}: of another {name} than the record's; {RESTORE}"
    for path in sorted(folder.iterdir()):
        if path not in (record, spec, folder / EXCERPTS):
            yield from file_findings(path, digests.get(path.name, ""), f"{here}/{path.name}", RESTORE)


def page_findings(root: Path) -> tuple[list[str], int]:
    """Return what is wrong with results/index.html, by its record, and how many files that answers for."""
    remedy = f"remove {PAGE} and {AGAIN}"
    if not (root / PAGE).exists():
        return [f"missing  {PAGE}: {AGAIN}"], 0
    if (page := page_record(root)) is None:
        return [f"altered  {provenance(SITE)}: not as it was written; {remedy}"], 0
    findings = files_findings(page["files"], root, remedy)
    if not findings and not shows_the_manifest(root):
        findings.append(f"stale    {PAGE}: made from another results/manifest.json; {AGAIN}")
    board = page.get("board", {})
    if page["request"].get("claims") == {name: digest(root / provenance(name)) for name in ON_REQUEST}:
        findings += files_findings(board, root, f"remove results/claims.csv and {AGAIN}")
    return findings, len(page["files"]) + len(board)


def files_findings(digests: dict[str, str], root: Path, remedy: str) -> list[str]:
    return [
        finding
        for name, sha in digests.items()
        for finding in file_findings(root / "results" / name, sha, f"results/{name}", remedy)
    ]


def stale_renderings(plan: Plan, root: Path) -> Iterator[str]:
    for name, contents in renderings(plan, root).items():
        drawn = drawn_from(root, name)
        if drawn is not None and drawn != contents:
            command = plan.command(*([f"results/{name}.csv"] if name in ON_REQUEST else []))
            yield f"stale    results/{name}: not drawn from the present plan ({why(drawn, contents)}): {command}"


def why(drawn: dict[str, Any], wanted: dict[str, Any]) -> str:
    """The keys in which two plans of an artifact differ."""
    return "other " + ", ".join(key for key in wanted if drawn.get(key) != wanted[key])


def file_findings(path: Path, digest: str, name: str, remedy: str) -> Iterator[str]:
    if not path.exists():
        yield f"missing  {name}: {remedy}"
    elif sha256(path) != digest:
        yield f"altered  {name}: its sha256 is not the recorded one; {remedy}"


def manifest_files(manifest: Path) -> dict[str, str]:
    """sha256 of every file in results/ that the manifest answers for; empty where it can't be read."""
    try:
        contents = json.loads(manifest.read_text(encoding="utf-8", errors="replace"))
        return {name: digest for part in contents["artifacts"].values() for name, digest in part["files"].items()} | (
            contents["summary"] | contents.get("numbers", {})
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def again(folder: str) -> str:
    return f"remove {folder} and {AGAIN}"
