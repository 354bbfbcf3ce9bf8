"""Jinja for the pages: it escapes everything, since names and captions come from files that anyone may have written."""

from importlib.resources import files

import jinja2


def environment() -> jinja2.Environment:
    """Return what renders the templates of this package."""
    return jinja2.Environment(
        loader=jinja2.FunctionLoader(text),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def text(name: str) -> str:
    """Return a template or a style sheet of this package."""
    return (files(__package__) / name).read_text(encoding="utf-8")
