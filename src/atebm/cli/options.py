"""What verbs share: their groups, examples, options, and the completion of names."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    import torch

    from ..pipeline.plan import Plan

INSPECT = "Look at what is here"
USE = "Use a trained run"
OWN = "Your own images"
MAINTAIN = "Keep the checkout"
STEPS = "Steps of the workflow, which its rules call"

OTHERS = {"ignore_unknown_options": True, "allow_interspersed_args": False}  # of commands whose arguments are another's


def verb(app: typer.Typer, group: str, example: str, name: str | None = None, **more: Any) -> Callable[..., Any]:
    """Return a decorator that makes a command of `app`, shown in a group of the help, with an example."""
    return app.command(name, rich_help_panel=group, epilog=f"Example: {example}", **more)


# --- completion: cheap, and silent where there is no checkout ---------------------------------------------------------


def run_names(incomplete: str) -> list[str]:
    """Return runs of config.yaml, and of scales that have some of their own."""
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
    """Return runs, and the models of models/."""
    from ..models.committed import committed, name_of

    return run_names(incomplete) + [name for name in map(name_of, committed(Path())) if name.startswith(incomplete)]


def artifact_names(incomplete: str) -> list[str]:
    from ..pipeline.artifacts import ARTIFACTS

    return [name for name in ARTIFACTS if name.startswith(incomplete)]


def named(incomplete: str) -> list[str]:
    """Return what `explain` knows by name."""
    return artifact_names(incomplete) + run_names(incomplete)


def archive_names(incomplete: str) -> list[str]:
    from ..archives.catalogue import sources

    return [name for name in dict.fromkeys(source.archive for source in sources()) if name.startswith(incomplete)]


def override(incomplete: str) -> list[str]:
    from ..config.load import scales

    return [text for name in scales(Path()) if (text := f"scale={name}").startswith(incomplete)]


# --- options ----------------------------------------------------------------------------------------------------------

Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--config",
        "-C",
        help='as Snakemake\'s, "scale=paper"; repeat for more',
        autocompletion=override,
        metavar="KEY=VALUE",
    ),
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or mps", envvar="ATEBM_DEVICE")]
Json = Annotated[bool, typer.Option("--json", help="all of it as JSON, for programs")]
RunName = Annotated[
    str,
    typer.Option(
        "--run",
        help="whose model, as `atebm status runs` lists them; or one of models/, demo/cifar10",
        autocompletion=model_names,
    ),
]


def present_plan(overrides: list[str] | None) -> "Plan":
    """Return the plan of the checkout that the command runs in."""
    from ..config.load import load
    from ..pipeline.plan import Plan

    return Plan(load(Path(), overrides or [])[0], overrides or [])


def above_zero(value: float | None) -> float | None:
    """Check that the numbers of an option are finite and above 0: bounds of options hold for neither 0 nor NaN."""
    if value is not None and not 0 < value < float("inf"):
        raise typer.BadParameter(f"{value} is not above 0 and finite")
    return value


def pick_device(device: str) -> "torch.device":
    """Return the torch device of this name, and import torch only now."""
    from ..device.select import pick_device

    return pick_device(device)


def show(found: Any, lines: Callable[[Any], Iterable[str] | Iterator[str]], as_json: bool) -> None:
    """Print what was found: as JSON, or as lines for people."""
    if as_json:
        print(json.dumps(found, indent=1))
        return
    for line in lines(found):
        print(line)


def note(said: Iterable[str], kind: str = "note") -> None:
    """Say something beside what a command prints: on standard error, so that the rest stays a table or JSON."""
    sys.stdout.flush()
    for line in said:
        print(f"{kind}: {line}", file=sys.stderr)
