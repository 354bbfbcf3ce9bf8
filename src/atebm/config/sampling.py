"""The settings of samplers, of ascents from any images, and of the timing of sampling."""

from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from .base import Fraction, Paper, Precision, RunName, Section, Share, TaskName, Unique, Variant, key, mistake


class Sampler(Section):
    """PGD from source images (supplement Table 4)."""

    paper = Paper("Eq. 8; Table S4")
    run: RunName | None = key(
        "run whose model is sampled; null: the run with the entry's own name", source="Table S7", default=None
    )
    steps: PositiveInt | Literal["selected"] = key("PGD steps; selected: the number chosen by the run's monitor")
    step_size: PositiveFloat = key("length of a step", unit="[0, 1] pixels, L2")
    noise: NonNegativeFloat | None = key(
        "standard deviation of each step's noise, for Langevin dynamics with its unnormalised gradient; "
        "null: PGD, Eq. 8",
        unit="[0, 1] pixels",
        source="ours, for an energy-based model: Eq. 3",
        default=None,
    )
    blur: NonNegativeFloat = key(
        "standard deviation of the Gaussian blur of the sources; 0: no blur", unit="pixels", source="Fig. S5"
    )
    quantise: Literal["truncate", "round"] = key("how samples are converted to bytes", source="authors' script")
    n: PositiveInt = key("samples, each from one source")
    batch_size: PositiveInt = key(
        "images in a forward pass; shards are whole batches, so that the number of shards changes no byte",
        source="ours",
    )
    precision: Precision = key("arithmetic of the model", source="ours", default="fp32")

    def settings(self) -> dict[str, Any]:
        """Return the settings of a `sample` step."""
        return self.model_dump(exclude={"run"})


class AsTheyAre(Variant):
    """Images as they are."""

    paper = Paper("supplement 4, intermediate results, translation, composition")
    name: Literal["images"] = key("preparation of the images")


class Blends(Variant):
    """Linear blends of two images: the first with the second, the third with the fourth, and so on."""

    paper = Paper("Figs. S11-S13; their number: ours")
    name: Literal["blends"] = key("preparation of the images")
    count: int = key("images from each pair, both ends included", ge=2)


class Noisy(Variant):
    """Images with Gaussian noise, clamped to [0, 1]."""

    paper = Paper("Figs. S18 and S19")
    name: Literal["noisy"] = key("preparation of the images")
    sigma: PositiveFloat = key("standard deviation of the noise", unit="[0, 1] pixels")


class Occluded(Variant):
    """Images with a square hole in the middle; the ascent changes only the pixels in the hole."""

    paper = Paper("Figs. S18 and S19; shape, and that known pixels stay: ours")
    name: Literal["occluded"] = key("preparation of the images")
    side: Fraction = key("side of the hole, as a share of the image's side")
    fill: Share = key("initial value in the hole", unit="[0, 1]")


Start = Annotated[AsTheyAre | Blends | Noisy | Occluded, Field(discriminator="name")]


class Ascent(Section):
    """PGD with a run's model from any images; the images after several numbers of steps are kept."""

    paper = Paper("Fig. 7, Figs. S11-S20; what these leave open: ours")
    run: RunName = key("run whose model is climbed")
    others: Unique[RunName] = key("runs whose f is added to the run's f (composition), each with weight 1")
    task: TaskName | None = key("task that provides the starting images; null: the run's own task")
    images: Literal["sources", "held_out", "p_data"] = key("set of the task from which the ascent starts")
    start: Start = key("preparation of the images")
    n: PositiveInt = key("number of images, counted from the first")
    motion: NonNegativeInt = key("number of images, counted from the first, kept after every step, for an animation")
    steps: tuple[NonNegativeInt, ...] = key("numbers of steps after which all images are kept; ascending from 0")
    step_size: PositiveFloat = key("length of a step", unit="[0, 1] pixels, L2")
    quantise: Literal["truncate", "round"] = key("how images are converted to bytes")
    seed: NonNegativeInt = key("seed of the noise")
    distances: PositiveInt | None = key(
        "images for computing the distance from the run's p_data after each of `steps`; null: no distance"
    )

    @model_validator(mode="after")
    def _fits(self) -> "Ascent":
        if len(self.steps) < 2 or self.steps[0] != 0 or list(self.steps) != sorted(set(self.steps)):
            raise mistake(["steps"], " = {}: write at least two numbers that ascend from 0", list(self.steps))
        if isinstance(self.start, Blends) and self.n % 2:
            raise mistake(["n"], " = {} is odd, but images are blended in pairs", self.n)
        if self.distances and not isinstance(self.start, AsTheyAre):
            text = " = {}, but start.name is " + f"{self.start.name}: set it to null, or set start.name to images"
            raise mistake(["distances"], text, self.distances)
        return self


class Timing(Section):
    """The wall-clock time of sampling."""

    paper = Paper("Table S6")
    images: PositiveInt = key("images in one batch")
    steps: PositiveInt = key("PGD steps")
    repeats: int = key("measurements behind the median", source="ours", ge=5)
