"""How the verbs of `atebm` are shown: in groups, a line each, in letters that every terminal has."""

from collections.abc import Callable
from typing import Any

import typer
from typer.core import TyperGroup

INSPECT = "Look at what is here"
USE = "Use a trained model"
OWN = "Your own images"
MAINTAIN = "Keep the checkout"
GROUPS = (INSPECT, USE, OWN, MAINTAIN)
PLUMBING = "Plumbing"  # what rules of the workflow, the Makefile and maintainers call: it has help, and is in no list

OTHERS = {"ignore_unknown_options": True, "allow_interspersed_args": False}  # of commands whose arguments are another's


class Verbs(TyperGroup):
    """Verbs whose help shows them by groups, before the options."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        self.format_commands(ctx, formatter)
        options = [record for option in self.get_params(ctx) if (record := option.get_help_record(ctx))]
        with formatter.section("Options"):
            formatter.write_dl(options)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        shown = {name: command for name, command in self.commands.items() if not command.hidden}
        room = formatter.width - 6 - max(map(len, shown))
        panels = {name: getattr(command, "rich_help_panel", None) or "Commands" for name, command in shown.items()}
        for panel in (*GROUPS, "Commands"):
            if rows := [(name, shown[name].get_short_help_str(room)) for name in shown if panels[name] == panel]:
                with formatter.section(panel):
                    formatter.write_dl(rows)


def group(**more: Any) -> typer.Typer:
    """Return an app without panels and colours: Rich takes longer to import than help to be read, and boxes lines."""
    return typer.Typer(cls=Verbs, rich_markup_mode=None, pretty_exceptions_enable=False, **more)


def verb(app: typer.Typer, panel: str, example: str, name: str | None = None, **more: Any) -> Callable[..., Any]:
    """Return a decorator that makes a command of `app`, shown in a group of the help, with an example."""
    return app.command(name, rich_help_panel=panel, hidden=panel == PLUMBING, epilog=f"Example: {example}", **more)
