"""Learning energy-based models with adversarial training: every figure and table of the paper, and the method as a tool
for your own images.

Run it in the folder of the checkout; snakemake computes what there is to compute.
"""

import os
import sys
from io import TextIOWrapper
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from ..pipeline.kinds import KINDS
from ..utils.errors import UserError, sentence
from ..utils.processes import THREADS
from . import inspect, maintain, steps, use

GONE = {**dict.fromkeys(KINDS, "step SPEC"), "gather": "join SPEC SHARDS"}  # verbs, and what took their place


class Verbs(TyperGroup):
    """The verbs, and a sentence for those that are gone."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args[0] in GONE and args[0] not in self.commands:
            ctx.fail(f"`{args[0]}` is no verb any more: `atebm {GONE[args[0]]}` does it; see `atebm step --help`.")
        return super().resolve_command(ctx, args)


app = typer.Typer(
    cls=Verbs,
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    epilog="Example: atebm doctor. "
    "Exit codes: 0 fine; 1 findings, or an error that is said in a sentence; 2 wrong usage; 128 + n ended by signal n.",
)
for group in (inspect, use, maintain, steps):
    app.add_typer(group.app)


def print_version(wanted: bool) -> None:
    if wanted:
        from ..maintenance.doctor import own_version

        print(f"atebm {own_version()}")
        raise typer.Exit()


@app.callback(help=__doc__)
def options(
    version: Annotated[
        bool, typer.Option("--version", help="print the version and leave", callback=print_version, is_eager=True)
    ] = False,
) -> None:
    pass


def main() -> None:
    for name, one in THREADS.items():
        os.environ.setdefault(name, one)  # as in Snakemake's jobs: the last bits must not depend on who calls
    for stream in (sys.stdout, sys.stderr):  # names of files can hold what a terminal's encoding has no letters for
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        app(prog_name="atebm")  # however it was called: completion goes by this name
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except (OSError, RuntimeError, MemoryError) as error:
        if (said := sentence(error)) is None:
            raise
        print(f"error: {said}", file=sys.stderr)
        sys.exit(1)
