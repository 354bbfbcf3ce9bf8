"""The plan: equal digests mean equal results, and a change reaches exactly what is downstream of it."""

import json
import subprocess
import sys

import pytest
from conftest import REPOSITORY, planned

from atebm.config.load import load
from atebm.pipeline.artifacts import ARTIFACTS, PAPER_WORDS
from atebm.pipeline.kinds import FILES, REVISION
from atebm.pipeline.plan import Plan
from atebm.pipeline.step import ancestors
from atebm.pipeline.tasks import PAPER_TASKS
from atebm.utils.errors import ConfigError


def changed(*, to: dict, scale: str = "demo") -> set[str]:
    """Kinds of the steps that a change of configuration makes new."""
    before, after = planned(scale), planned(scale, **to)
    return {kind for kind, id in after.steps.keys() - before.steps.keys()}


EVERYTHING, LOOKED_AT, ATTACKED = set(FILES), ("ascent", "neighbours"), ("attack", "detection")


@pytest.mark.parametrize(
    ("change", "new"),
    [
        ({"runs": {"cifar10": {"r1": 0.02}}}, {"train", "sample", "features", "metric", "timing", *LOOKED_AT}),
        (
            {"runs": {"cifar10": {"step_size": 0.7}}},
            {"train", "sample", "features", "metric", "timing", "check", *ATTACKED, *LOOKED_AT},
        ),
        ({"runs": {"cifar10_ood_plain_long": {"batch_size": 65}}}, {"train", "attack", "detection"}),
        ({"detection": {"cifar10": {"radius": 3}}}, {"attack", "detection"}),
        (
            {"seed": 7},
            {"train", "sample", "features", "metric", "toy", "minimax", "timing", "check", *ATTACKED, *LOOKED_AT},
        ),
        ({"samplers": {"cifar10": {"steps": 3}}}, {"sample", "features", "metric", "neighbours"}),
        ({"metrics": {"splits": 5}}, {"metric"}),
        ({"toy": {"K": 3}}, {"toy"}),
        ({"minimax": {"decay": 1}}, {"minimax"}),
        (
            {"sets": {"photographs_test": {"seed": 9}}},
            {"data", "sample", "features", "metric", "timing", *ATTACKED, *LOOKED_AT},
        ),
        ({"sets": {"textures": {"seed": 9}}}, {"data", "attack", "detection"}),
        (
            {"sets": {"photographs": {"seed": 9}}},
            {"data", "pretrain", "train", "sample", "features", "metric", "timing", "check", *ATTACKED, *LOOKED_AT},
        ),
        (
            {"sets": {"fashion": {"held_out": 3000}}},
            EVERYTHING - {"toy", "minimax", "network", "pretrain", "index", "overview", "extractor", "gan"},
        ),
        ({"tasks": {"cifar10": {"title": "something else"}}}, set()),
        ({"sets": {"fashion": {"title": "something else"}}}, set()),
        ({"shards": 5}, set()),
        ({"device": "cpu"}, set()),
    ],
)
def test_a_change_reaches_what_is_downstream(change, new):
    assert changed(to=change) == new


def test_more_seeds_keep_the_steps_of_the_first():
    one, three = planned("demo"), planned("demo", seeds=3)
    assert one.steps.keys() < three.steps.keys()
    runs = {run for run, _ in one.trainings()}
    assert set(three.trainings()) == {(run, seed) for run in runs for seed in range(3)}
    assert set(one.trainings()) == {(run, 0) for run in runs} | {("cifar10_ood", 1)}  # whose attacks are transferred


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
        names = [(step.kind, step.name, step.settings.get("seed")) for step in planned(scale).steps.values()]
        assert len(names) == len(set(names))


def test_a_revision_reaches_what_is_downstream(monkeypatch):
    before = planned("demo")
    monkeypatch.setitem(REVISION, "sample", REVISION["sample"] + 1)
    new = {kind for kind, id in planned("demo").steps.keys() - before.steps.keys()}
    assert new == {"sample", "features", "metric", "neighbours"}


