"""What this machine and this folder have, and what each scale would need; in sentences, whatever is missing."""

import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from ..utils.errors import UserError

SHOWN = ("torch", "torchvision", "numpy", "snakemake", "dvc", "papermill")  # versions
TOOLS = {  # commands that are not of this package, and what for
    "snakemake": "runs the workflow; it is in the environment's bin/: activate it",
    "git": "only to clone, and for the commit in results/manifest.json",
    "dvc": "only to pull and push what was computed elsewhere",
    "conda": "only for --use-conda; without it jobs run in the present environment",
    "nvidia-smi": "only where there is a GPU",
}
WRITTEN = (".snakemake", "data/archives", "logs", "results", "work")  # folders of a checkout, by the workflow
MEASURED = "results/scales/{scale}/manifest.json"
GPU_HOURS = Path("data/expected/paper_h100.json")


def own_version() -> str:
    """Return the version of the installed package."""
    return metadata.version("atebm")


def examine(root: Path) -> dict[str, Any]:
    """Return all of it, as JSON. `missing` are sentences on what nothing works without."""
    missing, packages = requirements()
    here = devices()
    if not here:
        missing.append("PyTorch cannot be loaded, so nothing can be trained or scored here: install it anew.")
    missing += unwritable(root)
    found: dict[str, Any] = {
        "atebm": own_version(),
        "python": platform.python_version(),
        "packages": packages,
        "machine": machine(root),
        "devices": here,
        "tools": {name: shutil.which(name) for name in TOOLS},
        "checkout": is_checkout(root),
        "archives": None,
        "scales": [],
        "missing": missing,
    }
    if found["checkout"] and not missing:
        found["archives"] = find_archives(root)
        found["scales"] = needs_of_scales(root)
    return found


def requirements() -> tuple[list[str], dict[str, str | None]]:
    """Return sentences on packages that are not as they must be, and versions of some."""
    said = []
    for text in metadata.requires("atebm") or []:
        wanted = Requirement(text)
        if wanted.marker and not wanted.marker.evaluate({"extra": ""}):
            continue
        here = version(wanted.name)
        if here is None:
            said.append(f"{wanted.name} is not installed: pip install -r requirements.lock.")
        elif not wanted.specifier.contains(here, prereleases=True):
            said.append(f"{wanted.name} is {here}, and {wanted.specifier} is wanted: pip install -r requirements.lock.")
    return said, {name: version(name) for name in SHOWN}


def unwritable(root: Path) -> list[str]:
    """Return sentences on folders that the workflow writes to, and cannot."""
    said = []
    try:
        tempfile.gettempdir()
    except OSError:
        said.append("no folder for temporary files can be written, which all programs want: set TMPDIR to one.")
    # Jupyter, IPython, matplotlib and PyTorch do with a temporary folder instead of theirs in the home folder
    if (cache := snakemake_cache()) and not can_be_written(cache):
        said.append(
            f"{cache} cannot be written, where Snakemake keeps a cache, and without which it ends in a traceback: set "
            "XDG_CACHE_HOME to a folder that can be."
        )
    if is_checkout(root) and not all(can_be_written(root / name) for name in WRITTEN):
        said.append(
            f"{root.resolve()} cannot be written, where the workflow keeps what it computes: copy it elsewhere."
        )
    return said


def snakemake_cache() -> Path | None:
    """Return the folder of Snakemake's cache; None without Snakemake."""
    try:
        from platformdirs import user_cache_dir  # which comes with Snakemake, and is what it asks
    except ImportError:
        return None
    return Path(user_cache_dir("snakemake", "snakemake"))


def can_be_written(folder: Path) -> bool:
    """Return whether files can be made in a folder, or the folder itself: tried with a file that has no name."""
    there = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
    try:
        with tempfile.TemporaryFile(dir=there):
            return True
    except OSError:
        return False


def version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def machine(root: Path) -> dict[str, Any]:
    """Cores that this process may use, gigabytes of memory and of free disk; None where the system does not say."""
    free = shutil.disk_usage(root).free
    try:
        memory: float | None = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    except (ValueError, OSError, AttributeError):
        memory = None
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"system": platform.platform(), "cores": cores, "memory_gb": memory, "free_disk_gb": free / 1e9}


def devices() -> list[dict[str, Any]]:
    """Return what PyTorch can compute on, fastest first; without PyTorch, nothing."""
    try:
        import torch
    except (ImportError, OSError):  # not installed, or its libraries are not
        return []
    from ..device.select import name_hardware

    gpus = [
        {"device": f"cuda:{number}", "name": gpu.name, "memory_gb": gpu.total_memory / 1e9}
        for number, gpu in enumerate(map(torch.cuda.get_device_properties, range(torch.cuda.device_count())))
    ]
    mps = [{"device": "mps", "name": "Apple GPU", "memory_gb": None}] if torch.backends.mps.is_available() else []
    return [*gpus, *mps, {"device": "cpu", "name": name_hardware(torch.device("cpu")), "memory_gb": None}]


def is_checkout(root: Path) -> bool:
    return all((root / name).exists() for name in ("config.yaml", "workflow/Snakefile", "data/sources.yaml"))


