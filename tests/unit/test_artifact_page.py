"""The page of an artifact: what it has of its notebook; words of others stay words, and no network is asked."""

import re
from base64 import b64decode
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from atebm.pipeline.naming import labels_in
from atebm.pipeline.staleness import neighbours
from atebm.publish.artifact_page import Facts, as_html, facts_of
from atebm.publish.equations import mathml
from atebm.report import tabulating

FACTS = Facts("Fig. 2: distance on digits (for SVHN)", alt="Fig. 2: distance on digits (for SVHN). R1 0.1: 42")
PICTURE = new_output("display_data", {"text/plain": "a picture", "image/png": "iVBORw0KGgo=\n"})


class Elements(HTMLParser):
    """The names of a page's elements, the addresses in it, each element's attributes, and the text of each cell."""

    def __init__(self, page: str):
        super().__init__()
        self.names: list[str] = []
        self.all: list[tuple[str, dict[str, str | None]]] = []
        self.addresses: list[str] = []
        self.cells: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.all.append((tag, dict(attrs)))
        self.addresses += [str(value) for name, value in attrs if name in ("href", "src")]
        self.addresses += [name for name, _ in attrs if name.startswith("on")]
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_data(self, data: str) -> None:
        if self.cells:
            self.cells[-1] += data

    def having(self, tag: str, **attributes: str) -> list[dict[str, str | None]]:
        """Return the attributes of the elements that have some of a value; class_ is class."""
        wanted = {name.rstrip("_"): value for name, value in attributes.items()}
        return [found for name, found in self.all if name == tag and wanted.items() <= found.items()]


def page_of(folder: Path, *cells: Any, facts: Facts = FACTS) -> str:
    """Return the page of a notebook of these cells, of which the first is Markdown."""
    notebook = folder / "fig2.ipynb"
    notebook.write_text(nbformat.writes(new_notebook(cells=cells)))
    return as_html(notebook, facts)


HEADING = new_markdown_cell("# Fig. 2: distance on SVHN\n\nWords.")


def test_a_page_is_a_document(tmp_path):
    """With landmarks, one heading, that of its title; with colours for day and night; twice to the same bytes."""
    cells = (HEADING, new_code_cell("shown = 1", outputs=[PICTURE]))
    page = page_of(tmp_path, *cells)
    assert page == page_of(tmp_path, *cells)
    found = Elements(page)
    assert [found.names.count(name) for name in ("main", "header", "nav", "footer", "h1")] == [1] * 5
    assert "<title>Fig. 2: distance on digits (for SVHN) · atebm</title>" in page and "on SVHN</h1>" not in page
    assert '<span class="label">Fig. 2</span> Distance on digits (for SVHN)</h1>' in page and "<p>Words.</p>" in page
    assert "@media (prefers-color-scheme: dark)" in page and "script" not in found.names
    assert "http" not in page.replace("http-equiv", "") and len(page) < 25_000


def test_code_is_there_and_folded(tmp_path):
    page = page_of(tmp_path, HEADING, new_code_cell("shown = 1", outputs=[PICTURE]))
    folded = re.findall(r"<details class=\"code\"><summary>code</summary>(.*?)</details>", page, re.DOTALL)
    assert len(folded) == 1 and "shown" in folded[0] and "<img" not in folded[0]
    assert Elements(page).having("details", open="") == []


def test_a_picture_has_a_text(tmp_path):
    own = new_output("display_data", {"image/png": "iVBORw0KGgo="}, metadata={"image/png": {"alt": 'its "own"'}})
    found = Elements(page_of(tmp_path, HEADING, new_code_cell("1", outputs=[PICTURE, PICTURE, own])))
    texts = [attributes["alt"] for attributes in found.having("img")]
    assert texts == [FACTS.alt, f"{FACTS.title}: picture 2 on this page", 'its "own"']
    assert {attributes["src"] for attributes in found.having("img")} == {"data:image/png;base64,iVBORw0KGgo="}


def test_a_picture_that_is_a_file_is_shown_from_there(tmp_path):
    """One of other bytes is not."""
    (tmp_path / "fig2.png").write_bytes(b64decode("iVBORw0KGgo="))
    other = new_output("display_data", {"image/png": "iVBORw0KGg8="})
    facts = replace(FACTS, files=[("fig2.png", "picture")])
    page = page_of(tmp_path, HEADING, new_code_cell("1", outputs=[PICTURE, other]), facts=facts)
    assert [attributes["src"] for attributes in Elements(page).having("img")] == [
        "fig2.png",
        "data:image/png;base64,iVBORw0KGg8=",
    ]


