"""Make parts of the site while mkdocs builds it: its home from the README, equations, and two pages of the reference.

So these cannot go stale. A broken link ends the build.

Git has the texts of these two pages, with a line GENERATED that is replaced here.
"""

import html
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from itertools import cycle
from pathlib import Path
from typing import Any

import typer
from mkdocs.exceptions import PluginError
from mkdocs.structure.nav import Link

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))
from atebm.cli.app import app
from atebm.config.base import Section, sections
from atebm.config.schema import Config
from atebm.publish import equations

ROOT = Path(__file__).parents[1]
GENERATED = "<!-- here the site has what docs/hooks.py makes -->"


WIDE = ("reference/artifacts.md", "reference/configuration.md", "reference/reproduction.md", "explanation/negative.md")
RESULTS = "results/index.html"  # beside docs/ and site/, and so on no page of the site


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    make = MADE.get(page.file.src_uri)
    text = markdown.replace(GENERATED, make()) if make else markdown
    if page.file.src_uri in WIDE:
        page.meta["hide"] = ["toc"]  # a table takes its place
    if missing := [link for link in links(text) if not leads(Path(page.file.abs_src_path), link)]:
        raise PluginError(f"{page.file.src_uri}: links to nothing: {', '.join(missing)}")
    # A browser shows no notebook, but its page.
    return re.sub(r"(\]\([./]*results/notebooks/\w+)\.ipynb", r"\1.html", text)


def links(text: str) -> list[str]:
    """Links to files; mkdocs itself checks those to pages and headings, but none that leads out of docs/."""
    found = re.findall(r"\]\(([^)#\s]+)", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE))
    return [link for link in found if not re.match("https?:", link)]


def leads(page: Path, link: str) -> bool:
    return (page.parent / link).exists()


def on_nav(nav: Any, **_: Any) -> Any:
    nav.items.insert(1, Link("Results", RESULTS))
    return nav


def on_post_page(output: str, page: Any, **_: Any) -> str:
    """The results lie one folder above the site, where the navigation can't point by itself. The search has a name."""
    up = "../" * page.url.count("/")
    output = output.replace(f'href="{up}{RESULTS}"', f'href="../{up}{RESULTS}"')
    return output.replace('role="dialog">', 'role="dialog" aria-label="Search">')


def on_page_content(content: str, **_: Any) -> str:
    """Replace the TeX that pymdownx.arithmatex has marked by MathML, which browsers draw by themselves; label cells."""
    pattern = r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>'
    content = re.sub(pattern, mathml, content, flags=re.DOTALL)
    return re.sub(r"<table>.*?</table>", labelled, content, flags=re.DOTALL)


def labelled(table: re.Match[str]) -> str:
    """Let cells name their columns, since assets/site.css makes cards of rows on a phone."""
    heads = re.findall(r"<th\b[^>]*>(.*?)</th>", table[0], re.DOTALL)
    labels = cycle([html.escape(html.unescape(re.sub("<[^>]+>", "", head))) for head in heads])
    return re.sub(r"<td\b", lambda _: f'<td data-label="{next(labels)}"', table[0])


def mathml(found: re.Match[str]) -> str:
    # MathML has no column for equation numbers.
    tex = re.sub(r"\\tag{(.*?)}", r"\\qquad \\text{(\1)}", html.unescape(found[2]).strip())
    if found[1] == "span":
        return equations.mathml(tex)
    # an equation may exceed a phone
    return f'<div style="overflow-x: auto" tabindex="0">{equations.mathml(tex, "block")}</div>'


# --- the home ---------------------------------------------------------------------------------------------------------


def home() -> str:
    """Return the README with its links rewritten for docs/."""
    text = (ROOT / "README.md").read_text(encoding="utf-8").replace("](docs/index.md)", "](#all-pages)")
    return re.sub(r"\]\((?!https?:|#)(docs/)?", lambda found: "](" if found[1] else "](../", text)


# --- the command line -------------------------------------------------------------------------------------------------


