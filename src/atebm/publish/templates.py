"""Set up Jinja for the pages. It escapes everything, since anyone may have written the files that texts come from."""

from importlib.resources import files

import jinja2


def environment() -> jinja2.Environment:
    """Return the environment that renders the templates of this package."""
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