def test_where_files_lie_is_no_code_to_unfold(tmp_path):
    cell = new_code_cell("out = 1", metadata={"tags": ["parameters"]})
    assert "<details" not in page_of(tmp_path, HEADING, cell)


@pytest.mark.parametrize(("above", "headings"), [("## Try it\n\nWords.", 1), ("## Checks\n\nWords.", 2)])
def test_a_cell_to_try_is_open_under_one_heading(tmp_path, above, headings):
    cell = new_code_cell("radius = 2", metadata={"tags": ["try"]})
    page = page_of(tmp_path, HEADING, new_markdown_cell(above), cell)
    assert "<details" not in page and "radius" in page
    assert page.count("<h2>") == headings and page.count("<h2>Try it</h2>") == 1


def test_how_it_was_made_is_folded(tmp_path):
    shown = new_output("display_data", {"text/markdown": "`train/a-01234567`"})
    page = page_of(tmp_path, HEADING, new_code_cell("made", metadata={"tags": ["provenance"]}, outputs=[shown]))
    (folded,) = re.findall(r'<details class="made">(.*)</details>', page, re.DOTALL)
    assert "<code>train/a-01234567</code>" in folded


def test_tables_scroll_and_have_one_head(tmp_path):
    frame = pd.DataFrame({"paper": ["<b>"], "here": [0.5]}, index=pd.Index(["K"], name="setting"))
    more = pd.DataFrame({"a": [1], "b": [2]})
    cells = [
        new_code_cell("1", outputs=[new_output("display_data", {"text/html": each.to_html()})])
        for each in (frame, more)
    ]
    page = page_of(tmp_path, HEADING, *cells, new_markdown_cell("| c |\n|---|\n| d |"))
    found = Elements(page)
    assert len(found.having("div", class_="scroll", tabindex="0")) == found.names.count("table") == 3
    assert "<thead><tr><th>setting</th><th>paper</th><th>here</th></tr></thead>" in page
    begun = [cell.split()[0] for cell in found.cells if cell.split()]
    assert begun == ["setting", "paper", "here", "K", "<b>", "0.5", "a", "b", "0", "1", "2", "c", "d"]
    assert "border=" not in page and "<style scoped" not in page


def test_a_page_leads_to_its_neighbours_and_files(tmp_path):
    facts = Facts("Table 1: a", previous=("fig7", "Fig. 7"), files=[("../table1.csv", "numbers (.csv)")])
    page = page_of(tmp_path, HEADING, facts=facts)
    assert Elements(page).addresses == [
        "data:,",
        "#main",
        "../index.html",
        "fig7.html",
        "../index.html",
        "../table1.csv",
    ]


def test_facts_come_from_the_request():
    task = {"title": "CIFAR-10", "p_data": "fashion"}
    claims = [{"verdict": "holds"}, {"verdict": "fails"}, {"verdict": "holds"}]
    request = {"title": "Fig. 4: K", "scale": "demo", "tasks": {"cifar10": task}, "claims": claims}
    request |= {
        "needs": {"a": "work/train/a-01234567"},
        "sets": {"fashion": "Fashion-MNIST"},
        "neighbours": [["fig3", "Fig. 3"], None],
    }
    facts = facts_of(request, {"headline": "5.8"}, [])
    assert (facts.chip, facts.verdicts, facts.alt) == (
        "demo scale, stand-in data",
        {"holds": 2, "fails": 1},
        "Fig. 4: K. 5.8",
    )
    assert (facts.previous, facts.next) == (("fig3", "Fig. 3"), None)
    own = facts_of({**request, "scale": "paper", "sets": {"fashion": "CIFAR-10"}}, {"headline": "5.8"}, [])
    assert own.chip == "paper scale"
    plane = facts_of({**request, "needs": {"relu": "work/toy/relu-01234567"}}, {"headline": "5.8"}, [])
    assert plane.chip == "demo scale", "nothing stands in for points in the plane"


