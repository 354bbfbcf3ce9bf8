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

# Former commands, and what to use instead.
GONE = {
    **dict.fromkeys(KINDS, "use `atebm step SPEC`; see `atebm step --help`"),
    "sample": "to generate images, use `atebm apply sample`; to compute a step of the workflow, `atebm step SPEC`",
    "train": "to train on your images, use `atebm own`; to compute a step of the workflow, `atebm step SPEC`",
    "gather": "use `atebm join SPEC SHARDS`; see `atebm join --help`",
    "list": "use `atebm status artifacts`, or runs, sets or scales in place of artifacts",
    "plan": "use `atebm cost`",
}
HELP = {"help_option_names": ["-h", "--help"]}


class WithGone(Verbs):
    """The commands, with a message for former ones."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args[0] in GONE and args[0] not in self.commands:
            ctx.fail(f"there is no command `{args[0]}`: {GONE[args[0]]}.")
        return super().resolve_command(ctx, args)


app = typer.Typer(
    cls=WithGone,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    context_settings=HELP,
    epilog="Example: atebm apply sample --count 64. "
    "For help on a command: atebm COMMAND -h. Exit codes: 0 success; 1 findings, or an error; 2 wrong usage; "
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
        os.environ.setdefault(name, one)  # as in Snakemake's jobs: the last bits must not depend on the caller
    for stream in (sys.stdout, sys.stderr):  # file names can have characters that the terminal's encoding lacks
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    as_json = "--json" in sys.argv
    try:
        # completion needs this name, however the program was called; with --json, wrong usage is reported below
        ended = app(prog_name="atebm", standalone_mode=not as_json)
    except UserError as error:
        fail(str(error), error.exit_code, as_json)
    except typer.TyperException as error:
        fail(error.format_message(), error.exit_code, as_json)
    except (OSError, RuntimeError, MemoryError) as error:
        if (message := sentence(error)) is None:
            raise
        fail(message, 1, as_json)
    sys.exit(ended)


def fail(message: str, code: int, as_json: bool) -> NoReturn:
    """Print the message to standard error, or as JSON to standard output, and exit."""
    if as_json:
        print(json.dumps({"error": message, "exit_code": code}, indent=1))
    else:
        print(f"error: {message}", file=sys.stderr)
    sys.exit(code)