def test_specs_are_written_once(tmp_path):
    plan = planned("smoke")
    plan.write(tmp_path)
    files = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.json")}
    assert len(files) == len(plan.known)
    planned("smoke").write(tmp_path)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.json")} == files


def test_specs_say_everything(tmp_path):
    plan = planned("smoke")
    plan.write(tmp_path)
    step = plan.train("cifar10", 0)
    spec = json.loads((tmp_path / step.spec_file).read_text())
    assert spec["settings"]["seed"] == 0 and spec["settings"]["schedule"]["K_max"] == 2
    assert spec["parents"]["p_0"] == f"data/{plan.data('photographs').id}"


@pytest.mark.parametrize("module", ["atebm.pipeline.plan", "atebm.report", "atebm.cli.app"])
def test_planning_and_drawing_import_no_torch(module):
    """Slurm jobs parse the Snakefile again, and drawing jobs should not wait for torch."""
    assert imported(module, "torch") == "False"


@pytest.mark.parametrize("module", ["atebm.pipeline.plan", "atebm.archives.fetch"])
def test_planning_and_fetching_import_no_numpy(module):
    """The environment of jobs that download has none."""
    assert imported(module, "numpy") == "False"


def imported(module: str, other: str) -> str:
    code = f"import sys, {module}; print({other!r} in sys.modules)"
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


TRAIN, VAL, DEVKIT = "ILSVRC2012_img_train.tar", "ILSVRC2012_img_val.tar", "ILSVRC2012_devkit_t12.tar.gz"


def needed(step, folder) -> list[str]:
    return [path.name for path in step.missing_archives(folder)]


def test_a_step_needs_the_archives_that_it_reads_and_that_are_not_here(tmp_path):
    plan = planned("paper")
    assert needed(plan.data("svhn"), tmp_path) == ["train_32x32.mat"]
    assert needed(plan.data("svhn_test_256"), tmp_path) == ["test_32x32.mat"]
    assert needed(plan.extractor(), tmp_path) == ["weights-inception-2015-12-05-6726825d.pth"]
    assert needed(plan.agreement("cifar10")[0], tmp_path) == ["fid_stats_cifar10_train.npz"]
    assert needed(plan.data("tiny_images"), tmp_path) == ["tiny_images.bin", "80mn_cifar_idxs.txt", "exclude_cifar.tar"]
    for step in (plan.data("places365_32_sources"), plan.train("cifar10", 0), plan.toy("relu")):
        assert needed(step, tmp_path) == []  # what they read is prepared
    (tmp_path / "train_32x32.mat").touch()
    assert needed(plan.data("svhn"), tmp_path) == []


def test_what_an_index_points_into_is_needed_by_all_who_follow_it(tmp_path):
    plan = planned("paper")
    run, sources = plan.train("celebahq256", 0), plan.data("imagenet256_sources")
    assert needed(plan.data("imagenet_val"), tmp_path) == [VAL, DEVKIT]
    assert needed(plan.data("imagenet_val_32"), tmp_path) == [VAL]
    assert needed(run, tmp_path) == needed(sources, tmp_path) == [TRAIN]
    (tmp_path / "ILSVRC2012_img_train").mkdir()  # unpacked: counts instead
    assert needed(run, tmp_path) == needed(sources, tmp_path) == needed(plan.data("imagenet"), tmp_path) == []
    (tmp_path / "afhq").mkdir()  # as any archive of image files
    assert needed(plan.data("afhqcat256"), tmp_path) == []
    (tmp_path / "cifar-10-python.tar").mkdir()  # no reader takes this one
    assert needed(plan.data("cifar10"), tmp_path) == ["cifar-10-python.tar.gz"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"cifar10": {"archive": "cifar01"}}, r"sets\.cifar10\.archive names 'cifar01', .* Did you mean cifar10\?"),
        ({"celebahq256_512": {"split": "held_out"}}, r"archive celebahq has no split held_out; it has: train\."),
    ],
)
def test_an_archive_or_split_that_there_is_not_is_one_sentence(change, sentence):
    with pytest.raises(ConfigError, match=sentence):
        planned("paper", sets=change)


