"""Keeping a checkout: data in, leftovers away, and jobs that start faster."""

import shutil
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from ..utils.errors import UserError, shown
from .options import Json, Overrides, archive_names, present_plan, said_beside, show, task_names
from .verbs import MAINTAIN, OTHERS, group, verb

app = group()
command = partial(verb, app, MAINTAIN)


@command("atebm fetch cifar10 --from downloads/")
def fetch(
    name: Annotated[
        str,
        typer.Argument(help="An archive or a file of data/README.md.", autocompletion=archive_names),
    ],
    given: Annotated[
        Path | None,
        typer.Option("--from", help="Take the file, or the files in this folder, instead.", metavar="PATH"),
    ] = None,
    url: Annotated[str | None, typer.Option(help="Download from there; http is accepted, too.", metavar="URL")] = None,
    as_json: Json = False,
) -> None:
    """Get an archive of images, verified.

    It is put into data/archives/. Where no program may download it, the error says how to get it.
    """
    from ..archives.fetch import fetch

    with said_beside(as_json):
        files = fetch(name, given, url)
    found = [{"file": str(path), "bytes": path.stat().st_size} for path in files]
    show(found, lambda _: [], as_json)  # as lines it is said while it is done


@command("atebm prune")
def prune(
    config: Overrides = None,
    yes: Annotated[bool, typer.Option("--yes", help="Remove them; otherwise they are only listed.")] = False,
    as_json: Json = False,
) -> None:
    """List, or remove, what no plan needs any more.

    These are the steps in work/ that no scale names.
    """
    from ..config.load import scales
    from ..provenance.prune import describe_leftovers, leftovers, remove, summary

    plans = [present_plan([*(config or []), f"scale={scale}"]) for scale in scales(Path())]
    found = leftovers(plans, Path())
    if yes:
        remove(found)
    show(summary(found, removed=yes), describe_leftovers, as_json)


@command("atebm warm snakemake --cores all --dry-run", context_settings=OTHERS)
def warm(command: Annotated[list[str], typer.Argument(help="Such as: snakemake --cores all.")]) -> None:
    """Run a command whose jobs start faster.

    Each `python -m atebm ...` in it is a fork of one process that has the libraries loaded.
    """
    from .fork_server import warm

    if shutil.which(command[0]) is None:  # asked before the libraries are imported
        raise UserError(f"{shown(command[0])}: there is no such command.")
    raise typer.Exit(warm(command))


@command("atebm import-weights model.pth --task celebahq256")
def import_weights(
    file: Annotated[Path, typer.Argument(help="A .pth that the authors released.", exists=True, dir_okay=False)],
    task: Annotated[
        str, typer.Option(help="What it was trained for, such as cifar10.", metavar="TASK", autocompletion=task_names)
    ],
    out: Annotated[Path, typer.Option(help="The folder to write to.", metavar="FOLDER")] = Path("data/weights"),
    as_json: Json = False,
) -> None:
    """Import a checkpoint that the authors released.

    Writes <task>.safetensors and <task>.json; nothing in the file is executed.
    """
    from ..config.load import configured
    from ..inference.outputs import check_folder
    from ..models.released import import_weights

    check_folder(out)
    config = configured(Path(), ["scale=paper"])
    with said_beside(as_json):
        record = import_weights(file, task, *config.network_of(task), out)
    show(record, lambda _: [], as_json)
