"""The CPU time of each step apart from its networks: for images, and for distances between features.

Workers make batches while a GPU computes, so a step waits for them only if they are slower than the GPU. A step always
waits for the main process. The rates are for one core of a server. Each is either measured by benchmarks/data.py or
assumed, and says so; cores differ by a factor of two.
"""

from dataclasses import dataclass
from typing import Any

from ..config.sets import ImageIndex, Part
from ..data.augment import EACH
from ..data.stream import MOST_WORKERS
from ..pipeline.plan import MOST_WORKERS as PROCESSES
from ..pipeline.plan import Plan
from ..pipeline.step import Step
from .passes import image_shape, length_of_training

# seconds on one core, and the source of the number
RATES: dict[str, tuple[float, str]] = {
    "decode and crop an image file to 256 pixels": (1 / 295, "measured by benchmarks/data.py"),
    "autoaugment_cutout of 32 pixels": (1.7e-3, "measured: 216 ms for 128 images"),
    "resized_crop_flip of 256 pixels": (3e-3, "measured: 3 ms an image, one by one"),
    "distance of 2048 features": (3.7, "measured: a square root of a matrix by SciPy"),
    "decode and resize an image of an archive": (6e-3, "assumed: a JPEG of 256 to 512 pixels, twice a crop's time"),
}
IMAGE_FILES = {"places365_small", "celebahq", "afhq_v1_cat", "lsun_church"}  # archives of image files, not of arrays


@dataclass(frozen=True)
class Host:
    """The CPU time of a step, in seconds of one core."""

    alone: float = 0.0  # work for which the device waits
    beside: float = 0.0  # work of the workers while the device computes, summed over workers
    workers: int = 1

    def hours(self, device: float, gpu: bool) -> float:
        """Return the hours of the step if its device takes `device` hours. Without a GPU, one core does everything."""
        beside, alone = self.beside / 3600, self.alone / 3600
        return alone + (max(device, beside / self.workers) if gpu else device + beside)

    @property
    def core_hours(self) -> float:
        return (self.alone + self.beside) / 3600


def host_work(plan: Plan, step: Step, features: int) -> Host:
    """Return the CPU time of a step's images and distances; `features` is the number of the extractor's features."""
    if step.kind == "data":
        spec = plan.config.sets[step.name]
        of = plan.config.sets[spec.of] if isinstance(spec, Part) else spec
        files = isinstance(of, ImageIndex) or {archive for archive, _ in of.archives} & IMAGE_FILES
        images = spec.images if files and (of is spec or isinstance(of, ImageIndex)) else 0
        return Host(beside=images * seconds("decode and resize an image of an archive"), workers=PROCESSES)
    if step.kind == "pretrain" and "epochs" in step.settings:
        settings = step.settings
        images = settings["epochs"] * plan.config.sets[settings["p_data"]].images
        return Host(0.0, images * of_augment(plan, settings["p_data"], settings["augment"], 256), MOST_WORKERS)
    if step.kind == "train" and "weights" not in step.settings:
        return of_training(plan, step, features)
    if step.kind == "metric" and step.settings["metric"] == "frechet":
        return Host(alone=(1 + step.settings["blocks"]) * of_distance(features))
    return Host()


def of_training(plan: Plan, step: Step, features: int) -> Host:
    """Return the CPU time of the batches of both sets, each with its own workers, and of the monitor's distances."""
    run, (_, total, checks) = step.settings, length_of_training(plan, step)
    size = image_shape(plan.config, step.parents["p_data"].name)[1]
    made = sum(of_augment(plan, step.parents[role].name, run["augment"][role], size) for role in ("p_data", "p_0"))
    lengths = len(set(run["monitor"]["steps"])) if run["monitor"] else 0
    return Host(checks * lengths * of_distance(features), total * run["batch_size"] * made, 2 * MOST_WORKERS)


def of_augment(plan: Plan, name: str, how: dict[str, Any], size: int) -> float:
    """Return the seconds of one core to augment one image of a set, of `size` pixels a side."""
    if isinstance(plan.config.sets[name], ImageIndex):
        return seconds("decode and crop an image file to 256 pixels")
    if how["name"] not in EACH:
        return 0.0  # done on the device, for a whole batch at once
    auto = how["name"] == "autoaugment_cutout"
    rate = "autoaugment_cutout of 32 pixels" if auto else "resized_crop_flip of 256 pixels"
    return seconds(rate) * (size / (32 if auto else 256)) ** 2


def of_distance(features: int) -> float:
    return seconds("distance of 2048 features") * (features / 2048) ** 3


def seconds(rate: str) -> float:
    return RATES[rate][0]
