"""Check this machine and this folder, say in sentences what is missing, and list what each scale needs."""

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

from ..utils.columns import columns
from ..utils.errors import UserError
from ..utils.quantities import duration, rounded, size

SHOWN = ("torch", "torchvision", "numpy", "snakemake", "dvc", "papermill")  # packages whose versions are shown
TOOLS = {  # commands of other packages, and what each is for
    "snakemake": "runs the workflow and is in the environment's bin/: source .venv/bin/activate",
    "git": "is needed only to clone, and to name the commit in results/manifest.json",
    "dvc": "is needed only to pull and push results that were computed elsewhere",
    "conda": "is needed only for --use-conda; without it, jobs run in the present environment",
    "nvidia-smi": "is needed only for NVIDIA GPUs",
}
WRITTEN = (".snakemake", "data/archives", "logs", "results", "work")  # folders that the workflow writes to
MEASURED = "results/scales/{scale}/manifest.json"
TESTED = ("miniature",)  # scales whose archives tests build
GPU_HOURS = "data/expected/{scale}_h100.json"


def own_version() -> str:
    """Return the version of the installed package."""
    return metadata.version("atebm")


def examine(root: Path, scales: bool = False) -> dict[str, Any]:
    """Return all checks as JSON; with `scales` also what each scale needs, which takes seconds.

    `missing` holds a sentence for each thing without which nothing works.
    """
    missing, packages = requirements()
    here = devices()
    if not here:
        missing.append("PyTorch cannot be loaded, so nothing can be trained or scored here: install it again.")
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
        found["scales"] = needs_of_scales(root) if scales else []
    return found


def requirements() -> tuple[list[str], dict[str, str | None]]:
    """Return sentences on packages that are missing or have a wrong version, and the versions of some packages."""
    said = []
    for text in metadata.requires("atebm") or []:
        wanted = Requirement(text)
        if wanted.marker and not wanted.marker.evaluate({"extra": ""}):
            continue
        here = version(wanted.name)
        if here is None:
            said.append(f"{wanted.name} is not installed: pip install -r requirements.lock.")
        elif not wanted.specifier.contains(here, prereleases=True):
            said.append(f"{wanted.name} is {here}, but must be {wanted.specifier}: pip install -r requirements.lock.")
    return said, {name: version(name) for name in SHOWN}


def unwritable(root: Path) -> list[str]:
    """Return sentences on folders that the workflow must write to but cannot."""
    said = []
    try:
        tempfile.gettempdir()
    except OSError:
        said.append("there is no writable folder for temporary files: set TMPDIR to one.")
    # Jupyter, IPython, matplotlib and PyTorch use a temporary folder if the home folder cannot be written
    if (cache := snakemake_cache()) and not can_be_written(cache):
        said.append(
            f"Snakemake needs a cache in {cache}, which cannot be written: set XDG_CACHE_HOME to a writable folder."
        )
    if is_checkout(root) and not all(can_be_written(root / name) for name in WRITTEN):
        said.append(
            f"the workflow keeps its results in {root.resolve()}, which cannot be written: copy the folder elsewhere."
        )
    return said


def snakemake_cache() -> Path | None:
    """Return the folder of Snakemake's cache; None without Snakemake."""
    try:
        from platformdirs import user_cache_dir  # installed and used by Snakemake
    except ImportError:
        return None
    return Path(user_cache_dir("snakemake", "snakemake"))


def can_be_written(folder: Path) -> bool:
    """Return whether files can be created in a folder, or the folder itself, by creating a temporary file."""
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
    """Return the cores that this process may use, and GB of memory and free disk; None for unknown memory."""
    free = shutil.disk_usage(root).free
    try:
        memory: float | None = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    except (ValueError, OSError, AttributeError):
        memory = None
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"system": platform.platform(), "cores": cores, "memory_gb": memory, "free_disk_gb": free / 1e9}


def devices() -> list[dict[str, Any]]:
    """Return the devices that PyTorch can compute on, fastest first; [] without PyTorch."""
    try:
        import torch
    except (ImportError, OSError):  # PyTorch or one of its libraries is not installed
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
    """Return the files of public archives in data/archives/ with their sizes, and the archives that are missing."""
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

    return [needs(scale, root) for scale in scales(root) if scale not in TESTED]


def needs(scale: str, root: Path) -> dict[str, Any]:
    """Return a scale's steps, how many are done, gigabytes in work/ and to fetch, and hours if they are known."""
    from ..config.load import configured
    from ..cost.disk import size
    from ..cost.table import archives_to_fetch
    from ..pipeline.plan import Plan

    try:
        plan = Plan(configured(root, [f"scale={scale}"]))
        steps = list(plan.steps.values())
        fetch = archives_to_fetch(steps, root)
        gigabytes = sum(size(plan, step) for step in steps) / 1e9
    except (UserError, OSError, ImportError) as error:  # Snakemake's plugins call other programs during import
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
    """Return the hours of computation and their source: an estimate for a GPU, or the sum over measured steps."""
    expected = root / GPU_HOURS.format(scale=scale)
    if expected.exists() and (found := read_json(expected)).get("scale") == scale:
        return {
            "hours": found["total"]["hours"],
            "hours_of": f"one {found['device']}, estimated from operations and measured speed",
        }
    for path in (root / MEASURED.format(scale=scale), root / "results/manifest.json"):
        if path.exists() and (found := read_json(path)).get("scale") == scale:
            seconds = sum(step.get("seconds") or 0 for step in found["steps"].values())
            return {
                "hours": seconds / 3600,
                "hours_of": f"one core, summed over all steps in {path.relative_to(root)}",
            }
    return {"hours": None, "hours_of": None}


