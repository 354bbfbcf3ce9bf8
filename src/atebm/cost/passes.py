"""How many images pass through which network, and how, in each step of a plan. Needs neither a device nor data.

This module counts the work of networks; cost/host.py counts the reading and cropping of images, and distances. Other
work is not counted: the 2D simulations (`toy`, `minimax`), `detection`, lists of layers (`network`), pictures
(`overview`) and the tiny network behind Table 1 (`check`).
"""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from ..archives.extractors import read_embedded
from ..config.detection import attacks_of, columns_of
from ..config.roles import HELD_OUT, IN
from ..config.schema import Config
from ..detection.attack_step import MODELS
from ..evaluation.along import BATCH
from ..pipeline.plan import Plan
from ..pipeline.step import Step
from ..training.schedule import WINDOW, lengths
from ..utils.hashing import canonical

# The kinds of work on an image: f(x); f(x) and its gradient by x, with constant parameters; f(x) and its gradient by
# the parameters; and f(x) + R1 and its gradient by the parameters, which differentiates twice.
FORWARD, BY_IMAGE, BY_WEIGHTS, WITH_R1 = "forward", "by image", "by weights", "with R1"

INCEPTION, EFFICIENTNET = "inception", "efficientnet_lite0"
EXTRACTED = 250  # images in one batch of an extractor


@dataclass(frozen=True)
class Network:
    """A network for images of one shape (C, H, W)."""

    settings: str  # JSON of a `network` in config.yaml; for third-party extractors only the name
    shape: tuple[int, int, int]
    outputs: int

    @property
    def options(self) -> dict[str, Any]:
        return json.loads(self.settings)

    def __str__(self) -> str:
        options = [f"{key} {value}" for key, value in self.options.items() if key not in ("name", "mean", "std")]
        return f"{', '.join([self.options['name'], *options])}, {'x'.join(map(str, self.shape))}"


@dataclass(frozen=True)
class Way:
    """A network, and the circumstances that decide how fast images pass through it."""

    network: Network
    batch: int
    precision: str = "fp32"
    captured: bool = False  # as a CUDA graph, if on a GPU
    compiled: bool = False  # by torch.compile


Passes = Counter[tuple[Way, str]]  # numbers of images, by way and kind of work


def passes(plan: Plan, step: Step, soon: bool = False) -> Passes:
    """Return the images that pass through networks in a step.

    In a training with auc_advance, K may grow earlier than epochs_per_K says: the count is the least possible, or with
    `soon` the greatest possible. For a sampler with `selected` steps, the count is for the most steps that can be
    selected. For a training that can diverge, it is for all its iterations.
    """
    if step.kind == "train":
        return of_training(plan, step, soon)
    return KINDS[step.kind](plan, step) if step.kind in KINDS else Passes()


