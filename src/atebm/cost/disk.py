"""The bytes that each step of a plan leaves in work/: arrays, weights and tables.

The saved state of an interrupted step is not counted, since it is removed when the step is done.
"""

from collections.abc import Callable
from math import prod

from ..config.detection import columns_of
from ..config.roles import HELD_OUT, IN
from ..detection.attack_step import KEPT, MODELS
from ..pipeline.kinds import KINDS
from ..pipeline.plan import Plan
from ..pipeline.step import Step
from ..training.trainer import LOG_EVERY
from ..utils.hashing import canonical
from .flops import Facts, facts
from .passes import (
    Network,
    count_attacked,
    count_images,
    image_shape,
    length_of_training,
    network_of_classifier,
    network_of_extractor,
    network_of_run,
    starts,
)

HEADER = 128  # bytes of an .npy's header
RECORD = 1000  # bytes of a step's .json
NUMBER = 11  # bytes of a number in a text table, with its comma
STORED = 90  # bytes per tensor in a weight file, beside its numbers
ENTRY = 46  # bytes per entry of an index: name, offset and length of a file of ImageNet


def size(plan: Plan, step: Step) -> int:
    """Return the bytes of a step's folder; those of text are estimated, since numbers vary in length."""
    return KINDS[step.kind].bytes or RECORD + COUNTS[step.kind](plan, step)


def array(n: int, *shape: int, bytes: int = 1) -> int:
    return HEADER + n * prod(shape) * bytes


def table(rows: float, numbers: int) -> int:
    return int(rows * numbers * NUMBER)


def weights(network: Facts) -> int:
    return network.bytes + STORED * network.tensors


def of_data(plan: Plan, step: Step) -> int:
    n = plan.config.sets[step.name].images
    return array(n, *image_shape(plan.config, step.name)) + array(n, bytes=8)


def of_index(plan: Plan, step: Step) -> int:
    n = plan.config.sets[step.name].images
    return array(n, bytes=ENTRY) + array(n, bytes=8)


def of_classifier(plan: Plan, step: Step) -> int:
    if step.kind == "extractor":
        return weights(facts(network_of_extractor(plan, step)))
    return weights(facts(network_of_classifier(plan.config, step)))


def of_training(plan: Plan, step: Step) -> int:
    run, network = step.settings, facts(network_of_run(plan.config, step))
    if "weights" in run:
        return 2 * weights(network)
    _, total, checks = length_of_training(plan, step)
    rows = checks * len(set(run["monitor"]["steps"])) if run["monitor"] else 0
    return 2 * weights(network) + table(total / LOG_EVERY, 8) + table(rows, 4)


def of_sampling(plan: Plan, step: Step) -> int:
    n = step.settings["n"]
    return array(n, *image_shape(plan.config, step.parents["sources"].name)) + table(n, 3)


def of_gan(plan: Plan, step: Step) -> int:
    """Return the bytes of a `gan` step, if the generator is as large as the discriminator, which it mirrors."""
    settings, p_data = step.settings, step.parents["p_data"].name
    network = Network(canonical(settings["network"]), image_shape(plan.config, p_data), 1)
    return array(settings["n"], *network.shape) + weights(facts(network)) + table(settings["iterations"] / LOG_EVERY, 6)


def of_ascent(plan: Plan, step: Step) -> int:
    settings = step.settings
    n, kept, moves = starts(settings), len(settings["steps"]), 1 + settings["steps"][-1]
    shape = image_shape(plan.config, step.parents["images"].name)
    return array(n * kept, *shape) + array(settings["motion"] * moves, *shape) + table(n * kept, 2)


def of_attack(plan: Plan, step: Step) -> int:
    settings, counts = step.settings, count_attacked(plan.config, step)
    others = [n for role, n in counts.items() if role not in (IN, HELD_OUT)]
    rows = sum(counts.values()) + sum(others) * (len(settings["radii"]) - 1)
    columns = 5 + len(columns_of(settings))
    some = next(parent for role, parent in step.parents.items() if role not in MODELS)
    images = array(sum(min(KEPT, n) for n in others), *image_shape(plan.config, some.name), bytes=4)
    return images + table(rows, columns)


def of_features(plan: Plan, step: Step) -> int:
    n, network = count_images(plan.config, step), network_of_extractor(plan, step.parents["extractor"])
    return array(n, facts(network).width, bytes=4) + array(n, network.outputs, bytes=4)


def of_neighbours(plan: Plan, step: Step) -> int:
    rows = step.settings["k"] + (2 if "held_out" in step.parents else 0)
    return table(2 * step.settings["n"] * rows, 4)  # in pixels and in features


COUNTS: dict[str, Callable[[Plan, Step], int]] = {
    "data": of_data,
    "index": of_index,
    "extractor": of_classifier,
    "pretrain": of_classifier,
    "train": of_training,
    "sample": of_sampling,
    "gan": of_gan,
    "ascent": of_ascent,
    "attack": of_attack,
    "features": of_features,
    "neighbours": of_neighbours,
}
