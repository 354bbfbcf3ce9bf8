"""How the help of `atebm` shows the commands: in groups, one line each, with characters that every terminal has."""

from collections.abc import Callable
from typing import Any

import typer
from typer.core import TyperGroup

INSPECT = "Inspect the checkout"
USE = "Use a trained model"
OWN = "Train on your own images"
MAINTAIN = "Maintain the checkout"
GROUPS = (INSPECT, USE, OWN, MAINTAIN)
PLUMBING = "Plumbing"  # commands for the workflow, the Makefile and maintainers: they have help, but are not listed

OTHERS = {"ignore_unknown_options": True, "allow_interspersed_args": False}  # for commands that pass arguments on


class Verbs(TyperGroup):
    """Commands whose help lists them by group, before the options."""

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
    """Return an app without Rich's panels and colours: Rich is slow to import, and draws boxes around the help."""
    return typer.Typer(cls=Verbs, rich_markup_mode=None, pretty_exceptions_enable=False, **more)


def verb(app: typer.Typer, panel: str, example: str, name: str | None = None, **more: Any) -> Callable[..., Any]:
    """Return a decorator that adds a command to `app`, in a group of its help and with an example."""
    return app.command(name, rich_help_panel=panel, hidden=panel == PLUMBING, epilog=f"Example: {example}", **more)