def command_line() -> str:
    """Return every command with its arguments and options, from typer."""
    command = [sys.executable, "-m", "typer", "atebm.cli.app", "utils", "docs", "--name", "atebm"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    told = re.sub(r"<(?=[a-z_ ]+>)", "&lt;", told)  # <file> is not an HTML tag
    told = re.sub(
        r"^\* `([\w-]+)`: .*\.\.\.$", lambda cut: f"* `{cut[1]}`: {summaries()[cut[1]]}", told, flags=re.MULTILINE
    )
    told = re.sub(r"^Example: (atebm .+?)(?=\. Each|$)", r"Example: `\1`", told, flags=re.MULTILINE)
    return re.sub(r"^#", "##", told.partition("\n")[2], flags=re.MULTILINE)


@cache
def summaries() -> dict[str, str]:
    """The first line of the help of each verb, which typer cuts in its lists."""
    todo = [typer.main.get_command(app)]
    for command in todo:
        todo += getattr(command, "commands", {}).values()
    return {str(command.name): str(command.help).partition("\n")[0] for command in todo}


# --- the configuration ------------------------------------------------------------------------------------------------


SPECS = {"Config": Config.model_json_schema()}
SPECS |= SPECS["Config"]["$defs"]


def keys() -> str:
    """Return a table for each section of config.yaml: key, type, default, meaning, and place in the paper."""
    models = {model.__name__: model for model in sections(Section)}
    return "\n\n".join(table(models[name], depth) for name, depth in in_order("Config"))


@cache
def places() -> dict[str, list[str]]:
    """Return the places in the file where each section stands: "runs.<name>.schedule"."""
    found: dict[str, list[str]] = {"Config": [""]}
    for name in (todo := ["Config"]):
        for key, spec in SPECS[name]["properties"].items():
            entry = ".<name>" if spec.get("type") == "object" else ""
            for other in referred(spec):
                todo += [other] if other not in found else []
                found.setdefault(other, []).extend(f"{place}.{key}{entry}".lstrip(".") for place in found[name])
    return found


def referred(spec: dict[str, Any]) -> list[str]:
    """Return the names of the sections that a part of the schema refers to."""
    return list(dict.fromkeys(re.findall(r"#/\$defs/(\w+)", str(spec))))


def in_order(name: str, depth: int = 0, before: set[str] | None = None) -> Iterator[tuple[str, int]]:
    """Yield the names of the sections and their depth, each below the section that refers to it first."""
    before = set() if before is None else before
    before.add(name)
    yield name, depth
    for other in referred(SPECS[name]["properties"]):
        if other not in before:
            yield from in_order(other, depth + 1, before)


def title(name: str) -> str:
    """Return the title of a section: its key, and the kind that distinguishes it from others with this key."""
    key = places()[name][0]
    own = key if key.endswith(">") or "." not in key else key.rpartition(".")[2]
    tags = {tag: SPECS[name]["properties"].get(tag, {}) for tag in TAGS}
    kinds = [f"{tag}: {spec['const']}" for tag, spec in tags.items() if "const" in spec]
    return ", ".join(f"`{part}`" for part in (own, *kinds))


def table(model: type[Section], depth: int) -> str:
    schema, name = SPECS[model.__name__], model.__name__
    rows = ["| key | type | default | meaning |", "|---|---|---|---|"]
    for key, spec in schema["properties"].items():
        words = spec["description"] + (f" ({spec['unit']})" if "unit" in spec else "")
        words += f". Source: {spec['source']}" if "source" in spec else ""
        default = "" if key in schema.get("required", []) else f"`{yaml(spec.get('default'))}`"
        cells = (f"`{key}`", typed(spec), default, words)
        rows.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    head = "The file as a whole" if model is Config else title(name)
    stands = f" Stands in {', '.join(f'`{place}`' for place in places()[name])}." if depth > 1 else ""
    purpose = " ".join((model.__dict__.get("__doc__") or "").split())
    words = f"{purpose}{stands} Source: {model.paper.where}.".lstrip()
    return "\n".join([f"{'####' if depth > 1 else '###'} {head} {{ #{name} }}", "", words, "", *rows])


def typed(spec: dict[str, Any]) -> str:
    """Return a JSON schema in words, with links to the sections that it refers to."""
    if "$ref" in spec:
        name = spec["$ref"].rpartition("/")[2]
        return f"[{title(name).rpartition(', ')[2]}](#{name})"  # the kind is enough
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
TAGS = ("reader", "name", "kind")  # keys that tell the variants of a section apart
BOUNDS = {"exclusiveMinimum": ">", "minimum": "≥", "exclusiveMaximum": "<", "maximum": "≤"}


MADE: dict[str, Callable[[], str]] = {
    "index.md": home,
    "reference/cli.md": command_line,
    "reference/configuration.md": keys,
}
