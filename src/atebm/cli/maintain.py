"""Commands that maintain a checkout: fetching data, removing leftovers, and starting jobs faster."""

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
        typer.Argument(help="An archive or a file listed in data/README.md.", autocompletion=archive_names),
    ],
    given: Annotated[
        Path | None,
        typer.Option("--from", help="Take this file, or the files in this folder, instead.", metavar="PATH"),
    ] = None,
    url: Annotated[
        str | None, typer.Option(help="Download from this address; http is accepted too.", metavar="URL")
    ] = None,
    as_json: Json = False,
) -> None:
    """Download and verify an archive of images.

    Puts it into data/archives/. If a program may not download it, the error says how to get it.
    """
    from ..archives.fetch import fetch

    with said_beside(as_json):
        files = fetch(name, given, url)
    found = [{"file": str(path), "bytes": path.stat().st_size} for path in files]
    show(found, lambda _: [], as_json)  # for people, lines were printed on the way


@command("atebm prune")
def prune(
    config: Overrides = None,
    yes: Annotated[bool, typer.Option("--yes", help="Remove them; otherwise they are only listed.")] = False,
    as_json: Json = False,
) -> None:
    """List or remove steps that no scale needs any more.

    Looks at the steps in work/.
    """
    from ..config.load import scales
    from ..provenance.prune import describe_leftovers, leftovers, remove, summary

    plans = [present_plan([*(config or []), f"scale={scale}"]) for scale in scales(Path())]
    found = leftovers(plans, Path())
    if yes:
        remove(found)
    show(summary(found, removed=yes), describe_leftovers, as_json)


@command("atebm warm snakemake --cores all --dry-run", context_settings=OTHERS)
def warm(command: Annotated[list[str], typer.Argument(help="The command, such as: snakemake --cores all.")]) -> None:
    """Run a command with jobs that start faster.

    Each `python -m atebm ...` in it becomes a fork of one process that has the libraries loaded.
    """
    from .fork_server import warm

    if shutil.which(command[0]) is None:  # checked before the libraries are imported
        raise UserError(f"there is no command {shown(command[0])}.")
    raise typer.Exit(warm(command))


@command("atebm import-weights model.pth --task celebahq256")
def import_weights(
    file: Annotated[Path, typer.Argument(help="A .pth file from the authors.", exists=True, dir_okay=False)],
    task: Annotated[
        str, typer.Option(help="The task it was trained for: cifar10, ...", metavar="TASK", autocompletion=task_names)
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
