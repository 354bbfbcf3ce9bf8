"""Commands for the Makefile and for maintainers of this repository; the help of `atebm` does not list them."""

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
    artifacts: Annotated[list[str], typer.Argument(help="Artifacts, such as table2.", autocompletion=artifact_names)],
    config: Overrides = None,
) -> None:
    """Print in one line the result of each artifact, and the published result."""
    from ..maintenance.docs import headline

    plan = present_plan(config)
    for name in artifacts:
        print(headline(name, plan, Path()))


@command("atebm docs")
def docs() -> None:
    """Update the generated parts of README.md, docs/ and data/ from results/, the rules and data/sources.yaml."""
    from ..archives.catalogue import write_source_table
    from ..archives.dvc_pointers import write_pointers

    write_source_table(Path("data/README.md"))
    write_pointers(Path("data/archives"))

    from ..maintenance.docs import (
        write_docs,  # imported only here, where this is known to be a checkout: it reads data/published/
    )

    write_docs(Path())

    from ..publish.page import citation
    from ..utils.files import write_between

    write_between(Path("README.md"), "citation", f"```bibtex\n{citation()}\n```")


@command("atebm crate")
def crate() -> None:
    """Describe the results in results/manifest.json, and their run, as a Workflow Run RO-Crate."""
    from ..publish.crate import CRATE_FILE, write_crate

    write_crate(Path())
    typer.echo(f"{CRATE_FILE} written.")


@command("atebm extractors fashion_mnist_0")
def extractors(
    names: Annotated[list[str] | None, typer.Argument(help="Extractors; by default all.", show_default=False)] = None,
    write: Annotated[
        bool, typer.Option("--write", help="Replace the embedded extractors by the newly trained ones.")
    ] = False,
) -> None:
    """Train the embedded extractors again by their recipes, and print how much each differs from the embedded one."""
    from ..archives.extractors import EXTRACTORS
    from ..maintenance.extractors import remake
    from ..utils.hashing import sha256

    for made in remake(names or [], write):
        typer.echo(made.describe())
        if write:
            path = EXTRACTORS / f"{made.name}.json"
            typer.echo(f"{path.name} is written: set its sha256 in the configuration to {sha256(path)}")


@command("atebm publish-models cifar10")
def publish_models(
    runs: Annotated[
        list[str] | None,
        typer.Argument(
            help="Runs; by default those used in notebooks and examples.", show_default=False, autocompletion=run_names
        ),
    ] = None,
    config: Overrides = None,
) -> None:
    """Copy trained models from work/ to models/, which is in git, each with a model card of its measurements."""
    from ..publish.models import publish_models

    for written in publish_models(present_plan(config), runs or [], Path()):
        print(written.describe())


@command("atebm environments")
def environments() -> None:
    """Update environment.yml and workflow/envs/ from requirements.lock."""
    from ..maintenance.environments import write_environments

    write_environments(Path())
