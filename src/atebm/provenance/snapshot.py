"""results/ of one scale, kept in git beside those of the others: results/scales/<scale>/."""

import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

from ..pipeline.plan import Plan
from ..pipeline.staleness import DRIVING, MANIFEST, known_steps, renderings, request_file, stale, versions
from ..pipeline.step import ancestors
from ..utils.errors import ConfigError, ResultError
from ..utils.files import room, write_text
from ..utils.hashing import sealed, sha256
from ..utils.locks import locked
from .verify import manifest_files, step_findings, verify

MERGED = ("artifacts", "requests", "steps", "numbers")  # of a manifest
PAGES = ".html"  # stay behind: they show what the notebooks show, and weigh nearly as much as all else


MADE_WITH = ("commit", "python", "machine", "packages")


def snapshot(plan: Plan, root: Path) -> list[str]:
    """Copy results/ to results/scales/<scale>/, which it replaces as a whole; returns lines on what that changed.

    All files that the manifest answers for come along, but for pages. Raises ResultError, and copies nothing, where
    results/ is not complete, unaltered and of the present plan.
    """
    manifest, target = root / "results/manifest.json", root / "results/scales" / plan.config.scale
    if not manifest.exists():
        raise ResultError(f"there is no results/manifest.json, so results/ is not complete: {plan.command()}")
    if findings := verify(plan, root)[0]:
        raise ResultError(
            f"results/ is not kept as those of scale {plan.config.scale}: `python -m atebm verify` reports "
            f"{len(findings)} findings. The first: {findings[0]}"
        )
    names = ["manifest.json", *(name for name in manifest_files(manifest) if not name.endswith(PAGES))]
    return put(target, {name: root / "results" / name for name in names}, root)


def snapshot_of(plan: Plan, root: Path, artifacts: Iterable[str]) -> list[str]:
    """Put the renderings of some artifacts into results/scales/<scale>/, beside what is there; returns lines on that.

    For a scale of which not all was run. What is there stays as its manifest describes it; that of the new ones says
    what they were made with. Raises ConfigError for what is no artifact, and ResultError, and copies nothing, where one
    is not drawn from the present plan, or a step behind it is altered.
    """
    from ..report.needs import Needs
    from .manifest import behind, manifest_of, rendered_files

    names, results, target = list(artifacts), root / "results", root / "results/scales" / plan.config.scale
    outdated = stale(plan, root)
    for name in names:
        if name not in plan.artifacts:
            raise ConfigError(f"there is no artifact {name!r}; there are: {', '.join(plan.artifacts)}.")
        if name in outdated:
            raise ResultError(f"{name} is not drawn from the present plan: {plan.command(f'results/{name}.csv')}")
    needed = ancestors(step for name in names for step in plan.artifacts[name]).values()
    if findings := [finding for step in needed for finding in step_findings(root / step.folder, root)]:
        raise ResultError(f"{', '.join(names)}: {len(findings)} findings. The first: {findings[0]}")
    needs = {name: Needs.read(root / request_file(name), results) for name in names}
    digests = renderings(plan, root)[MANIFEST]["requests"]
    steps = behind(needs, known_steps(root))
    own = manifest_of(results, needs, {name: digests[name] for name in names}, versions(DRIVING), steps)
    there = target / "manifest.json"
    before = json.loads(there.read_text(encoding="utf-8")) if there.exists() else {**own, "artifacts": {}}
    before.pop("seal", None)
    for entry in own["artifacts"].values():
        entry["made_with"] = {key: own[key] for key in MADE_WITH}
    merged = {**before, **{key: before.get(key, {}) | own[key] for key in MERGED}}
    kept = manifest_files(there) if there.exists() else {}
    files = {file: target / file for file in kept}
    files |= {file: results / file for name in names for file in rendered_files(results, name)}
    files |= {file: results / file for file in own["numbers"]}
    files = {file: path for file, path in files.items() if not file.endswith(PAGES)}
    with TemporaryDirectory() as folder:
        manifest = Path(folder) / "manifest.json"
        write_text(manifest, sealed(merged))
        return put(target, files | {"manifest.json": manifest}, root)


def put(target: Path, files: dict[str, Path], root: Path) -> list[str]:
    """Let `target` hold these files, by name, and no others; returns lines on what that changed."""
    here = str(target.relative_to(root))
    with locked(root / "work/locks/snapshot.lock"):
        before = checksums(target)
        after = {name: sha256(path) for name, path in files.items()}
        if before == after:
            return [f"{here} is the same already: {len(after)} files."]
        replace(target, files)
    changed = [name for name in sorted(before.keys() | after.keys()) if before.get(name) != after.get(name)]
    lines = [f"{'new' if name not in before else 'changed' if name in after else 'gone':9}{name}" for name in changed]
    return [*lines, f"{here}: {len(after)} files."]


def checksums(folder: Path) -> dict[str, str]:
    """sha256 of every file below a folder, by its path in there."""
    return {str(path.relative_to(folder)): sha256(path) for path in folder.rglob("*") if path.is_file()}


def replace(target: Path, files: dict[str, Path]) -> None:
    """Let `target` hold copies of these files, by name, and no others: all, or what it held before."""
    new, old = (target.with_name(f".{target.name}.{state}") for state in ("new", "old"))
    shutil.rmtree(new, ignore_errors=True)  # of a process that was killed
    try:
        for name, path in files.items():
            with room(new / name, path.stat().st_size):
                (new / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, new / name)
    except BaseException:
        shutil.rmtree(new)
        raise
    if target.exists():
        shutil.rmtree(old, ignore_errors=True)
        target.rename(old)
    new.rename(target)
    shutil.rmtree(old, ignore_errors=True)
