"""Learn energy-based models with adversarial training: every figure and table of the paper, and the method as a tool
for your own images. Run it in the folder of the checkout.
"""

import json
import os
import sys
from io import TextIOWrapper
from typing import Annotated, Any, NoReturn

import typer

from ..pipeline.kinds import KINDS
from ..utils.errors import UserError, sentence
from ..utils.processes import THREADS
from . import inspect, maintain, plumbing, steps, use
from .verbs import Verbs

# Verbs that are gone, and what took their place.
GONE = {
    **dict.fromkeys(KINDS, "`atebm step SPEC` does it; see `atebm step --help`"),
    "sample": "`atebm apply sample` generates images; a step of the workflow is computed by `atebm step SPEC`",
    "train": "`atebm own` trains on your images by way of the workflow, whose steps `atebm step SPEC` computes",
    "gather": "`atebm join SPEC SHARDS` does it; see `atebm join --help`",
    "list": "`atebm status artifacts`, or runs, sets, scales, does it",
    "plan": "`atebm cost` does it",
}
HELP = {"help_option_names": ["-h", "--help"]}


class WithGone(Verbs):
    """The verbs, and a sentence for those that are gone."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args[0] in GONE and args[0] not in self.commands:
            ctx.fail(f"`{args[0]}` is no verb: {GONE[args[0]]}.")
        return super().resolve_command(ctx, args)


app = typer.Typer(
    cls=WithGone,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    context_settings=HELP,
    epilog="Example: atebm apply sample --count 64. "
    "Each verb has its own: atebm VERB -h. Exit codes: 0 fine; 1 findings, or an error, in a sentence; 2 wrong usage; "
    "128 + n ended by signal n.",
)
for group in (inspect, use, maintain, steps, plumbing):
    app.add_typer(group.app)


def print_version(wanted: bool) -> None:
    if wanted:
        from ..maintenance.doctor import own_version

        print(f"atebm {own_version()}")
        raise typer.Exit()


@app.callback(help=__doc__)
def options(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=print_version, is_eager=True)
    ] = False,
) -> None:
    pass


def main() -> None:
    for name, one in THREADS.items():
        os.environ.setdefault(name, one)  # as in Snakemake's jobs: the last bits must not depend on who calls
    for stream in (sys.stdout, sys.stderr):  # names of files can hold what a terminal's encoding has no letters for
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    as_json = "--json" in sys.argv
    try:
        # however it was called: completion goes by this name. Where JSON is asked for, wrong usage is told below
        ended = app(prog_name="atebm", standalone_mode=not as_json)
    except UserError as error:
        fail(str(error), error.exit_code, as_json)
    except typer.TyperException as error:
        fail(error.format_message(), error.exit_code, as_json)
    except (OSError, RuntimeError, MemoryError) as error:
        if (said := sentence(error)) is None:
            raise
        fail(said, 1, as_json)
    sys.exit(ended)


def fail(said: str, code: int, as_json: bool) -> NoReturn:
    """Say what is wrong, on standard error; a program that asked for JSON is told as JSON, where it reads."""
    if as_json:
        print(json.dumps({"error": said, "exit_code": code}, indent=1))
    else:
        print(f"error: {said}", file=sys.stderr)
    sys.exit(code)
