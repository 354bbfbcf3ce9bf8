"""Write manifest.json: the programs and steps that made the results in a folder."""

import json
import platform
import shutil
import subprocess
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from ..pipeline.kept import NUMBERS, Listing, listed_files, listing_in
from ..report.kept import prune_numbers
from ..report.needs import Needs, Result
from ..utils.files import write_text
from ..utils.hashing import sealed, sha256
from .summary import write_summary

COMPUTING = ("torch", "torchvision", "numpy", "scipy", "pandas", "matplotlib", "pillow", "scikit-image", "scikit-learn")


def write_manifest(results: Path, request: Path) -> None:
    """Write versions, commit, and for each artifact its steps: digest, sha256 of each file, parents, device, seconds.

    `request` lies beside the requests of the artifacts. Removes copies from numbers/ that no rendering uses any more.
    """
    asked = json.loads(request.read_text())
    requests = asked["request"]["requests"]
    artifacts = {name: Needs.read(request.with_name(f"{name}.json"), results) for name in requests}
    steps = behind(artifacts, asked["known"])
    curves = write_summary(results, artifacts, steps)
    prune_numbers(results, request.parent, curves)
    summary = [results / "metrics.json", *sorted((results / "training").glob("*.csv"))]
    contents = {
        "commit": commit(),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "packages": {package: version(package) for package in COMPUTING} | asked["driving"],
        "scale": next(iter(artifacts.values())).scale,
        "artifacts": {
            name: {
                "title": needs.request["title"],
                "steps": sorted(set(needs.request["needs"].values())),
                "files": rendered_files(results, name),
            }
            for name, needs in artifacts.items()
        },
        "requests": requests,
        "summary": {str(path.relative_to(results)): sha256(path) for path in summary},
        "numbers": numbers_of(results, artifacts, curves),
        "steps": dict(sorted(steps.items())),
    }
    write_text(results / "manifest.json", sealed(contents))


def numbers_of(results: Path, artifacts: Iterable[str], more: Listing) -> dict[str, str]:
    """Return the sha256 of each file in numbers/ that some artifacts were drawn from or that `more` lists."""
    listings = [listing_in(results / f"provenance/{name}.json") or {} for name in artifacts]
    names = [f"{NUMBERS}/{name}" for name in sorted(listed_files([*listings, more]))]
    return {name: sha256(results / name) for name in names if (results / name).exists()}


def behind(artifacts: dict[str, Needs], known: dict[str, Any]) -> dict[str, Any]:
    """Return the steps of some artifacts and their ancestors, by "kind/id".

    `known` are the steps of the previous manifest. Its entries are reused for steps that are neither here nor kept, and
    its seconds for steps that another machine computed.
    """
    steps: dict[str, Any] = {}
    for needs in artifacts.values():
        for result in needs.results.values():
            collect(result, steps, known)
    return steps


def collect(result: Result, steps: dict[str, Any], known: dict[str, Any]) -> None:
    """Add a step and its ancestors to `steps`; `known` has earlier entries for some of them."""
    folder, numbers = result.folder, result.kept and result.kept.parents[1]
    step = f"{folder.parent.name}/{folder.name}"
    if step in steps:
        return
    if step in known and not result.is_there:
        steps[step] = known[step]
    else:
        record = result.record
        steps[step] = {
            "settings": result.settings,
            "files": record["files"],
            "parents": record["parents"],
            "device": record.get("device"),
            "seconds": measured_seconds(folder.parents[2] / "logs" / step),
        }
        if steps[step]["seconds"] is None and step in known and known[step]["files"] == record["files"]:
            steps[step]["seconds"] = known[step]["seconds"]
    for parent in steps[step]["parents"].values():
        name = parent["step"]
        collect(Result(folder.parents[1] / name, numbers and numbers / name), steps, known)


def measured_seconds(log: Path) -> float | None:
    """Return the wall-clock seconds of a step, all shards, by Snakemake's benchmark files; None if not run here."""
    files = sorted(log.parent.glob(f"{log.name}*.tsv"))
    return round(sum(float(pd.read_csv(file, sep="\t")["s"].iloc[0]) for file in files), 2) if files else None


def rendered_files(results: Path, artifact: str) -> dict[str, str]:
    folders = (results, results / "notebooks", results / "provenance")
    paths = sorted(path for folder in folders for path in folder.glob(f"{artifact}.*"))
    return {str(path.relative_to(results)): sha256(path) for path in paths}


def commit() -> str | None:
    """Return the checkout's commit, with "-dirty" if a tracked file outside results/ differs; None without a commit.

    A checkout that was unpacked inside another repository has none, because that repository does not track its files.
    """
    if git("rev-parse", "--show-prefix"):  # the path from a repository's top to here
        return None
    head = git("rev-parse", "--short", "HEAD")
    changed = git(
        "status",
        "--porcelain",
        "--untracked-files=no",
        "--",
        ".",
        ":(exclude)results",
        ":(exclude)ro-crate-metadata.json",
    )
    return f"{head}-dirty" if head and changed else head


def git(*arguments: str) -> str | None:
    """Return git's output; None outside a checkout, for empty output, and on a machine without git."""
    if shutil.which("git") is None:
        return None
    answer = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    return answer.stdout.strip() or None


def minutes(manifest: dict[str, Any], artifact: str) -> float:
    """Return the minutes that all steps behind an artifact took, one after the other."""
    return sum(manifest["steps"][step]["seconds"] or 0 for step in ancestry(manifest, artifact)) / 60


def ancestry(manifest: dict[str, Any], artifact: str) -> set[str]:
    """Return all steps behind an artifact, "kind/id"."""
    todo, seen = list(manifest["artifacts"][artifact]["steps"]), set()
    while todo:
        step = todo.pop().removeprefix("work/")
        if step not in seen:
            seen.add(step)
            todo += [parent["step"] for parent in manifest["steps"][step]["parents"].values()]
    return seen


def words_of(artifact: str, results: Path) -> dict[str, str]:
    """Return the words of a drawn artifact: its caption, its headline, and the paper's result."""
    contents: dict[str, str] = json.loads((results / f"provenance/{artifact}.json").read_text(encoding="utf-8"))
    return contents


def evidence(results: Path) -> Path:
    """Return the folder with the claims board to use: results/scales/board/ if it has one, else `results` itself."""
    board = results / "scales/board"
    return board if (board / "claims.csv").exists() else results
