"""Options, completion of names and printing, shared by several commands."""

import json
import sys
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    import torch

    from ..inference.trained import Trained
    from ..pipeline.plan import Plan

# --- completion: cheap, and silent if there is no checkout ------------------------------------------------------------


def run_names(incomplete: str) -> list[str]:
    """Return the runs of config.yaml and of the scales."""
    from ..utils.documents import mapping
    from ..utils.errors import ConfigError

    found: dict[str, None] = {}
    for path in (Path("config.yaml"), *sorted(Path("workflow/scales").glob("*.yaml"))):
        try:
            found |= dict.fromkeys(mapping(str(path), path.read_text(encoding="utf-8"))["runs"])
        except (OSError, ConfigError, KeyError, TypeError, UnicodeDecodeError):
            continue
    return [name for name in found if name.startswith(incomplete)]


def model_names(incomplete: str) -> list[str]:
    """Return the runs, and the models in models/."""
    from ..models.committed import committed, name_of

    return run_names(incomplete) + [name for name in map(name_of, committed(Path())) if name.startswith(incomplete)]


def artifact_names(incomplete: str) -> list[str]:
    from ..pipeline.artifacts import ARTIFACTS

    return [name for name in ARTIFACTS if name.startswith(incomplete)]


def named(incomplete: str) -> list[str]:
    """Return the names that `explain` accepts."""
    return artifact_names(incomplete) + run_names(incomplete)


def archive_names(incomplete: str) -> list[str]:
    from ..archives.catalogue import sources

    return [name for name in dict.fromkeys(source.archive for source in sources()) if name.startswith(incomplete)]


def key_names(incomplete: str) -> list[str]:
    """Return the sections of config.yaml, and their named entries."""
    from ..utils.documents import mapping
    from ..utils.errors import ConfigError

    try:
        found = mapping("config.yaml", Path("config.yaml").read_text(encoding="utf-8"))
    except (OSError, ConfigError, UnicodeDecodeError):
        return []
    known = [*found, *(f"{key}.{name}" for key, below in found.items() if isinstance(below, dict) for name in below)]
    return [name for name in known if name.startswith(incomplete)]


def task_names(incomplete: str) -> list[str]:
    """Return the tasks of config.yaml."""
    return [name.removeprefix("tasks.") for name in key_names(f"tasks.{incomplete}")]


def devices(incomplete: str) -> list[str]:
    return [name for name in ("auto", "cpu", "cuda", "mps") if name.startswith(incomplete)]


def sizes(incomplete: str) -> list[str]:
    from ..data.own_images import SIZES

    return [str(size) for size in SIZES if str(size).startswith(incomplete)]


def override(incomplete: str) -> list[str]:
    from ..config.load import scales

    return [text for name in scales(Path()) if (text := f"scale={name}").startswith(incomplete)]


# --- options ----------------------------------------------------------------------------------------------------------

Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--config",
        "-C",
        help="Override a key of config.yaml, such as scale=paper; repeatable.",
        autocompletion=override,
        metavar="KEY=VALUE",
    ),
]
Device = Annotated[
    str,
    typer.Option(
        help="The device to compute on: auto, cpu, cuda or mps.",
        envvar="ATEBM_DEVICE",
        metavar="DEVICE",
        autocompletion=devices,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs, including errors.")]
RunName = Annotated[
    str | None,
    typer.Option(
        "--run",
        help="The model: a run listed by `atebm status runs`, or a model in models/, such as demo/cifar10.",
        autocompletion=model_names,
        metavar="RUN",
        show_default="the paper's run for it, or its model in models/",
    ),
]
Images = Annotated[
    list[Path], typer.Argument(help="Image files, or folders of them.", exists=True, metavar="IMAGES...")
]
Fits = Literal["squash", "crop"]
FIT = typer.Option(help="How to make images square: squash the whole image, or crop its middle.")
Fit = Annotated[Fits, FIT]


def present_plan(overrides: list[str] | None) -> "Plan":
    """Return the plan of the checkout in which the command runs."""
    from ..config.load import configured
    from ..pipeline.plan import Plan

    return Plan(configured(Path(), overrides or []), overrides or [])


def model_of(run: str | None, usual: str, overrides: list[str] | None) -> "Trained":
    """Return the trained model of this checkout with a name, or that of the usual run if no name is given.

    A model in models/ needs no plan, which would take a second. Raises ConfigError if there is no such model.
    """
    from ..inference.trained import Committed, find_run, find_usual
    from ..models.committed import find_committed

    if run and (folder := find_committed(run, Path())):
        return Committed.read(folder)
    plan = present_plan(overrides)
    return find_run(plan, run, Path()) if run else find_usual(plan, usual, Path())


def above_zero(value: float | None) -> float | None:
    """Check that an option's value is finite and above 0: Typer's bounds would accept 0 and NaN."""
    if value is not None and not 0 < value < float("inf"):
        raise typer.BadParameter(f"{value} is not a finite number above 0")
    return value


def pick_device(device: str) -> "torch.device":
    """Return the torch device of this name; torch is imported only now."""
    from ..device.select import pick_device

    return pick_device(device)


def show(found: Any, lines: Callable[[Any], Iterable[str]], as_json: bool) -> None:
    """Print the findings as JSON, or as lines for people."""
    if as_json:
        print(json.dumps(found, indent=1))
        return
    for line in lines(found):
        print(line)


def said_beside(as_json: bool) -> AbstractContextManager[Any]:
    """Return a context that redirects prints to standard error if standard output must be JSON."""
    return redirect_stdout(sys.stderr) if as_json else nullcontext()


def note(said: Iterable[str], kind: str = "note") -> None:
    """Print notes to standard error, so that standard output stays a table or JSON."""
    sys.stdout.flush()
    for line in said:
        print(f"{kind}: {line}", file=sys.stderr)
