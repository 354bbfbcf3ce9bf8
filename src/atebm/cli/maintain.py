"""Keeping a checkout: data in, results out, leftovers away, and what is generated up to date."""

import shutil
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from ..utils.errors import UserError, shown
from .options import MAINTAIN, OTHERS, Json, Overrides, archive_names, present_plan, run_names, show, verb

app = typer.Typer()
command = partial(verb, app, MAINTAIN)


@command("atebm prune --yes")
def prune(
    config: Overrides = None,
    yes: Annotated[bool, typer.Option("--yes", help="remove them; otherwise they are only listed")] = False,
    as_json: Json = False,
) -> None:
    """List, or remove, steps in work/ that no scale's plan names any more."""
    from ..config.load import scales
    from ..provenance.prune import describe_leftovers, leftovers, remove, summary

    plans = [present_plan([*(config or []), f"scale={scale}"]) for scale in scales(Path())]
    found = leftovers(plans, Path())
    if yes:
        remove(found)
    show(summary(found, removed=yes), describe_leftovers, as_json)


@command("atebm fetch cifar10")
def fetch(
    name: Annotated[
        str,
        typer.Argument(
            help="an archive, or one of its files, as data/README.md lists them", autocompletion=archive_names
        ),
    ],
    given: Annotated[
        Path | None, typer.Option("--from", help="take the file, or the files in the folder, instead of a download")
    ] = None,
    url: Annotated[str | None, typer.Option(help="download from there; http is accepted, too")] = None,
) -> None:
    """Put an archive into data/archives/, verified, or say how to get it."""
    from ..archives.fetch import fetch

    fetch(name, given, url)


@command("atebm import-weights model.pth --task celebahq256")
def import_weights(
    file: Annotated[Path, typer.Argument(help="a .pth that the authors released", exists=True, dir_okay=False)],
    task: Annotated[str, typer.Option(help="what it was trained for, such as cifar10 or celebahq256")],
    out: Annotated[Path, typer.Option(help="the folder for <task>.safetensors and <task>.json")] = Path("data/weights"),
) -> None:
    """Turn a checkpoint of the authors into weights of our network; nothing in the file is executed."""
    from ..config.load import load
    from ..inference.outputs import check_folder
    from ..models.released import import_weights

    check_folder(out)
    config, _ = load(Path(), ["scale=paper"])
    import_weights(file, task, *config.network_of(task), out)


@command("atebm warm snakemake --cores all", context_settings=OTHERS)
def warm(command: Annotated[list[str], typer.Argument(help="such as: snakemake --cores all")]) -> None:
    """Run a command in which each `python -m atebm ...` starts at once, since the libraries are imported only once."""
    from .fork_server import warm

    if shutil.which(command[0]) is None:  # asked before the libraries are imported
        raise UserError(f"{shown(command[0])}: there is no such command.")
    raise typer.Exit(warm(command))


@command("atebm docs")
def docs() -> None:
    """Bring what is generated in README.md, docs/ and data/ up to date with results/, rules and data/sources.yaml."""
    from ..archives.catalogue import write_source_table
    from ..archives.dvc_pointers import write_pointers

    write_source_table(Path("data/README.md"))
    write_pointers(Path("data/archives"))

    from ..maintenance.docs import (
        write_docs,  # not before it is known that this is a checkout: it reads data/published/
    )

    write_docs(Path())


@command("atebm crate")
def crate() -> None:
    """Describe the results and their run, by results/manifest.json, as a Workflow Run RO-Crate."""
    from ..publish.crate import CRATE_FILE, write_crate

    write_crate(Path())
    typer.echo(f"{CRATE_FILE} written.")


@app.command(hidden=True, epilog="Example: atebm extractors fashion_mnist_0")
def extractors(
    names: Annotated[list[str] | None, typer.Argument(help="by default all", show_default=False)] = None,
    write: Annotated[
        bool, typer.Option("--write", help="keep what was trained in the place of what is embedded")
    ] = False,
) -> None:
    """Train the embedded extractors again by their recipes, and say how far off each is from what is embedded."""
    from ..archives.extractors import EXTRACTORS
    from ..maintenance.extractors import remake
    from ..utils.hashing import sha256

    for made in remake(names or [], write):
        typer.echo(made.describe())
        if write:
            path = EXTRACTORS / f"{made.name}.json"
            typer.echo(f"{path.name} is written: let the configuration name it by sha256: {sha256(path)}")


@command("atebm publish-models cifar10")
def publish_models(
    runs: Annotated[
        list[str] | None,
        typer.Argument(
            help="by default those that notebooks and examples use", show_default=False, autocompletion=run_names
        ),
    ] = None,
    config: Overrides = None,
) -> None:
    """Copy trained models from work/ to models/, which lies in git, each with a card of what was measured of it."""
    from ..publish.models import publish_models

    for written in publish_models(present_plan(config), runs or [], Path()):
        print(written.describe())


@command("atebm environments")
def environments() -> None:
    """Bring environment.yml and workflow/envs/ up to date with requirements.lock."""
    from ..maintenance.environments import write_environments

    write_environments(Path())
