"""What decides how a rendering looks: the modules behind its function, its notebook, and published numbers."""

import subprocess
import sys
from pathlib import Path

import pytest
from conftest import checkout, planned

from atebm.pipeline.artifacts import ARTIFACTS
from atebm.pipeline.closure import PLUMBING, closure
from atebm.pipeline.plan import Plan
from atebm.pipeline.staleness import MANIFEST, SITE, renderings

FIGURES = {name for name, artifact in ARTIFACTS.items() if not artifact.is_table}
TABLES = set(ARTIFACTS) - FIGURES
OF_ALL = {MANIFEST, SITE}
CLAIMS = {"claims", "controls"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return checkout(tmp_path_factory.mktemp("closure"))


@pytest.fixture(scope="module")
def plan() -> Plan:
    return planned("demo")


@pytest.mark.parametrize(
    ("file", "stale"),
    {
        "src/atebm/report/claims/board.py": CLAIMS,
        "src/atebm/report/claims/detection.py": CLAIMS,
        "src/atebm/utils/markdown.py": TABLES | OF_ALL,
        "src/atebm/utils/errors.py": set(),
        "src/atebm/utils/files.py": set(),
        "src/atebm/training/trainer.py": set(),
        "src/atebm/report/drawing.py": FIGURES | OF_ALL,
        "src/atebm/report/masking.py": {"ood_masking"} | OF_ALL,
        "src/atebm/report/maximin.py": {"fig1", "figS1"} | OF_ALL,
        "src/atebm/evaluation/agreement.py": {"table2", "table3", "table4", "tableS7", "tableS8"} | OF_ALL,
        "notebooks/fig7.ipynb": {"fig7"} | OF_ALL,
        "data/published/tableS6.csv": {f"tableS{number}" for number in range(2, 7)} | OF_ALL,
        "data/published/table1.csv": {"table1", "tableS1"} | OF_ALL,
        "src/atebm/publish/board.py": {SITE},
        "src/atebm/publish/site.css": {SITE},
        "src/atebm/report/draw.py": set(),
    }.items(),
)
def test_a_change_makes_stale_what_shows_it(plan, folder, file, stale):
    path = folder / file
    before, text = renderings(plan, folder), path.read_text()
    path.write_text(f"{text}\n# a comment\n")
    try:
        after = renderings(plan, folder)
    finally:
        path.write_text(text)
    assert {name for name in before if before[name] != after[name]} == stale


def names(files: set[Path], root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in files}


def test_imports_are_followed_wherever_they_stand(tmp_path):
    modules = {
        "__init__.py": "",
        "one.py": "from .two import a\nimport os\n\ndef f():\n    from p.inner.three import b\n",
        "two.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .unseen import u\n",
        "unseen.py": "u = 1\n",
        "inner/__init__.py": "from .three import b as passed, c\nfrom .four import d\n",
        "inner/three.py": "from .. import two\nfrom ..utils.errors import E\n",
        "inner/four.py": "from . import three\nfrom ..one import f\n",
        "utils/__init__.py": "",
        "utils/errors.py": "from ..unseen import u\n",
        "uses.py": "from .inner import d\n",
    }
    for name, text in modules.items():
        (path := tmp_path / "p" / name).parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    root = tmp_path / "p"
    assert names(closure("one", root), root) == {"one.py", "two.py", "inner/three.py"}
    assert names(closure("inner.c", root), root) == {"inner/three.py", "two.py"}
    assert names(closure("uses", root), root) == {"uses.py", "inner/four.py", "inner/three.py", "one.py", "two.py"}
    assert names(closure("one", root, frozenset({"two.py"})), root) == {
        "one.py",
        "inner/three.py",
        "utils/errors.py",
        "unseen.py",
    }
    with pytest.raises(ValueError, match=r"has no nothing\.at_all"):
        closure("nothing.at_all", root)


def test_the_closure_of_every_artifact_is_all_that_its_import_loads(tmp_path):
    """By Python itself: of this package, importing the module of an artifact loads the closure, and plumbing."""
    package = Path(sys.modules["atebm"].__file__ or "").parent
    for name in ("table4", "figS1", "claims"):
        draws = ARTIFACTS[name].draws
        files = closure(f"report.{draws}", package, frozenset())
        code = (
            "import sys, types; "  # without report/__init__.py, which imports what draws all
            f"package = types.ModuleType('atebm.report'); package.__path__ = [{str(package / 'report')!r}]; "
            f"import atebm; sys.modules['atebm.report'] = package; import atebm.report.{draws.partition('.')[0]}; "
            "print(*(m.__file__ for n, m in sys.modules.items() if n.startswith('atebm') and m.__spec__))"
        )
        loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
        assert {Path(path) for path in loaded if not path.endswith("__init__.py")} <= files
        assert PLUMBING & names(files, package)
