"""results/ of one scale, kept in git beside those of the others: results/scales/<scale>/."""

import shutil
from pathlib import Path

from ..errors import ResultError
from ..files import locked, room, sha256
from ..plan import Plan
from .verify import manifest_files, verify

PAGES = ".html"  # stay behind: they show what the notebooks show, and weigh nearly as much as all else


def snapshot(plan: Plan, root: Path) -> list[str]:
    """Copy results/ to results/scales/<scale>/, which it replaces as a whole; returns lines on what that changed.

    All files that the manifest answers for come along, but for pages. Raises ResultError, and copies nothing, where
    results/ is not complete, unaltered and of the present plan.
    """
    manifest, target = root / "results/manifest.json", root / "results/scales" / plan.config.scale
    if not manifest.exists():
        raise ResultError("there is no results/manifest.json, so results/ is not complete: run snakemake first.")
    if findings := verify(plan, root)[0]:
        raise ResultError(
            f"results/ is not kept as those of scale {plan.config.scale}: `python -m atebm verify` reports "
            f"{len(findings)} findings. The first: {findings[0]}"
        )
    names = ["manifest.json", *(name for name in manifest_files(manifest) if not name.endswith(PAGES))]
    here = f"results/scales/{plan.config.scale}"
    with locked(root / "work/locks/snapshot.lock"):
        before = checksums(target)
        after = {name: sha256(root / "results" / name) for name in names}
        if before == after:
            return [f"{here} is the same already: {len(after)} files."]
        replace(target, root / "results", names)
    changed = [name for name in sorted(before.keys() | after.keys()) if before.get(name) != after.get(name)]
    lines = [f"{'new' if name not in before else 'changed' if name in after else 'gone':9}{name}" for name in changed]
    return [*lines, f"{here}: {len(after)} files."]


def checksums(folder: Path) -> dict[str, str]:
    """sha256 of every file below a folder, by its path in there."""
    return {str(path.relative_to(folder)): sha256(path) for path in folder.rglob("*") if path.is_file()}


def replace(target: Path, source: Path, names: list[str]) -> None:
    """Let `target` hold copies of these files of `source` and no others: all, or what it held before."""
    new, old = (target.with_name(f".{target.name}.{state}") for state in ("new", "old"))
    shutil.rmtree(new, ignore_errors=True)  # of a process that was killed
    try:
        for name in names:
            with room(new / name, (source / name).stat().st_size):
                (new / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source / name, new / name)
    except BaseException:
        shutil.rmtree(new)
        raise
    if target.exists():
        shutil.rmtree(old, ignore_errors=True)
        target.rename(old)
    new.rename(target)
    shutil.rmtree(old, ignore_errors=True)
