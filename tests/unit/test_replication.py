"""Whole replications of a seed, and scales like others."""

import shutil
from pathlib import Path

import pytest
from conftest import REPOSITORY, planned

from atebm.config.load import load
from atebm.pipeline.builder import StepBuilder
from atebm.pipeline.replication import dealing
from atebm.utils.errors import ConfigError

DEALT = {"photographs", "photographs_validation", "photographs_test"}  # sets that no photograph may be shared by


@pytest.fixture(scope="module")
def build() -> StepBuilder:
    config = planned("demo").config
    photographs = {name for images in DEALT for name in config.sets[images].photographs}
    return StepBuilder(config.model_copy(update={"replication": "whole", "dealt": tuple(sorted(photographs))}))


def test_a_dealing_is_a_permutation_that_follows_from_the_seed():
    names = tuple("abcdefgh")
    dealings = [dealing(names, seed) for seed in range(20)]
    assert all(set(dealt) == set(dealt.values()) == set(names) for dealt in dealings)
    assert dealings[3] == dealing(names, 3) and len({tuple(dealt.items()) for dealt in dealings}) == 20


def test_each_seed_has_its_own_photographs_pretraining_and_images_under_attack(build):
    one, two = (build.train("celebahq256", seed) for seed in (40, 41))
    for role in ("p_0", "validation_sources", "init"):
        assert one.parents[role].id != two.parents[role].id
    assert one.parents["p_data"] == two.parents["p_data"] and one.parents["extractor"] == two.parents["extractor"]
    attacks = [build.attack("cifar10_ood", seed) for seed in (40, 41)]
    assert [attack.settings["seed"] for attack in attacks] == [40, 41]
    assert len({attack.parents["ImageNet"].id for attack in attacks}) == 2


@pytest.mark.parametrize("seed", [40, 41, 42])
def test_training_validation_and_test_share_no_photograph(build, seed):
    sets = [set(build.at(seed).config.sets[name].photographs) for name in DEALT]
    assert sum(map(len, sets)) == len(set.union(*sets)) == len(build.config.dealt)
    narrower = set(build.at(seed).config.sets["photographs_of_four"].photographs)
    assert narrower < set(build.at(seed).config.sets["photographs"].photographs)


def test_samples_start_from_the_sources_of_their_seed(build):
    sample = build.sample("cifar10", 40, "best")
    assert sample.parents["sources"] == build.at(40).data("photographs_test") != build.data("photographs_test")
    assert build.quality("cifar10", 40).parents["features"].parents["images"] == sample


def test_where_trainings_alone_are_repeated_nothing_else_differs():
    plan = planned("demo")
    one, two = (plan.train("celebahq256", seed) for seed in (40, 41))
    assert plan.at(40) is plan and one.parents == two.parents and one.id != two.id


def test_a_plan_makes_each_step_once():
    plan = planned("demo")
    assert plan.train("cifar10", 0) is plan.train("cifar10", 0)
    assert plan.quality("cifar10", 0).parents["features"].parents["images"] is plan.sample("cifar10", 0, "best")


@pytest.fixture
def root(tmp_path) -> Path:
    shutil.copy(REPOSITORY / "config.yaml", tmp_path)
    shutil.copytree(REPOSITORY / "workflow/scales", tmp_path / "workflow/scales")
    return tmp_path


def test_a_scale_like_another_has_its_keys_and_where_they_stand(root):
    (root / "workflow/scales/larger.yaml").write_text("like: demo\nseeds: 3\n")
    (config, origins), (demo, _) = load(root, ["scale=larger"]), load(root, ["scale=demo"])
    assert config == demo.model_copy(update={"scale": "larger", "seeds": 3})
    assert origins["seeds",].file == "workflow/scales/larger.yaml"
    assert origins["metrics", "n"].file == "workflow/scales/demo.yaml"


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"a": "like: b\n", "b": "like: a\n"}, r"workflow/scales/a\.yaml: like = 'b' leads back to this file"),
        ({"a": "like: a\n"}, "leads back to this file"),
        ({"a": "like: nowhere\n"}, "like = 'nowhere', but there is no such scale"),
    ],
)
def test_a_scale_that_is_like_none_is_one_sentence(root, files, said):
    for name, text in files.items():
        (root / f"workflow/scales/{name}.yaml").write_text(text)
    with pytest.raises(ConfigError, match=said):
        load(root, ["scale=a"])