def test_a_step_that_no_artifact_needs_is_known_by_its_name(tmp_path):
    plan = planned("paper")
    for step in (plan.train("celebahq256_stem1", 0), plan.train("cifar10_ood_K20", 0)):
        assert (step.kind, step.id) not in plan.steps and plan.step(step.kind, step.id) == step


def test_weights_of_one_file_are_no_several_seeds():
    """Nor does OOD masking climb a model's own gradients and call them another's."""
    with pytest.raises(ConfigError, match=r"runs\.cifar10\.weights = 'released': .* seeds = 3 gives equal models"):
        planned("paper", seeds=3, runs={"cifar10": {"weights": "released"}})
    transfer = {"detection": {"cifar10": {"transfer": True}}}
    for weights, expected in (("trained", True), ("0" * 64, False)):
        plan = planned("paper", **transfer, runs={"cifar10_ood": {"weights": weights}})
        assert ("transfer" in plan.needs["ood_masking"]) is expected


def test_table_4_has_the_baselines_that_are_asked_for():
    runs = {"cifar10_ood"}
    plan = planned("paper", baselines=[], rivals=[])
    trained = {step.name for step in ancestors(plan.artifacts["table4"]).values() if step.kind == "train"}
    assert trained == runs
    assert "transfer" not in planned("paper").needs["ood_masking"], "it is beyond the paper, and costs a training"
    with pytest.raises(ConfigError, match="baselines names 'cifar10_ood_plian', which is not in runs"):
        planned("paper", baselines=["cifar10_ood_plian"])


def test_table_3_has_the_tasks_that_are_asked_for():
    """So that it can be drawn without the images of CelebA-HQ, which are the hardest to have."""
    plan = planned("paper", table3=["afhqcat256"])
    behind = ancestors(plan.artifacts["table3"]).values()
    assert {step.name for step in behind if step.kind == "train"} == {"afhqcat256"}
    with pytest.raises(ConfigError, match="table3"):
        planned("paper", table3=[])


def test_precisions_move_the_digests_of_what_is_computed_in_them_alone():
    """And no digest where they are what they were before they were keys."""
    before, kinds = planned("paper"), {}
    changes = {
        "pretrain": {"pretrainings": {"imagenet": {"precision": "bf16"}}},
        "train": {"runs": {"cifar10": {"monitor": {"precision": "bf16"}}}},
        "sample": {"samplers": {"cifar10": {"precision": "bf16"}}},
        "features": {"metrics": {"precision": "tf32"}},
    }
    for kind, change in changes.items():
        moved = planned("paper", **change).steps.keys() - before.steps.keys()
        kinds[kind] = {name for name, _ in moved}
        assert kind in kinds[kind]
    assert "pretrain" not in kinds["train"] | kinds["features"] and "train" not in kinds["sample"]


def test_released_weights_are_named_by_the_table(monkeypatch):
    step = planned("paper", runs={"cifar10": {"weights": "released"}}).train("cifar10", 0)
    assert step.settings["weights"].startswith("834daf11") and not step.parents
    variant = planned("paper", runs={"cifar10": {"weights": "released"}}).train("cifar10_K_fifth", 0)
    assert "weights" not in variant.settings and variant.parents
    celeba = planned("paper", pretrainings={"imagenet": {"weights": "released"}}).train("celebahq256", 0)
    assert celeba.parents["init"].settings["weights"].startswith("5fe64df2")
    with pytest.raises(
        ConfigError, match=r"runs\.cifar10_K_fifth\.weights: the authors released no weights for it, only for"
    ):
        planned("paper", runs={"cifar10_K_fifth": {"weights": "released"}}).train("cifar10_K_fifth", 0)