def read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


# --- for people -------------------------------------------------------------------------------------------------------

GOOD, BAD, WITHOUT = "ok", "missing", "without"  # without: missing, but only some things need it
MARKS = {GOOD: "\u2713", BAD: "\u2717", WITHOUT: "-"}
PLAIN = {GOOD: "ok", BAD: "!!", WITHOUT: "-"}  # for terminals without these signs

Check = tuple[str, str, str]  # state, finding, remedy


def describe_machine(found: dict[str, Any]) -> Iterator[str]:
    """Yield a marked line for each check of `examine`, and below it the remedy."""
    marks = MARKS if can_show("".join(MARKS.values())) else PLAIN
    for state, what, remedy in checks(found):
        yield f"{marks[state]:{max(map(len, marks.values()))}} {what}"
        if remedy:
            yield f"    {remedy}"
    if found["scales"]:
        yield ""
        yield from columns([SCALE_HEAD, *map(scale_cells, found["scales"])])
    yield ""
    broken = len(found["missing"])
    yield f"Missing requirements: {broken}." if broken else "Everything that is required is here."


def can_show(text: str) -> bool:
    """Return whether the encoding of standard output can show a text."""
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "ascii")
    except UnicodeEncodeError:
        return False
    return True


def checks(found: dict[str, Any]) -> Iterator[Check]:
    """Yield the checks: first missing requirements, then what is here, then what only some things need."""
    yield from ((BAD, *(part.strip() for part in said.partition(":")[::2])) for said in found["missing"])
    versions = ", ".join(f"{name} {here}" for name, here in found["packages"].items() if here)
    yield GOOD, f"atebm {found['atebm']}, Python {found['python']}, {versions}", ""
    machine = found["machine"]
    memory = f"{rounded(machine['memory_gb'])} GB of memory" if machine["memory_gb"] else "memory unknown"
    yield GOOD, f"{machine['cores']} cores, {memory}, {rounded(machine['free_disk_gb'])} GB of free disk", ""
    yield from device_checks(found["devices"])
    for name, path in found["tools"].items():
        if name != "nvidia-smi":
            yield (GOOD, name, "") if path else (WITHOUT, f"{name} is not on PATH", f"It {TOOLS[name]}.")
    if not found["checkout"]:
        yield (
            WITHOUT,
            "this folder is not a checkout",
            "Clone the repository and change to its folder: every command except `doctor` needs one.",
        )
    elif found["archives"] is not None:
        yield from archive_checks(found["archives"])


def device_checks(devices: list[dict[str, Any]]) -> Iterator[Check]:
    for device in devices:
        memory = f", {rounded(device['memory_gb'])} GB" if device["memory_gb"] else ""
        yield GOOD, f"PyTorch computes on {device['device']}: {device['name']}{memory}", ""
    if len(devices) == 1:
        yield WITHOUT, "no GPU", "The paper scale needs one; demo, smoke and your own small images do not."


def archive_checks(archives: dict[str, Any]) -> Iterator[Check]:
    here, absent = archives["here"], archives["absent"]
    if here:
        yield GOOD, f"{len(here):,} files in data/archives/, {rounded(sum(here.values()))} GB", ""
    if absent:
        yield (
            WITHOUT,
            f"{len(absent)} public archives are not in data/archives/",
            "The paper scale reads them: data/README.md lists them, and `atebm fetch NAME` downloads one.",
        )
    yield GOOD, "embedded images and models, for the demo scale and `atebm apply`", ""


SCALE_HEAD = ("scale", "steps done", "work/", "to fetch", "time")


def scale_cells(row: dict[str, Any]) -> tuple[str, ...]:
    """Return the cells of a scale's row."""
    if row["error"]:
        return row["scale"], row["error"], "", "", ""
    unknown = len(row["fetch_of_unknown_size"])
    sized = f"{size(row['fetch_gb'] * 1e9)}" if row["fetch_gb"] else ""
    more = f"{unknown} of unknown size" if unknown else ""
    fetch = f"{len(row['fetch'])} files: {' and '.join(part for part in (sized, more) if part)}" if row["fetch"] else ""
    time = f"{duration(row['hours'])} of {row['hours_of']}" if row["hours"] else "see `atebm cost`"
    return row["scale"], f"{row['done']:,} of {row['steps']:,}", size(row["work_gb"] * 1e9), fetch or "nothing", time
