"""config.yaml as types; mistakes as sentences."""

import pytest
from conftest import configuration, typed

from atebm.config import resolve
from atebm.errors import ConfigError


@pytest.mark.parametrize("scale", ["smoke", "demo", "paper"])
def test_every_scale_resolves(scale):
    assert typed(scale).scale == scale


def test_the_paper_scale_states_tables_S3_and_S4():
    """The supplement's numbers, typed here once more from its tables."""
    config = typed("paper")
    S3 = {  # batch size, iterations, learning rate, K, epochs per K, step size, R1
        "cifar10": (32, 172_000, 5e-4, 25, 5, 0.1, 0.01),
        "celebahq256": (40, 218_000, 5e-5, 40, 5, 2.0, 30),
        "afhqcat256": (40, 225_000, 5e-5, 25, 50, 2.0, 100),
        "church256": (32, 215_000, 5e-5, 35, 1, 2.0, 100),
    }
    S4 = {"cifar10": (32, 0.2), "celebahq256": (20, 8.0), "afhqcat256": (14, 8.0), "church256": (17, 8.0)}
    for name, row in S3.items():
        run = config.runs[name]
        schedule = (run.schedule.K_max, run.schedule.epochs_per_K)
        stated = (run.batch_size, run.schedule.iterations, run.optimizer.lr, *schedule, run.step_size, run.r1)
        assert stated == row
        assert run.optimizer.betas == (0.0, 0.99)
    assert {name: (s.steps, s.step_size) for name, s in config.samplers.items()} == S4


def test_strings_from_the_command_line_become_numbers():
    config = configuration("smoke", seed="3")
    config["runs"]["cifar10"]["optimizer"]["lr"] = "5e-4"  # what YAML makes of 5e-4
    resolved = resolve(config)
    assert resolved.seed == 3 and resolved.runs["cifar10"].optimizer.lr == 5e-4


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"runs": {"cifar10": {"stpe_size": 1}}}, "unknown key runs.cifar10.stpe_size. Did you mean step_size?"),
        (
            {"runs": {"cifar10": {"network": {"widht": 1}}}},
            "unknown key runs.cifar10.network.widht. Did you mean width?",
        ),
        (
            {"samplers": {"cifar10": {"step_size": -0.5}}},
            "samplers.cifar10.step_size = -0.5: input should be greater than 0.",
        ),
        ({"seeds": 0}, "seeds = 0: input should be greater than 0."),
        ({"seeds": "many"}, "seeds = 'many': input should be a valid integer, unable to parse string as an integer."),
        ({"tasks": {"cifar10": {"p_0": "photgraphs"}}}, "does not have. Did you mean photographs?"),
        ({"samplers": {"cifra10": {"steps": 1, "step_size": 1, "n": 1, "batch_size": 1}}}, "Did you mean cifar10?"),
        ({"samplers": {"cifar10": {"n": 101}}}, "samplers.cifar10.n = 101, but set photographs_test has 100 images."),
        (
            {"runs": {"cifar10": {"monitor": {"n": 61}}}},
            "monitor.n = 61, but set photographs_validation has 60 images.",
        ),
        ({"runs": {"cifar10": {"batch_size": 801}}}, "runs.cifar10.batch_size = 801, but set fashion has 800 images."),
        ({"metrics": {"n": 101}}, "metrics.n = 101, but samplers.cifar10.n = 100 samples."),
        (
            {"runs": {"cifar10": {"schedule": {"K_start": 9}}}},
            "runs.cifar10.schedule: K_start 9 is larger than K_max 2.",
        ),
    ],
)
def test_a_mistake_is_one_sentence(changes, sentence):
    with pytest.raises(ConfigError) as error:
        typed("smoke", **changes)
    assert str(error.value).startswith("config.yaml: ") and str(error.value).endswith(sentence)
    assert "\n" not in str(error.value)


def test_a_missing_key_is_named():
    config = configuration("smoke")
    del config["toy"]["m"]
    with pytest.raises(ConfigError, match=r"config.yaml: toy.m is missing."):
        resolve(config)
