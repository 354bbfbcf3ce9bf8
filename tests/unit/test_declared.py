"""What is declared once: each attack, augmentation, network, metric and reader has its function, and can be chosen."""

from pkgutil import resolve_name

import pytest

from atebm.config.augment import AUGMENTS, Augmentation
from atebm.config.base import sections
from atebm.config.detection import ATTACKS, Attack
from atebm.config.evaluation import METRICS, metrics_of_samples
from atebm.config.models import NETWORKS, Normalised
from atebm.config.sets import SETS, Images

FUNCTIONS = {
    **{f"attack {name}": kind.function for name, kind in ATTACKS.items()},
    **{f"network {name}": kind.builds for name, kind in NETWORKS.items()},
    **{f"metric {name}": metric.function for name, metric in METRICS.items()},
    **{f"augmentation {name}": kind.applies for name, kind in AUGMENTS.items()},
    **{f"reader {name}": kind.makes for name, kind in SETS.items() if name != "index"},  # a kind of step of its own
}


@pytest.mark.parametrize("name", FUNCTIONS.values(), ids=FUNCTIONS)
def test_a_declared_function_is_there(name):
    """A slip in one that is seldom used would end a job hours after the start."""
    assert callable(resolve_name(name))


def test_every_settings_class_can_be_chosen():
    """A class that its union, or Detection, does not have is dead."""
    assert set(ATTACKS.values()) == set(sections(Attack))
    assert set(NETWORKS.values()) == set(sections(Normalised))
    assert set(AUGMENTS.values()) == set(sections(Augmentation))
    assert set(SETS.values()) == {kind for kind in sections(Images) if "reader" in kind.model_fields}


def test_metrics_of_samples_are_those_that_the_extractor_allows():
    assert metrics_of_samples("classifier")[:3] == ["frechet", "inception_score", "class_shares"]
    assert metrics_of_samples("inception")[:3] == ["frechet", "inception_score", "kid"]
