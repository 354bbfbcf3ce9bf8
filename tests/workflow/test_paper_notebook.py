"""notebooks/00_paper.ipynb, which papermill never runs: a reader does, in a clone."""

import re
import resource
import shutil
import sys
from pathlib import Path

import nbformat
import pytest
from conftest import REPOSITORY, checkout, run

from atebm.models.committed import MODELS

NOTEBOOK = REPOSITORY / "notebooks/00_paper.ipynb"
SECTIONS = 10  # at least
MOST_SECONDS = 120  # of the processor, in all
VERDICTS = re.compile(
    r"\b(holds?|fail(s|ed|ure)?|better|worse|best|worst than|beats?|outperforms?|reproduce[sd]?|confirm(s|ed)?)\b", re.I
)
EXECUTE = """
import sys, nbclient, nbformat
notebook = nbformat.read(sys.argv[1], 4)
nbclient.NotebookClient(notebook, timeout=900, kernel_name="python3").execute()
nbformat.write(notebook, sys.argv[2])
"""


@pytest.fixture(scope="module")
def cells() -> list[nbformat.NotebookNode]:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    return list(notebook.cells)


def test_it_is_stripped_and_its_code_is_visible(cells):
    code = [cell for cell in cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None and not cell.metadata for cell in code)
    assert max(len(cell.source.splitlines()) for cell in code) <= 40
    assert sum(bool(re.match(r"## \d+\. ", cell.source)) for cell in cells) >= SECTIONS


def test_its_words_are_no_verdicts(cells):
    """What a sentence of the paper comes to, the board says; quotations of the paper begin with a >."""
    prose = [line for cell in cells if cell.cell_type == "markdown" for line in cell.source.splitlines()]
    prose += [line for cell in cells if cell.cell_type == "code" for line in cell.source.splitlines() if 'f"' in line]
    said = [line for line in prose if not line.startswith(">") and "HOLDS" not in line]
    assert [line for line in said if VERDICTS.search(line)] == []


def test_each_section_ends_with_what_was_seen(cells):
    sections: list[list[str]] = []
    for cell in cells:
        if cell.source.startswith("## "):
            sections.append([])
        if sections:
            sections[-1].append(cell.source)
    assert [section[0].partition("\n")[0] for section in sections if "You have seen" not in section[-1]] == []


@pytest.mark.slow
def test_it_runs_in_a_clone_within_minutes(tmp_path):
    clone = checkout(tmp_path / "clone")
    for name in (MODELS, "results"):
        shutil.copytree(REPOSITORY / name, clone / name)
    before = files_in(clone)
    spent = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    environment = {"PYTHONPATH": str(clone / "src"), "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
    executed = tmp_path / "executed.ipynb"
    made = run(clone / "notebooks", sys.executable, "-c", EXECUTE, NOTEBOOK.name, str(executed), **environment)
    assert made.returncode == 0, made.stderr
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - spent < MOST_SECONDS
    assert files_in(clone) == before, "nothing is written"
    outputs = [out for cell in nbformat.read(executed, 4).cells for out in cell.get("outputs", [])]
    said = "\n".join(str(out.get("data", {}).get("text/markdown", "")) for out in outputs)
    assert said.count("You have seen") >= SECTIONS - 2, "the first section and the last one say it in their own words"
    assert sum("image/png" in out.get("data", {}) for out in outputs) >= 7
    assert "trained on Fashion-MNIST 16x16, a stand-in for CIFAR-10" in str(outputs)
    assert not [out for out in outputs if out.output_type == "stream" and out.name == "stderr"]


def files_in(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}
