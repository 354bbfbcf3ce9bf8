"""Samplers, ascents from any images, and the timing of sampling."""

from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from .base import Fraction, Paper, Precision, Section, Share, Variant


class Sampler(Section):
    """PGD from source images (supplement Table 4)."""

    paper = Paper("Eq. 8; Table S4")
    run: Annotated[str | None, Paper("Table S7")] = None  # whose model it samples; null: that of the entry's own name
    steps: PositiveInt | Literal["selected"]  # selected: the length that training's monitor found best
    step_size: PositiveFloat
    # standard deviation of each step's noise in Langevin dynamics, whose gradient is not normalised; null: PGD, Eq. 8
    noise: Annotated[NonNegativeFloat | None, Paper("ours, for an energy-based model: Eq. 3")] = None
    # standard deviation, in pixels, of a Gaussian that blurs the sources first; 0: none does
    blur: Annotated[NonNegativeFloat, Paper("Fig. S5")]
    quantise: Annotated[Literal["truncate", "round"], Paper("authors' script")]  # how samples become bytes
    n: PositiveInt
    # images a forward pass; shards are whole batches, so that their number changes no byte
    batch_size: Annotated[PositiveInt, Paper("ours")]
    precision: Annotated[Precision, Paper("ours")] = "fp32"

    def settings(self) -> dict[str, Any]:
        """Return what a `sample` step is computed from; a key at its default is left out, as digests were made."""
        return self.without_defaults(exclude={"run"})


class AsTheyAre(Variant):
    """Images as they are."""

    paper = Paper("supplement 4, intermediate results, translation, composition")
    name: Literal["images"]


class Blends(Variant):
    """Linear blends of two images, the first with the second, the third with the fourth, ..."""

    paper = Paper("Figs. S11-S13; their number: ours")
    name: Literal["blends"]
    count: Annotated[int, Field(ge=2)]  # of each pair, both images included


class Noisy(Variant):
    """Images under Gaussian noise, cut to [0, 1]."""

    paper = Paper("Figs. S18 and S19")
    name: Literal["noisy"]
    sigma: PositiveFloat  # standard deviation, in [0, 1] pixel units


class Occluded(Variant):
    """Images with a square hole in their middle; only its pixels are changed then."""

    paper = Paper("Figs. S18 and S19; shape, and that known pixels stay: ours")
    name: Literal["occluded"]
    side: Fraction  # of the hole, as a share of the image's
    fill: Share  # what is in it at first


Start = Annotated[AsTheyAre | Blends | Noisy | Occluded, Field(discriminator="name")]


class Ascent(Section):
    """PGD with a run's model from any images, kept after several numbers of steps."""

    paper = Paper("Fig. 7, Figs. S11-S20; what these leave open: ours")
    run: str
    others: tuple[str, ...]  # runs whose f are added to the run's (composition), all with weight 1
    task: str | None  # whose images it starts from; null: the run's own
    images: Literal["sources", "held_out", "p_data"]  # which of them
    start: Start  # what is done to them first
    n: PositiveInt  # so many of them, the first
    motion: NonNegativeInt  # of the first so many, the images after every step are kept, for an animation
    steps: tuple[NonNegativeInt, ...]  # after which all are kept; from 0 on, ascending
    step_size: PositiveFloat
    quantise: Literal["truncate", "round"]  # how they become bytes
    seed: NonNegativeInt  # of the noise
    # images behind a distance to the run's p_data after each of those numbers of steps; null: no such distance
    distances: PositiveInt | None

    @model_validator(mode="after")
    def _fits(self) -> "Ascent":
        if len(self.steps) < 2 or self.steps[0] != 0 or list(self.steps) != sorted(set(self.steps)):
            raise ValueError(f"steps {list(self.steps)} do not ascend from 0")
        if isinstance(self.start, Blends) and self.n % 2:
            raise ValueError(f"n {self.n} is odd, but images are blended in pairs")
        if self.distances and not isinstance(self.start, AsTheyAre):
            raise ValueError(f"distances are of images as they are, and start.name is {self.start.name}")
        return self


class Timing(Section):
    """The wall-clock time of sampling."""

    paper = Paper("Table S6")
    images: PositiveInt  # in one batch
    steps: PositiveInt
    repeats: Annotated[int, Field(ge=5), Paper("ours")]  # behind the median
