"""A bare clone, results/ and no work/: what is drawn again is drawn from results/numbers/, to equal bytes."""

import json
import shutil
from pathlib import Path

import pytest
from conftest import snakemake

from atebm.config.load import load
from atebm.pipeline.artifacts import ARTIFACTS
from atebm.pipeline.kinds import KINDS
from atebm.pipeline.plan import Plan
from atebm.pipeline.staleness import ELSEWHERE, STALE, request, states
from atebm.provenance.verify import verify
from atebm.report import draw

KEPT = ("--config", "numbers=kept")
CAPTION = ("src/atebm/report/generation.py", 'f"Measured: {names}', 'f"Here was measured: {names}')


@pytest.fixture(scope="module")
def bare(computed, tmp_path_factory) -> Path:
    """A checkout as a clone has it."""
    folder = tmp_path_factory.mktemp("bare") / "clone"
    shutil.copytree(computed, folder, ignore=shutil.ignore_patterns("work", "logs", ".snakemake"))
    return folder


def present(folder: Path, *config: str) -> Plan:
    return Plan(load(folder, config)[0], config)


def computed_steps(folder: Path) -> list[Path]:
    return [path for kind in KINDS for path in (folder / "work" / kind).glob("*")]


def test_every_artifact_is_drawn_from_its_numbers_to_the_same_bytes(bare, computed, tmp_path):
    folder = Path(shutil.copytree(bare, tmp_path / "clone"))
    plan = present(folder, "numbers=kept")
    plan.write(folder)
    request(plan, folder)
    shutil.copytree(folder / "results/numbers", tmp_path / "numbers")
    for name in plan.usual:
        suffixes = ARTIFACTS[name].suffixes
        draw(str(folder / f"work/specs/artifact/{name}.json"), str(tmp_path / f"{name}.{suffixes[0]}"))
        for suffix in (*suffixes, "gif"):
            mine, first = tmp_path / f"{name}.{suffix}", computed / f"results/{name}.{suffix}"
            assert mine.exists() == first.exists()
            assert not mine.exists() or mine.read_bytes() == first.read_bytes(), mine.name
    assert computed_steps(folder) == []


def test_a_changed_caption_is_drawn_again_without_a_step(bare, tmp_path):
    """And all that is about all results with it: the manifest, curves, and the page.

    What else the changed module draws is drawn to the same bytes; its request alone is another.
    """
    folder = Path(shutil.copytree(bare, tmp_path / "clone"))
    first = files_in(folder / "results")
    file, words, others = CAPTION
    code = (folder / file).read_text()
    assert words in code
    (folder / file).write_text(code.replace(words, others))
    before = states(present(folder, "numbers=kept"), folder)
    assert before["table2"] == STALE and states(present(folder), folder)["figS2"] == ELSEWHERE
    made = snakemake(folder, "--cores", "1", *KEPT)
    assert made.returncode == 0, made.stderr
    assert computed_steps(folder) == []
    assert "Here was measured: " in (folder / "results/table2.md").read_text()
    then = files_in(folder / "results")
    changed = {name for name in first.keys() | then.keys() if first.get(name) != then.get(name)}
    drawn = {"table2.md", "notebooks/table2.ipynb", "notebooks/table2.html"}
    asked = {f"provenance/{name}.json" for name in ARTIFACTS if before.get(name) == STALE}
    assert changed == drawn | asked | {"manifest.json", "provenance/site.json"}
    old, new = (json.loads(files["manifest.json"]) for files in (first, then))
    assert new["steps"] == old["steps"] and new["numbers"] == old["numbers"]
    assert verify(present(folder), folder)[0] == []
    again = snakemake(folder, "--cores", "1", *KEPT)
    assert "Nothing to be done" in again.stdout + again.stderr


def files_in(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