def find_archives(root: Path) -> dict[str, Any]:
    """Return files of public archives that are in data/archives/, by archive; and the archives of which none are."""
    from ..archives.catalogue import ARCHIVES, sources

    here = {
        source.file: (root / ARCHIVES / source.file).stat().st_size / 1e9
        for source in sources()
        if (root / ARCHIVES / source.file).exists()
    }
    absent = {source.archive for source in sources()} - {source.archive for source in sources() if source.file in here}
    return {"here": here, "absent": sorted(absent)}


def needs_of_scales(root: Path) -> list[dict[str, Any]]:
    from ..config.load import scales

    return [needs(scale, root) for scale in scales(root)]


def needs(scale: str, root: Path) -> dict[str, Any]:
    """Return steps that are done and to do, gigabytes in work/ and to fetch, and hours where they are known."""
    from ..config.load import load
    from ..cost.disk import size
    from ..cost.table import archives_to_fetch
    from ..pipeline.plan import Plan

    try:
        plan = Plan(load(root, [f"scale={scale}"])[0])
        steps = list(plan.steps.values())
        fetch = archives_to_fetch(plan, root)
        gigabytes = sum(size(plan, step) for step in steps) / 1e9
    except (UserError, OSError, ImportError) as error:  # Snakemake's plugins call other programs when they are loaded
        return {"scale": scale, "error": f"not known: {error}"}
    return {
        "scale": scale,
        "error": None,
        "steps": len(steps),
        "done": sum((root / step.record).exists() for step in steps),
        "work_gb": gigabytes,
        "fetch": fetch["files"],
        "fetch_gb": fetch["gigabytes"],
        "fetch_of_unknown_size": fetch["of_unknown_size"],
        **hours(scale, root),
    }


def hours(scale: str, root: Path) -> dict[str, Any]:
    """Hours of computation, and where they come from: an estimate for a GPU, or the sum of steps that were run."""
    expected = root / GPU_HOURS
    if expected.exists() and (found := read_json(expected)).get("scale") == scale:
        return {
            "hours": found["total"]["hours"],
            "hours_of": f"one {found['device']}, by operations and measured speed",
        }
    for path in (root / MEASURED.format(scale=scale), root / "results/manifest.json"):
        if path.exists() and (found := read_json(path)).get("scale") == scale:
            seconds = sum(step.get("seconds") or 0 for step in found["steps"].values())
            return {
                "hours": seconds / 3600,
                "hours_of": f"one core, the sum of all steps behind {path.relative_to(root)}",
            }
    return {"hours": None, "hours_of": None}


def read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


# --- for people -------------------------------------------------------------------------------------------------------


def describe_machine(found: dict[str, Any]) -> Iterator[str]:
    """Yield the lines that describe what `examine` found."""
    versions = ", ".join(f"{name} {here or 'missing'}" for name, here in found["packages"].items())
    yield f"atebm {found['atebm']} on Python {found['python']} ({sys.executable}): {versions}."
    here = found["machine"]
    memory = f"{here['memory_gb']:.1f} GB of memory" if here["memory_gb"] else "memory unknown"
    yield f"{here['system']}: {here['cores']} cores, {memory}, {here['free_disk_gb']:.0f} GB free on this disk."
    yield from device_lines(found["devices"])
    for name, path in found["tools"].items():
        yield f"{name}: {path or 'not on PATH; ' + TOOLS[name]}."
    yield ""
    if not found["checkout"]:
        yield (
            "This folder is no checkout of the project: scoring, the workflow and all that reads config.yaml want to "
            "be run in one. Clone the repository and go there."
        )
    elif found["archives"] is not None:
        yield from archive_lines(found["archives"])
        yield ""
        yield "What each scale needs:"
        for row in found["scales"]:
            yield scale_line(row)
    for said in found["missing"]:
        yield f"missing: {said}"
    yield "Something that is needed is missing." if found["missing"] else "Nothing that is needed is missing."


def device_lines(devices: list[dict[str, Any]]) -> Iterator[str]:
    for device in devices:
        memory = f", {device['memory_gb']:.0f} GB" if device["memory_gb"] else ""
        yield f"PyTorch computes on {device['device']}: {device['name']}{memory}."
    if len(devices) == 1:
        yield "There is no GPU: scales demo and smoke, and your own small images, want none."


def archive_lines(archives: dict[str, Any]) -> Iterator[str]:
    if not archives["here"]:
        yield "No public archive is in data/archives/; scale demo wants none."
    for file, size in archives["here"].items():
        yield f"data/archives/{file} is here, {size:.2f} GB."
    if archives["here"] and archives["absent"]:
        yield f"Not here: {', '.join(archives['absent'])}."


def scale_line(row: dict[str, Any]) -> str:
    if row["error"]:
        return f"  {row['scale']}: {row['error']}"
    parts = [f"{row['done']} of {row['steps']} steps done", f"{row['work_gb']:.3g} GB in work/"]
    if row["fetch"]:
        unknown = f", and {len(row['fetch_of_unknown_size'])} of unknown size" if row["fetch_of_unknown_size"] else ""
        parts.append(f"{len(row['fetch'])} files of {row['fetch_gb']:.3g} GB to fetch{unknown}")
    else:
        parts.append("nothing to fetch")
    parts.append("time not known" if row["hours"] is None else f"about {rounded(row['hours'])} of {row['hours_of']}")
    return f"  {row['scale']}: {'; '.join(parts)}"


def rounded(hours: float) -> str:
    return f"{hours * 60:.0f} minutes" if hours < 2 else f"{hours:,.0f} hours"