def test_neighbours_are_in_the_order_of_the_plan():
    order = ["fig1", "table2", "figS1"]
    assert neighbours("table2", order) == [["fig1", "Fig. 1"], ["figS1", "Fig. S1"]]
    assert neighbours("fig1", order)[0] is None and neighbours("figS1", order)[1] is None
    assert neighbours("claims", order) == [["figS1", "Fig. S1"], None], "drawn on request, after all others"


@pytest.mark.parametrize(
    ("place", "labels"),
    [
        ("Sec. 5.2, Figs. 7 and S20", ["Fig. 7", "Fig. S20"]),
        ("Supplement 4.3, Figs. S14-S16", ["Fig. S14", "Fig. S15", "Fig. S16"]),
        ("Sec. 4.1, Prop. 1; Table S1", ["Table S1"]),
        ("Abstract; Sec. 5.3", ["Sec. 5.3"]),
        ("Secs. 4.2 and 4.3", []),
    ],
)
def test_a_place_names_artifacts(place, labels):
    assert labels_in(place) == labels


# --- equations --------------------------------------------------------------------------------------------------------


def test_equations_are_mathml(tmp_path):
    words = "Where $x \\sim p_0$:\n\n$$\\max_D \\log D(x)$$\n\n\\begin{align}a &= b\\end{align}\n\nand \\$5 or `$x$`."
    page = page_of(tmp_path, new_markdown_cell(f"# Fig. 2: a\n\n{words}"))
    assert page.count("<math") == 3 and page.count('<math display="block">') == 2
    assert "<munder><mo>max</mo><mi>D</mi></munder>" in page and "<mo>\u223c</mo>" in page
    assert "<code>$x$</code>" in page and "$5" in page and "\\max" not in page


def test_what_is_no_tex_stays_as_it_is():
    assert mathml("\\frac{<b>") == "<code>\\frac{&lt;b&gt;</code>" or "<b>" not in mathml("\\frac{<b>")
    assert "<script>" not in mathml("<script>alert(1)</script>") and "&lt;" in mathml("a < b")
    assert mathml("\\left(") == "<code>\\left(</code>"


# --- words of others --------------------------------------------------------------------------------------------------
HOSTILE = {  # in a name, and what a page may show of it as nothing but text
    "script": "<script>alert(1)</script>",
    "picture": '<img src=x onerror="alert(1)">',
    "comment": "<!-- and nothing of the rest",
    "address": "<https://example.org>",
    "bars": "a | b || c",
    "lines": "one\n\n# two\n\n| x |\n|---|",
    "link": "[name](javascript:alert(1)) ![x](https://example.org/x.png) [y][z]",
    "escaped": r"\<b>x</b> \| y",
    "formula": "$x^2$ and `code`",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=list(HOSTILE))
def test_text_of_others_stays_text_in_tables_and_pages(tmp_path, text):
    """Whatever a configuration calls a run or a data set."""

    def tabulated(name: str) -> tuple[list[str], Elements]:
        frame = pd.DataFrame({"run": [name, "b"], name: ["1", "2"]})
        tabulating.write_table(frame, frame, tmp_path / "table9.csv", f"Played by: {name}.")
        assert list(pd.read_csv(tmp_path / "table9.csv")) == ["run", name], "the .csv has what there is"
        markdown = (tmp_path / "table9.md").read_text()
        cell = new_code_cell("", outputs=[new_output("display_data", {"text/markdown": markdown}), PICTURE])
        title, beside = f"Table 9: of {name}", (name, name)
        facts = Facts(title, name, f"came {name}", f"of {name}", {name: 1}, beside, None, [beside])
        return markdown.splitlines(), Elements(page_of(tmp_path, new_markdown_cell(""), cell, facts=facts))

    (lines, page), (usual_lines, usual) = tabulated(text), tabulated("a")
    inert = {"code", "em", "strong", "a"}  # of letters alone, which harm nobody, and an address as a link to itself
    assert len(lines) == len(usual_lines) == 6
    assert [name for name in page.names if name not in inert] == [name for name in usual.names if name not in inert]
    own = [f"{text}.html", text]  # those of Facts, which are no words of others
    strange = [address for address in page.addresses if address not in (*usual.addresses, *own)]
    assert all(address.startswith("https://example.org") for address in strange)
    assert len(page.cells) == len(usual.cells) == 6
    for cell in (page.cells[1], page.cells[2]):  # letters and words are all there, in their places
        assert re.findall(r"\w+", cell) == re.findall(r"\w+", text)
