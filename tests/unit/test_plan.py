"""The plan: equal digests mean equal results, and a change reaches exactly what is downstream of it."""

import json
import subprocess
import sys

import pytest
from conftest import planned

from atebm import plan as plan_module
from atebm.artifacts import ARTIFACTS
from atebm.errors import ConfigError


def changed(*, to: dict, scale: str = "demo") -> set[str]:
    """Kinds of the steps that a change of configuration makes new."""
    before, after = planned(scale), planned(scale, **to)
    return {kind for kind, id in after.steps.keys() - before.steps.keys()}


@pytest.mark.parametrize(
    ("change", "new"),
    [
        ({"runs": {"cifar10": {"r1": 0.02}}}, {"train", "sample", "features", "metric", "timing"}),
        ({"runs": {"cifar10": {"step_size": 0.7}}}, {"train", "sample", "features", "metric", "timing", "check"}),
        ({"seed": 7}, {"train", "sample", "features", "metric", "toy", "minimax", "timing", "check"}),
        ({"samplers": {"cifar10": {"steps": 3}}}, {"sample", "features", "metric"}),
        ({"metrics": {"splits": 5}}, {"metric"}),
        ({"toy": {"K": 3}}, {"toy"}),
        ({"minimax": {"decay": 1}}, {"minimax"}),
        ({"sets": {"photographs_test": {"seed": 9}}}, {"data", "sample", "features", "metric", "timing"}),
        (
            {"sets": {"photographs": {"seed": 9}}},
            {"data", "train", "sample", "features", "metric", "timing", "check"},
        ),
        ({"tasks": {"cifar10": {"played_by": "something else"}}}, set()),
        ({"shards": 5}, set()),
        ({"device": "cpu"}, set()),
    ],
)
def test_a_change_reaches_what_is_downstream(change, new):
    assert changed(to=change) == new


def test_more_seeds_keep_the_steps_of_the_first():
    one, three = planned("demo"), planned("demo", seeds=3)
    assert one.steps.keys() < three.steps.keys()
    assert sum(kind == "train" for kind, _ in three.steps) == 3


def test_a_revision_reaches_what_is_downstream(monkeypatch):
    before = planned("demo")
    monkeypatch.setitem(plan_module.REVISION, "sample", plan_module.REVISION["sample"] + 1)
    new = {kind for kind, id in planned("demo").steps.keys() - before.steps.keys()}
    assert new == {"sample", "features", "metric"}


def test_specs_are_written_once(tmp_path):
    plan = planned("smoke")
    plan.write(tmp_path)
    files = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.json")}
    assert len(files) == len(plan.steps)
    planned("smoke").write(tmp_path)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.json")} == files


def test_specs_say_everything(tmp_path):
    plan = planned("smoke")
    plan.write(tmp_path)
    step = plan.train("cifar10", 0)
    spec = json.loads((tmp_path / step.spec_file).read_text())
    assert spec["settings"]["seed"] == 0 and spec["settings"]["schedule"]["K_max"] == 2
    assert spec["parents"]["p_0"] == f"data/{plan.data('photographs').id}"


def test_every_artifact_has_a_notebook_and_a_function():
    from conftest import REPOSITORY

    from atebm import report

    for artifact in ARTIFACTS:
        assert (REPOSITORY / f"notebooks/{artifact}.ipynb").exists()
        assert callable(getattr(report, artifact))


@pytest.mark.parametrize("module", ["atebm.plan", "atebm.report", "atebm.cli"])
def test_planning_and_drawing_import_no_torch(module):
    """Slurm jobs parse the Snakefile again, and drawing jobs should not wait for torch."""
    code = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_released_weights_are_named_by_the_table(monkeypatch):
    step = planned("paper", runs={"cifar10": {"weights": "released"}}).train("cifar10", 0)
    assert step.settings["weights"].startswith("834daf11") and not step.parents
    variant = planned("paper", runs={"cifar10": {"weights": "released"}}).train("cifar10_K5", 0)
    assert "weights" not in variant.settings and variant.parents
    celeba = planned("paper", pretrainings={"imagenet": {"weights": "released"}}).train("celebahq256", 0)
    assert celeba.parents["init"].settings["weights"].startswith("5fe64df2")
    with pytest.raises(ConfigError, match=r"runs\.cifar10_K5\.weights: none were released; there are some of"):
        planned("paper", runs={"cifar10_K5": {"weights": "released"}}).train("cifar10_K5", 0)
