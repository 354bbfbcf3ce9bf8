"""What the Makefile and whoever keeps this repository calls; the help of `atebm` does not list it."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from .options import Overrides, artifact_names, present_plan, run_names
from .verbs import PLUMBING, group, verb

app = group()
command = partial(verb, app, PLUMBING)


@command("atebm headline table2")
def headline(
    artifacts: Annotated[list[str], typer.Argument(help="such as table2", autocompletion=artifact_names)],
    config: Overrides = None,
) -> None:
    """Say in one line what an artifact found, and what the paper published."""
    from ..maintenance.docs import headline

    plan = present_plan(config)
    for name in artifacts:
        print(headline(name, plan, Path()))


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

    from ..publish.page import citation
    from ..utils.files import write_between

    write_between(Path("README.md"), "citation", f"```bibtex\n{citation()}\n```")


@command("atebm crate")
def crate() -> None:
    """Describe the results and their run, by results/manifest.json, as a Workflow Run RO-Crate."""
    from ..publish.crate import CRATE_FILE, write_crate

    write_crate(Path())
    typer.echo(f"{CRATE_FILE} written.")


@command("atebm extractors fashion_mnist_0")
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
