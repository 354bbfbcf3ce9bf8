"""The plan: equal digests mean equal results, and a change reaches exactly what is downstream of it."""

import json
import subprocess
import sys

import pytest
from conftest import planned

from atebm import plan as plan_module
from atebm.artifacts import ARTIFACTS
from atebm.errors import ConfigError
from atebm.kinds import FILES


def changed(*, to: dict, scale: str = "demo") -> set[str]:
    """Kinds of the steps that a change of configuration makes new."""
    before, after = planned(scale), planned(scale, **to)
    return {kind for kind, id in after.steps.keys() - before.steps.keys()}


EVERYTHING = set(FILES)


@pytest.mark.parametrize(
    ("change", "new"),
    [
        ({"runs": {"cifar10": {"r1": 0.02}}}, {"train", "sample", "features", "metric"}),
        ({"seed": 7}, {"train", "sample", "features", "metric", "toy"}),
        ({"samplers": {"cifar10": {"steps": 3}}}, {"sample", "features", "metric"}),
        ({"metrics": {"splits": 5}}, {"metric"}),
        ({"toy": {"K": 3}}, {"toy"}),
        ({"sets": {"photographs_test": {"seed": 9}}}, {"data", "sample", "features", "metric"}),
        ({"sets": {"photographs": {"seed": 9}}}, {"data", "pretrain", "train", "sample", "features", "metric"}),
        ({"sets": {"fashion": {"held_out": 3000}}}, EVERYTHING - {"toy", "pretrain"}),
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
    assert len(three.trainings()) == 3 * len(one.trainings())


def test_a_derived_set_follows_the_one_that_it_is_of():
    assert planned("demo").data("tops").parents["of"].name == "fashion"
    (new,) = {step.name for step in changed_steps(sets={"tops": {"classes": ["shirt"]}}) if step.kind == "data"}
    assert new == "tops"


def changed_steps(**changes) -> list:
    before, after = planned("demo"), planned("demo", **changes)
    return [step for key, step in after.steps.items() if key not in before.steps]


def test_several_samplers_of_one_run_share_its_training():
    plan = planned("demo")
    small, own = plan.sample("cifar10_small_steps", 0, "best"), plan.sample("cifar10", 0, "best")
    assert small.parents["model"].id == own.parents["model"].id and small.id != own.id
    new = changed_steps(samplers={"cifar10_small_steps": {"steps": 96}})
    assert {step.kind for step in new} == {"sample", "features", "metric"}
    assert all(step.name.startswith("cifar10_small_steps") for step in new)


def test_a_sampler_that_says_the_same_as_its_runs_own_samples_nothing_twice():
    """Table S7's middle rows are the samplers of Table S4."""
    paper, demo = planned("paper"), planned("demo")
    for run in ("cifar10", "celebahq256"):
        middle, own = (paper.sample(name, 0, "best") for name in (f"{run}_middle_steps", run))
        assert middle.id == own.id
        assert demo.sample(f"{run}_middle_steps", 0, "best").id != demo.sample(run, 0, "best").id


def test_no_two_steps_of_one_seed_have_the_same_name():
    """Logs, results/metrics.json and people tell steps by their names."""
    for scale in ("smoke", "demo", "fashion", "paper"):
        names = [(step.kind, step.name) for step in planned(scale).steps.values()]
        assert len(names) == len(set(names))


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
    variant = planned("paper", runs={"cifar10": {"weights": "released"}}).train("cifar10_K_fifth", 0)
    assert "weights" not in variant.settings and variant.parents
    celeba = planned("paper", pretrainings={"imagenet": {"weights": "released"}}).train("celebahq256", 0)
    assert celeba.parents["init"].settings["weights"].startswith("5fe64df2")
    with pytest.raises(ConfigError, match=r"runs\.cifar10_K_fifth\.weights: none were released; there are some of"):
        planned("paper", runs={"cifar10_K_fifth": {"weights": "released"}}).train("cifar10_K_fifth", 0)
