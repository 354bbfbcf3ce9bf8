"""Make parts of the site while mkdocs builds it: equations, and two pages of the reference, which then cannot go stale.

Git has the texts of these two pages, with a line GENERATED that is replaced here.
"""

import html
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))
from atebm.config.base import Section, sections
from atebm.config.schema import Config
from atebm.publish import equations

GENERATED = "<!-- here the site has what docs/hooks.py makes -->"


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    make = MADE.get(page.file.src_uri)
    return markdown.replace(GENERATED, make()) if make else markdown


def on_page_content(content: str, **_: Any) -> str:
    """Replace the TeX that pymdownx.arithmatex has marked by MathML, which browsers draw by themselves."""
    pattern = r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>'
    return re.sub(pattern, mathml, content, flags=re.DOTALL)


def mathml(found: re.Match[str]) -> str:
    # MathML has no column for equation numbers.
    tex = re.sub(r"\\tag{(.*?)}", r"\\qquad \\text{(\1)}", html.unescape(found[2]).strip())
    if found[1] == "span":
        return equations.mathml(tex)
    return f'<div style="overflow-x: auto">{equations.mathml(tex, "block")}</div>'  # may exceed a phone


# --- the command line -------------------------------------------------------------------------------------------------


def command_line() -> str:
    """Return every command with its arguments and options, from typer."""
    command = [sys.executable, "-m", "typer", "atebm.cli.app", "utils", "docs", "--name", "atebm"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    told = re.sub(r"<(?=[a-z_ ]+>)", "&lt;", told)  # <file> is not an HTML tag
    return re.sub(r"^#", "##", told.partition("\n")[2], flags=re.MULTILINE)


# --- the configuration ------------------------------------------------------------------------------------------------


def keys() -> str:
    """Return a table for each section of config.yaml: key, type, default, meaning, and place in the paper."""
    schemas = Config.model_json_schema()
    specs = {"Config": schemas, **schemas["$defs"]}
    models = {model.__name__: model for model in sections(Section)}
    return "\n\n".join(table(models[name], specs[name]) for name in in_order("Config", specs))


def in_order(first: str, sections: dict[str, Any]) -> list[str]:
    """Return the names of the sections, in the order in which others first refer to them."""
    found = [first]
    for name in found:
        names = re.findall(r"#/\$defs/(\w+)", str(sections[name].get("properties", "")))
        found += [other for other in dict.fromkeys(names) if other not in found]
    return found


def table(model: type[Section], schema: dict[str, Any]) -> str:
    rows = ["| key | type | default | meaning | source, if different |", "|---|---|---|---|---|"]
    for key, spec in schema["properties"].items():
        words = spec["description"] + (f" ({spec['unit']})" if "unit" in spec else "")
        default = "" if key in schema.get("required", []) else f"`{yaml(spec.get('default'))}`"
        cells = (f"`{key}`", typed(spec), default, words, spec.get("source", ""))
        rows.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    name = model.__name__
    title = "The file as a whole" if model is Config else name
    purpose = " ".join((model.__dict__.get("__doc__") or "").split())
    return "\n".join([f"### {title} {{ #{name} }}", "", f"{purpose} Source: {model.paper.where}.".lstrip(), "", *rows])


def typed(spec: dict[str, Any]) -> str:
    """Return a JSON schema in words, with links to the sections that it refers to."""
    if "$ref" in spec:
        name = spec["$ref"].rpartition("/")[2]
        return f"[{name}](#{name})"
    if "const" in spec:
        return f"`{yaml(spec['const'])}`"
    if "enum" in spec:
        return " or ".join(f"`{yaml(value)}`" for value in spec["enum"])
    for several in ("anyOf", "oneOf"):
        if several in spec:
            return " or ".join(map(typed, spec[several]))
    if spec["type"] == "array":
        if "prefixItems" in spec:
            return f"[{', '.join(map(typed, spec['prefixItems']))}]"
        return f"list of {typed(spec['items'])}"
    if spec["type"] == "object":
        (value,) = spec["patternProperties"].values() if "patternProperties" in spec else [spec["additionalProperties"]]
        return f"by name: {typed(value)}"
    if "reference" in spec:
        return f"a name in {' or '.join(spec['reference'])}"
    bounds = [f"{sign} {spec[key]:g}" for key, sign in BOUNDS.items() if key in spec]
    return f"{NAMES[spec['type']]} {' and '.join(bounds)}".strip()


def yaml(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


NAMES = {
    "integer": "whole number",
    "number": "number",
    "string": "text",
    "boolean": "`true` or `false`",
    "null": "`null`",
}
BOUNDS = {"exclusiveMinimum": ">", "minimum": "≥", "exclusiveMaximum": "<", "maximum": "≤"}


MADE: dict[str, Callable[[], str]] = {"reference/cli.md": command_line, "reference/configuration.md": keys}