def test_a_distance_of_too_few_images_is_a_mistake_in_the_configuration():
    """Its interval wants blocks, and a block of one image has no covariance."""
    with pytest.raises(
        ConfigError, match=r"metrics\.blocks = 5 needs at least 10 images, but cifar10\w*\.best has 9\."
    ):
        planned("smoke", metrics={"n": 9})


def of_scale(name: str) -> Plan:
    return Plan(load(REPOSITORY, [f"scale={name}"])[0])


def hours(scale: str) -> float:
    """Of one H100, as `atebm cost` said."""
    return json.loads((REPOSITORY / f"data/expected/{scale}_h100.json").read_text())["total"]["hours"]


def test_scale_released_trains_nothing_and_has_what_the_authors_weights_decide():
    plan = of_scale("released")
    trained = {name for (kind, _), step in plan.steps.items() for name in [step.name] if kind == "train"}
    assert trained == {"cifar10", "cifar10_ood", "celebahq256", "afhqcat256", "church256"}
    assert all("weights" in step.settings for (kind, _), step in plan.steps.items() if kind == "train")
    assert not any(kind in ("pretrain", "gan") for kind, _ in plan.steps)
    assert {"table2", "table3", "table4", "fig6", "fig7", "figS2", "figS20"} <= set(plan.usual)
    assert {"tableS7", "tableS8"} <= set(plan.on_request) and hours("released") <= 3
    of_table4 = {step.name for step in ancestors(plan.artifacts["table4"]).values() if step.kind == "train"}
    assert of_table4 == {"cifar10_ood"}


def test_scale_weekend_trains_in_bfloat16_what_has_32_pixels():
    plan, paper = of_scale("weekend"), planned("paper")
    trained = [step for (kind, _), step in plan.steps.items() if kind == "train"]
    assert {"table2", "fig3", "fig4", "fig5", "figS2", "table4"} <= set(plan.usual) and hours("weekend") <= 55
    assert len(trained) == 13 and all(step.name.startswith("cifar10") for step in trained)
    assert all(step.settings["precision"] == "bf16" and step.settings["compile"] for step in trained)
    assert not any(kind == "index" and step.name == "imagenet" for (kind, _), step in plan.steps.items())
    for step in trained:  # nothing else is cut but how often a run without a curve is looked at
        theirs, ours = (dict(build.train(step.name, 0).settings) for build in (paper, plan))
        changed = {key for key in theirs if theirs[key] != ours[key]}
        assert changed - {"precision", "compile"} <= {"monitor"}
        if "monitor" in changed:
            assert step.name not in ("cifar10", "cifar10_K_max", "cifar10_K_fifth"), "its curve is in Fig. 5"
    celeba = plan.train("celebahq256", 0)
    assert celeba.parents["init"].settings["weights"].startswith("5fe64df2"), "the authors' pre-training"


def test_a_title_of_what_is_not_drawn_is_the_papers():
    tasks = planned("paper").config.tasks
    assert {task: PAPER_WORDS[task] for task in PAPER_TASKS} == {task: tasks[task].title for task in PAPER_TASKS}
    assert not any("{" in artifact.titled(PAPER_WORDS) for artifact in ARTIFACTS.values())


def test_a_scale_says_what_it_draws():
    plan = planned("demo", artifacts=["figS2", "table2"])
    assert plan.usual == ["table2", "figS2"] and "fig1" in plan.on_request
    assert plan.steps.keys() < planned("demo").steps.keys(), "and moves no digest"
    with pytest.raises(ConfigError, match=r"artifacts names 'tabel2', .* Did you mean table2\?"):
        planned("demo", artifacts=["tabel2"])


def test_sets_of_large_archives_are_prepared_by_several_processes():
    assert [of_scale(name).workers for name in ("paper", "weekend", "released")] == [16, 16, 16]
    assert [planned(name).workers for name in ("demo", "miniature", "fashion")] == [1, 1, 1]