def of_training(plan: Plan, step: Step, soon: bool) -> Passes:
    run = step.settings
    if "weights" in run:
        return Passes()
    attack, batch, monitor = run["in_attack"], run["batch_size"], run["monitor"]
    per_K, total, checks = length_of_training(plan, step)
    soonest = min(per_K, WINDOW) if soon and run["schedule"]["auc_advance"] is not None else per_K
    climbed = sum_of_K(run["schedule"], soonest, total) + (attack["steps"] * total if attack else 0)
    gpus = plan.config.gpus_per_run
    way = Way(network_of_run(plan.config, step), max(1, batch // gpus), run["precision"], not run["langevin"])
    way = replace(way, compiled=run["compile"])
    found = Passes({(way, BY_IMAGE): batch * climbed, (way, BY_WEIGHTS): batch * total})
    found[way, WITH_R1 if run["r1"] else BY_WEIGHTS] += batch * total
    precision = "tf32" if run["precision"] == "tf32" else "fp32"  # accuracies are computed without autocast
    if run["objective"] == "outlier_exposure":  # its accuracy is measured at the end
        held_out = plan.config.sets[step.parents["held_out"].name].images
        found[Way(way.network, EXTRACTED, precision), FORWARD] += held_out
    if monitor:
        here = replace(way, batch=BATCH, precision=monitor.get("precision") or run["precision"], captured=True)
        found[here, BY_IMAGE] += checks * monitor["n"] * max(monitor["steps"])
        found += see_by_extractor(plan, checks * monitor["n"] * len(set(monitor["steps"])))
    return found


def length_of_training(plan: Plan, step: Step) -> tuple[int, int, int]:
    """Return the iterations per value of K, the iterations of the whole training, and the number of monitor checks."""
    run, images = plan.config.runs[step.name], plan.config.sets[plan.task(step.name).p_data].images
    per_K, total = lengths(run, images)
    return per_K, total, -(-total // run.monitor.every) if run.monitor else 0


def sum_of_K(schedule: dict[str, Any], per_K: int, total: int) -> int:
    """Return the sum of K over all iterations, if K grows after every `per_K` iterations."""
    growing = range(schedule["K_start"], schedule["K_max"])
    spent = [min(per_K, max(0, total - per_K * number)) for number in range(len(growing))]
    rest = total - sum(spent)
    return sum(K * n for K, n in zip(growing, spent, strict=True)) + schedule["K_max"] * rest


def of_classifier(plan: Plan, step: Step) -> Passes:
    """Count the images of a pre-training, or of the training of an extractor."""
    settings = step.settings
    if "epochs" not in settings:  # the weights exist already
        return Passes()
    precision = settings.get("precision", "fp32")
    way = Way(network_of_classifier(plan.config, step), settings["batch_size"], precision)
    way = replace(way, compiled=settings.get("compile", False))
    iterations = settings["epochs"] * (plan.config.sets[settings["p_data"]].images // settings["batch_size"])
    held_out = plan.config.sets[settings["held_out"]].images
    return Passes(
        {
            (way, BY_WEIGHTS): iterations * settings["batch_size"],
            (Way(way.network, EXTRACTED), FORWARD): held_out,
        }
    )


def of_gan(plan: Plan, step: Step) -> Passes:
    """Count the passes of the discriminator; the generator mirrors it, and has as many passes."""
    settings, p_data = step.settings, step.parents["p_data"].name
    network = Network(canonical(settings["network"]), image_shape(plan.config, p_data), 1)
    way, images = Way(network, settings["batch_size"]), settings["batch_size"] * settings["iterations"]
    found = Passes({(way, BY_WEIGHTS): images, (way, BY_IMAGE): images})
    found[way, WITH_R1] += images  # R1 is logged, so it is computed even if its weight is 0
    return found


def of_sampling(plan: Plan, step: Step) -> Passes:
    settings, model = step.settings, step.parents["model"]
    steps = max(model.settings["monitor"]["steps"]) if settings["steps"] == "selected" else settings["steps"]
    n, precision = settings["n"], settings.get("precision", "fp32")
    way = Way(network_of_run(plan.config, model), settings["batch_size"], precision, captured=True)
    return Passes({(way, BY_IMAGE): n * steps, (way, FORWARD): 2 * n})


def of_ascent(plan: Plan, step: Step) -> Passes:
    """Count as if all batches were full: smaller batches are slower per image, but take negligible time."""
    settings, last = step.settings, step.settings["steps"][-1]
    models = [parent for role, parent in step.parents.items() if role.startswith("model")]
    n, more = starts(settings), settings["distances"] or 0
    looks = 2 if len(models) > 1 else 1  # for the sum, and for each of its terms
    found = Passes()
    for model in models:
        way = Way(network_of_run(plan.config, model), BATCH)
        found[way, BY_IMAGE] += (n + more) * last
        found[way, FORWARD] += looks * n * len(settings["steps"])
    return found + see_by_extractor(plan, more * len(settings["steps"]))


def starts(settings: dict[str, Any]) -> int:
    """Return the number of images from which an ascent step climbs."""
    blends = settings["start"]["name"] == "blends"
    return settings["n"] // 2 * settings["start"]["count"] if blends else settings["n"]


def of_attack(plan: Plan, step: Step) -> Passes:
    settings, model = step.settings, step.parents["model"]
    judge = Way(network_of_run(plan.config, model), settings["batch_size"])
    climbed = Way(network_of_run(plan.config, step.parents.get("surrogate", model)), settings["batch_size"])
    columns = len(columns_of(settings))
    alone, with_gradient = map(sum, zip(*(attack.cost() for attack in attacks_of(settings).values()), strict=True))
    found = Passes()
    for role, n in count_attacked(plan.config, step).items():
        found[judge, FORWARD] += n
        if role in (IN, HELD_OUT):
            continue
        n *= len(settings["radii"])
        found[judge, FORWARD] += n * columns
        found[climbed, FORWARD] += n * alone
        found[climbed, BY_IMAGE] += n * with_gradient
    return found


def count_attacked(config: Config, step: Step) -> dict[str, int]:
    """Return the number of images that an attack step takes from each set, by the set's role."""
    sets = {role: config.sets[parent.name].images for role, parent in step.parents.items() if role not in MODELS}
    return {role: min(n, step.settings["n"]) for role, n in sets.items()}


def of_features(plan: Plan, step: Step) -> Passes:
    network = network_of_extractor(plan, step.parents["extractor"])
    way = Way(network, EXTRACTED, step.settings.get("precision", "fp32"))
    return Passes({(way, FORWARD): count_images(plan.config, step)})


def count_images(config: Config, step: Step) -> int:
    """Return the number of images of a step that makes images, or of a `features` step."""
    if step.kind == "features":
        n = step.settings["n"]
        return count_images(config, step.parents["images"]) if n is None else n
    return step.settings["n"] if step.kind in ("sample", "gan") else config.sets[step.name].images


def of_timing(plan: Plan, step: Step) -> Passes:
    settings, calls = step.settings, 1 + step.settings["repeats"]
    way = Way(network_of_run(plan.config, step.parents["model"]), settings["images"])
    return Passes({(way, BY_IMAGE): calls * settings["images"] * settings["steps"]})


KINDS: dict[str, Callable[[Plan, Step], Passes]] = {
    "extractor": of_classifier,
    "pretrain": of_classifier,
    "sample": of_sampling,
    "gan": of_gan,
    "ascent": of_ascent,
    "attack": of_attack,
    "features": of_features,
    "timing": of_timing,
}


def products(plan: Plan, step: Step, width: int) -> int:
    """Return the operations of a search for neighbours: each sample with each image, in pixels and in features.

    `width` is the number of features. No other matrix products outside networks take noticeable time.
    """
    if step.kind != "neighbours":
        return 0
    channels, height, side = image_shape(plan.config, step.parents["train"].name)
    total = 0
    for space, length in (("", channels * height * side), ("_features", width)):
        train, *held_out = (
            count_images(plan.config, step.parents[role + space])
            for role in ("train", "held_out")
            if role in step.parents
        )
        total += 2 * step.settings["n"] * length * (train + sum(2 * min(train, n) for n in held_out))
    return total


def see_by_extractor(plan: Plan, n: int) -> Passes:
    """Return the passes of n images through the main extractor; empty if n is 0."""
    return Passes({(Way(network_of_extractor(plan), EXTRACTED), FORWARD): n} if n else {})


# --- which network ------------------------------------------------------------------------------------------------


def network_of_run(config: Config, step: Step) -> Network:
    """Return the network of a `train` step."""
    run = config.runs[step.name]
    p_data = config.tasks[run.task].p_data
    outputs = config.labels_of(p_data) if run.objective == "outlier_exposure" else 1
    return Network(canonical(step.settings["network"]), image_shape(config, p_data), outputs)


def network_of_classifier(config: Config, step: Step) -> Network:
    """Return the network of a `pretrain` step, or of an `extractor` step that trains one."""
    spec = config.pretrainings[step.name] if step.kind == "pretrain" else step.settings
    p_data, size = (spec["p_data"], None) if isinstance(spec, dict) else (spec.p_data, spec.size)
    shape = (3, size, size) if size else image_shape(config, p_data)
    return Network(canonical(step.settings["network"]), shape, config.labels_of(p_data))


def network_of_extractor(plan: Plan, step: Step | None = None) -> Network:
    """Return the network of an `extractor` step, by default that of metrics.extractor."""
    step = step or plan.extractor()
    settings = step.settings
    if settings["kind"] == INCEPTION:
        return Network(canonical({"name": INCEPTION}), (3, 299, 299), 1008)
    if settings["kind"] == EFFICIENTNET:
        return Network(canonical({"name": EFFICIENTNET}), (3, settings["size"], settings["size"]), 1000)
    if settings["kind"] == "embedded":
        record, _ = read_embedded(settings["file"], settings["sha256"])
        return Network(canonical(record["network"]), tuple(record["shape"]), len(record["classes"]))
    return network_of_classifier(plan.config, step)


def image_shape(config: Config, name: str) -> tuple[int, int, int]:
    """Return the shape (C, H, W) of a set's images."""
    size = config.size_of(name)
    if size is None:
        raise ValueError(f"{name} is an index, whose images differ in size")
    return config.channels_of(name), size, size
