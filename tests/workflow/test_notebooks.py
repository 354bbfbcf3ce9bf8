"""The artifacts' notebooks, as a reader runs them in a bare clone: each whole, with the cells that papermill skips."""

import json
import shutil
import sys
from pathlib import Path

import pandas as pd
import pytest
from conftest import REPOSITORY, checkout, run

FOLDERS = ["notebooks", "results/notebooks", "results/scales/board/notebooks"]
OTHERS = {"00_paper"}  # test_paper_notebook.py runs it
# In one process, where a notebook takes seconds less than in a kernel of its own. What a notebook imports stays.
RUN_ALL = """
import json, sys
import nbformat
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

shell, failed = InteractiveShell.instance(), {}
for name in sys.argv[1:]:
    shell.reset()
    for cell in nbformat.read(name, as_version=4).cells:
        if cell.cell_type != "code":
            continue
        with capture_output():
            ran = shell.run_cell(cell.source)
        if not ran.success:
            failed[name] = repr(ran.error_before_exec or ran.error_in_exec)
            break
    shell.run_cell("import matplotlib.pyplot; matplotlib.pyplot.close('all')")
print(json.dumps(failed))
"""


def run_all(clone: Path, folder: str, artifact: str = "*") -> dict[str, str]:
    """What fails, by notebook, if a reader runs all cells of the notebooks in a folder."""
    names = [path.name for path in sorted((clone / folder).glob(f"{artifact}.ipynb")) if path.stem not in OTHERS]
    environment = {"PYTHONPATH": str(clone / "src"), "OMP_NUM_THREADS": "1", "MPLBACKEND": "agg"}
    made = run(clone / folder, sys.executable, "-c", RUN_ALL, *names, **environment)
    assert names and made.returncode == 0, made.stderr
    return json.loads(made.stdout.splitlines()[-1])


@pytest.fixture
def clone(tmp_path) -> Path:
    clone = checkout(tmp_path / "clone")
    for name in ("models", "results"):
        shutil.copytree(REPOSITORY / name, clone / name)
    return clone


@pytest.mark.slow
@pytest.mark.parametrize("folder", FOLDERS)
def test_all_cells_run_in_a_bare_clone_and_write_nothing(clone, folder):
    before = contents(clone)
    assert run_all(clone, folder) == {}
    assert contents(clone) == before


def test_a_wrong_number_makes_a_check_fail(clone):
    """An AUROC of Table 4 that is one point higher than the logits beside it give."""
    (detection,) = (clone / "results/numbers/detection").glob("cifar10_ood-*/detection.csv")
    lines = pd.read_csv(detection)
    clean = (lines["in"] == "in") & (lines["attack"] == "clean")
    assert clean.any()
    lines.loc[clean, "auroc"] -= 0.01
    lines.to_csv(detection, index=False)
    failed = run_all(clone, "notebooks", "table4")
    assert "AUROC from pairs of logits are those of scikit-learn" in failed["table4.ipynb"]


def test_an_artifact_that_is_not_drawn_is_one_sentence(clone):
    (clone / "results/provenance/table2.json").unlink()
    failed = run_all(clone, "notebooks", "table2")
    assert failed["table2.ipynb"].startswith("ResultError('table2 is not in ../results: draw it with snakemake")


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"}
