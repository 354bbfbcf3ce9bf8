"""What results/ and the documents say: stand-ins under their own names, and verdicts only where a test wrote them."""

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from bs4 import BeautifulSoup, Tag

from atebm.utils.files import repository

NAMES = re.compile(
    r"CIFAR-100?\b|\bSVHN\b|\bImageNet\b(?: validation set)?"
    r"|CelebA-HQ(?: 256)?|AFHQ-CAT(?: 256)?|LSUN[- ]Church(?: 256)?"
)
# Where a name of the paper's data may stand at a scale that has other data: behind "for", or in what is the paper's.
STANDS_IN = re.compile(r"(?:\bfor|stand-in for|stands in for)(?: the)? (?:images of )?$")
OF_THE_PAPER = re.compile(r"\bpublished\b|\bpaper(?:'s)?\b|\bauthors\b", re.IGNORECASE)
IDENTIFIERS = ("run", "role", "sampler", "step", "id", "weights")  # columns of names in config.yaml
PAPER = "paper"  # the column of the paper's own settings
ROOT = repository()
SVG = "{http://www.w3.org/2000/svg}"


def unnamed(text: str) -> list[str]:
    """Return the sentences of a text that name data of the paper alone, as if these had been used."""
    found = []
    for sentence in re.split(r"(?<=[.;:])\s+", " ".join(text.split())):
        names = [name for name in NAMES.finditer(sentence) if not STANDS_IN.search(sentence[: name.start()])]
        if names and not OF_THE_PAPER.search(sentence):
            found.append(sentence)
    return found


def in_table(head: list[str], rows: list[list[str]]) -> Iterator[str]:
    """Yield the cells of a table that name data of the paper alone.

    What was published may: columns that say so, and the names in rows where nothing was measured.
    """
    measured = [number for number, name in enumerate(head) if "measured" in name and "published" not in name]
    yield from (text for name in head for text in unnamed(name))
    for row in rows:
        if measured and not any(row[number] for number in measured):
            continue
        for name, cell in zip(head, row, strict=True):
            if "published" not in name and name not in (*IDENTIFIERS, PAPER):
                yield from unnamed(cell)


def in_markdown(path: Path) -> Iterator[str]:
    caption, _, table = path.read_text().partition("\n\n")
    yield from unnamed(caption)
    lines = [re.split(r"(?<!\\)\|", line.strip())[1:-1] for line in table.strip().splitlines()]
    head, _, *rows = [[cell.strip() for cell in line] for line in lines]
    yield from in_table(head, rows)


def in_csv(path: Path) -> Iterator[str]:
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    yield from in_table(list(frame), frame.to_numpy().tolist())


def in_svg(path: Path) -> Iterator[str]:
    texts = [" ".join(element.itertext()) for element in ET.parse(path).iter(f"{SVG}text")]
    yield from unnamed(" ".join(texts))


def in_html(path: Path) -> Iterator[str]:
    page = BeautifulSoup(path.read_text(), "html.parser")
    for table in page.find_all("table"):
        if "steps" in table.get("class", []):  # names of config.yaml, and paths
            table.decompose()
            continue
        head = [cell.get_text(" ", strip=True) for cell in table.thead.find_all(["th", "td"])]
        rows = [
            [cell.get_text(" ", strip=True) for cell in row.find_all(["th", "td"])]
            for row in table.tbody.find_all("tr")
        ]
        yield from in_table(head, [row for row in rows if len(row) == len(head)])
        table.decompose()
    for element in page.find_all(["script", "style", "pre", "code"]):
        element.decompose()
    for element in page.find_all(class_="published"):
        element.decompose()
    for block in page.find_all(["p", "h1", "h2", "h3", "dd", "dt", "li", "figcaption", "summary", "title"]):
        if isinstance(block, Tag) and not block.find(["p", "li", "dd"]):
            yield from unnamed(block.get_text(" ", strip=True))
    for image in page.find_all("img"):
        yield from unnamed(str(image.get("alt", "")))


FINDERS = {".md": in_markdown, ".csv": in_csv, ".svg": in_svg, ".html": in_html}


def scale_of(folder: Path) -> str:
    return json.loads((folder / "manifest.json").read_text())["scale"]


