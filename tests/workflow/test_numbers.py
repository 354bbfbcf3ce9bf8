"""A bare clone, results/ and no work/: what is drawn again is drawn from results/numbers/, to equal bytes."""

import json
import shutil
import time
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
    plan = present(bare, "numbers=kept")
    plan.write(bare)
    request(plan, bare)
    shutil.copytree(bare / "results/numbers", tmp_path / "numbers")
    for name in plan.usual:
        suffixes = ARTIFACTS[name].suffixes
        draw(str(bare / f"work/specs/artifact/{name}.json"), str(tmp_path / f"{name}.{suffixes[0]}"))
        for suffix in (*suffixes, "gif"):
            mine, first = tmp_path / f"{name}.{suffix}", computed / f"results/{name}.{suffix}"
            assert mine.exists() == first.exists()
            assert not mine.exists() or mine.read_bytes() == first.read_bytes(), mine.name
    assert computed_steps(bare) == []


def test_a_changed_caption_is_drawn_again_without_a_step(bare, tmp_path):
    folder = Path(shutil.copytree(bare, tmp_path / "clone"))
    file, words, others = CAPTION
    code = (folder / file).read_text()
    assert words in code
    (folder / file).write_text(code.replace(words, others))
    before = states(present(folder, "numbers=kept"), folder)
    assert before["table2"] == STALE and states(present(folder), folder)["figS2"] == ELSEWHERE
    numbers = (folder / "results/table2.csv").read_bytes()
    began = time.monotonic()
    made = snakemake(folder, "--cores", "1", "results/table2.csv", *KEPT)
    assert made.returncode == 0, made.stderr
    print(f"{time.monotonic() - began:.1f} s")
    assert "Here was measured: " in (folder / "results/table2.md").read_text()
    assert (folder / "results/table2.csv").read_bytes() == numbers
    assert computed_steps(folder) == []


def test_all_that_is_about_all_is_drawn_from_numbers_too(bare, tmp_path):
    """The manifest, the curves and the page: as where everything was computed."""
    folder = Path(shutil.copytree(bare, tmp_path / "clone"))
    first = {path: path.read_bytes() for path in (folder / "results").rglob("*") if path.is_file()}
    for path in ("results/manifest.json", "results/provenance/manifest.json", "results/provenance/site.json"):
        (folder / path).unlink(missing_ok=True)
    shutil.rmtree(folder / "results/site")
    (folder / "work/plan").mkdir(parents=True)
    (folder / "work/plan/manifest.json").write_bytes(first[folder / "results/manifest.json"])
    made = snakemake(folder, "--cores", "1", *KEPT)
    assert made.returncode == 0, made.stderr
    assert computed_steps(folder) == []
    then = {path: path.read_bytes() for path in (folder / "results").rglob("*") if path.is_file()}
    changed = {
        str(path.relative_to(folder)) for path in first.keys() | then.keys() if first.get(path) != then.get(path)
    }
    assert not changed
    assert verify(present(folder), folder)[0] == []
    steps = json.loads((folder / "results/manifest.json").read_text())["steps"]
    assert all(entry["seconds"] is not None for entry in steps.values())
