"""Make the page of an artifact: its executed notebook as HTML, which needs no network and no scripts."""

import re
from base64 import b64decode
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import nbformat
from jinja2 import pass_context
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

from .equations import mathml
from .templates import environment, text

TRY = "try"  # tag of the cells that readers run but papermill skips
MADE = "provenance"  # tag of the cell that shows how the artifact was made
PARAMETERS = "parameters"  # tag of the cell with the paths of files
FAILS = "fails"  # the verdict that comes first
WITHOUT_DATA = {"toy", "minimax", "network"}  # kinds of step that read no images
PICTURES = ("image/png", "image/jpeg", "image/svg+xml")
HEAD, ROW, CELL = (re.compile(rf"<{tag}\b[^>]*>(.*?)</{tag}>", re.DOTALL) for tag in ("thead", "tr", "th"))


@dataclass(frozen=True)
class Facts:
    """The texts of a page around its notebook; links are relative to the page's folder."""

    title: str  # "Fig. 1: D of Algorithm 1 in 2D"
    chip: str = ""  # "demo scale, stand-in data"
    measured: str = ""  # the artifact's headline
    alt: str = ""  # the text in place of the artifact's figure
    verdicts: dict[str, int] = field(default_factory=dict)  # numbers of claims that name the artifact, by verdict
    previous: tuple[str, str] | None = None  # id and label
    next: tuple[str, str] | None = None
    files: Sequence[tuple[str, str]] = ()  # address and name


def facts_of(request: Mapping[str, Any], words: Mapping[str, str], files: Sequence[tuple[str, str]]) -> Facts:
    """Return the facts of an artifact from its request and from the words that were written when it was drawn."""
    sets, tasks = request["sets"], request["tasks"].values()
    others = any(sets[task["p_data"]].casefold() != task["title"].casefold() for task in tasks)
    kinds = {folder.split("/")[1] for folder in request["needs"].values()}
    standin = others and not kinds <= WITHOUT_DATA
    found = Counter(claim["verdict"] for claim in request["claims"])
    previous, following = (tuple(each) if each else None for each in request["neighbours"])
    return Facts(
        title=request["title"],
        chip=f"{request['scale']} scale{', stand-in data' if standin else ''}",
        measured=words["headline"],
        alt=f"{request['title']}. {words['headline']}",
        verdicts=dict(sorted(found.items(), key=lambda each: each[0] != FAILS)),
        previous=previous,
        next=following,
        files=files,
    )


def as_html(notebook: Path, facts: Facts) -> str:
    """Return the page of an executed notebook. Equal notebooks, files beside them, and facts give equal bytes."""
    contents = prepared(nbformat.read(notebook, as_version=4), facts)
    link_pictures(contents, {address: notebook.parent / address for address, _ in facts.files})
    body, _ = Cells().from_notebook_node(contents)
    return environment().get_template("artifact.html.j2").render(facts=facts, body=fitted(body))


class Cells(HTMLExporter):
    """Export the cells of a notebook as HTML by cells.html.j2, with equations as MathML."""

    def __init__(self) -> None:
        super().__init__(raw_template=text("cells.html.j2"), template_name="base", exclude_anchor_links=True)

    @pass_context
    def markdown2html(self, context: Any, source: str) -> str:
        """Return Markdown as HTML; nbconvert's own version leaves equations to a script."""
        return MarkdownWithMath(renderer=Renderer(escape=False, exclude_anchor_links=True)).render(source)


class Renderer(IPythonRenderer):
    """Render Markdown of notebooks, with equations as MathML."""

    def inline_math(self, body: str) -> str:
        return mathml(body)

    def block_math(self, body: str) -> str:
        return f'<span class="equation" role="group" aria-label="equation" tabindex="0">{mathml(body, "block")}</span>'

    def latex_environment(self, name: str, body: str) -> str:
        return self.block_math(f"\\begin{{{name}}}{body}\\end{{{name}}}")


def prepared(notebook: nbformat.NotebookNode, facts: Facts) -> nbformat.NotebookNode:
    """Return a notebook without its title, which the page has, and with the metadata that cells.html.j2 reads.

    The metadata are an alternative text for each picture, and whether a cell to try still needs a heading.
    """
    first = notebook.cells[0]
    if first.source.startswith("# "):
        first.source = first.source.partition("\n")[2].lstrip("\n")
    pictures, heading = count(), ""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            heading = next((line for line in reversed(cell.source.splitlines()) if line.startswith("#")), heading)
            continue
        tags = cell.metadata.get("tags", [])
        cell.metadata["shown"] = {
            "tries": TRY in tags,
            "headed": "try it" in heading.lower(),
            "made": MADE in tags,
            "parameters": PARAMETERS in tags,
        }
        heading = "try it" if TRY in tags else heading
        for output in cell.get("outputs", []):
            for kind in set(PICTURES).intersection(output.get("data", {})):
                number = next(pictures)
                words = facts.alt if number == 0 else f"{facts.title}: picture {number + 1} on this page"
                output.setdefault("metadata", {}).setdefault(kind, {}).setdefault("alt", words)
    return notebook


def link_pictures(notebook: nbformat.NotebookNode, files: Mapping[str, Path]) -> None:
    """Show each picture that is also a file of the artifact from that file, which halves the size of the page."""
    pictures = {path.read_bytes(): address for address, path in files.items() if path.suffix == ".png"}
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if (data := output.get("data", {}).get("image/png")) and (address := pictures.get(b64decode(data))):
                output.metadata["image/png"]["src"] = address


def fitted(body: str) -> str:
    """Return HTML whose tables scroll on narrow screens, have one head row, and carry no style of their own."""
    body = re.sub(r"<style scoped[^>]*>.*?</style>\s*", "", body, flags=re.DOTALL)
    body = HEAD.sub(one_head, body).replace("<th></th>", "<td></td>")
    tables = count(1)

    def wrapped(_: re.Match[str]) -> str:
        return f'<div class="scroll" role="group" aria-label="table {next(tables)}" tabindex="0"><table>'

    return re.sub(r"<table\b[^>]*>", wrapped, body).replace("</table>", "</table></div>")


def one_head(found: re.Match[str]) -> str:
    """Merge the two head rows that pandas gives a table with a named index: the name stands above the index."""
    rows = [CELL.findall(row) for row in ROW.findall(found[1])]
    if len(rows) != 2 or len(rows[0]) != len(rows[1]):
        return found[0]
    names = (below or above for above, below in zip(*rows, strict=True))
    return f"<thead><tr>{''.join(f'<th>{name}</th>' for name in names)}</tr></thead>"