def findings(results: Path) -> list[str]:
    """Return what is not named as a stand-in below results/ of a scale other than paper, with its file."""
    if scale_of(results) == "paper":
        return []
    paths = [
        path
        for path in sorted(results.rglob("*"))
        if path.suffix in FINDERS and not {"training", "numbers"} & set(path.parts)
    ]
    return [f"{path.relative_to(results)}: {text}" for path in paths for text in FINDERS[path.suffix](path)]


def test_no_stand_in_goes_by_the_name_of_what_it_stands_in_for():
    found = findings(ROOT / "results")
    assert not found, f"{len(found)} places, such as\n" + "\n".join(found[:20])


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("FID on CIFAR-10 with K = 5", True),
        ("Adversarial training detects attacked SVHN images better", True),
        ("CelebA-HQ 256 at scale demo, played by tops", True),
        ("handwritten digits (for SVHN)", False),
        ("Tops of Fashion-MNIST 16x16, a stand-in for CelebA-HQ 256; p_0: crops.", False),
        ("They say nothing of CIFAR-10 or any other data of the paper.", False),
        ("The distance is small. SVHN is detected.", True),
    ],
)
def test_a_sentence_without_a_stand_ins_name_is_found(text, found):
    assert bool(unnamed(text)) is found


def test_a_row_without_a_stand_ins_name_is_found():
    head = ["data set", "approach", "FID, published", "stand-in distance, measured"]
    assert not list(
        in_table(head, [["CelebA-HQ 256", "VAEBM", "20.38", ""], ["tops (for CelebA-HQ 256)", "x", "", "54"]])
    )
    assert list(in_table(head, [["CelebA-HQ 256", "Ours", "17.31", "54.53"]])) == ["CelebA-HQ 256"]
    assert list(in_table(["SVHN", "measured"], [])) == ["SVHN"]


# --- verdicts ---------------------------------------------------------------------------------------------------------

VERDICT = re.compile(
    r"\b(?:holds?|fails?|undecided|reproduces?d?|confirms?|confirmed|outperforms?)\b"
    r"|\b(?:better|worse|faster|cheaper|stronger|weaker) than\b|\bas (?:good|well|strong|fast) as\b",
    re.IGNORECASE,
)
# A verdict word that is only spoken of: set apart, asked for, or the paper's own.
SPOKEN_OF = re.compile(r"\*\w+\*|`[^`]*`|\"[^\"]*\"|\bwhether\b|\?\s*$|\bthe paper (?:says|reports|claims|states)\b")
GENERATED = re.compile(r"<!-- (\w+): begin.*?<!-- \1: end -->|^```.*?^```|<!--.*?-->", re.DOTALL | re.MULTILINE)
# Pages in which words such as "fails" are of commands and files, not of claims.
OF_THE_WORKFLOW = (
    "docs/explanation/workflow.md",
    "docs/howto/archives.md",
    "docs/reference/cli.md",
    "docs/reference/configuration.md",
)
HAND_WRITTEN = ("README.md", *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md")))


def verdicts_in(text: str) -> list[str]:
    """Return the sentences of hand-written Markdown that give a verdict on a claim."""
    blocks = re.split(r"\n\s*\n|\n(?=[-|#])", GENERATED.sub("", text))
    sentences = [s for block in blocks for s in re.split(r"(?<=[.:;])\s+", " ".join(block.split()))]
    return [s for s in sentences if VERDICT.search(SPOKEN_OF.sub("", s)) and not re.search(r"\bwhether\b|\?\s*$", s)]


@pytest.mark.parametrize("page", [page for page in HAND_WRITTEN if page not in OF_THE_WORKFLOW])
def test_a_verdict_stands_only_where_a_test_wrote_it(page):
    assert verdicts_in((ROOT / page).read_text()) == []


def test_no_notebook_gives_a_verdict_in_its_own_words():
    found = []
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        cells = json.loads(path.read_text())["cells"]
        texts = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
        found += [f"{path.name}: {sentence}" for text in texts for sentence in verdicts_in(text)]
    assert found == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("15 of 15 picture checks hold.", True),
        ("A diverse p_0 is better than a narrow one.", True),
        ("At 1e-6, too, the claim holds.", True),
        ("A claim *holds* only where the test says so.", False),
        ("See whether the paper holds.", False),
        ("## Does the paper hold?", False),
        ("<!-- verdicts: begin (make docs) -->\n- 12 claims: 8 hold\n<!-- verdicts: end -->", False),
    ],
)
def test_a_verdict_in_hand_written_text_is_found(text, found):
    assert bool(verdicts_in(text)) is found
