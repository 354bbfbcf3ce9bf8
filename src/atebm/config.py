"""config.yaml as types: every field of every experiment, unknown keys refused.

The models are not strict on purpose: YAML reads `5e-4` as a string and `--config` passes strings; what is
hashed into a step's digest are the resolved types.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import zip_longest
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    model_validator,
)

from .errors import ConfigError
from .roles import HELD_OUT, IN

# of an entry: it becomes part of the names of files, and those of Snakemake's rules tell it from what follows
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.]{0,63}$")]
NAMES = "names are of letters, digits, _ and ., at most 64, and begin with none of the dots"
QUOTES = "put it in quotes if it is a name"
Fraction = Annotated[float, Field(gt=0, lt=1)]
Channels = tuple[float, ...]  # one value per colour channel, in [0, 1] pixel units


@dataclass(frozen=True)
class Paper:
    """Where the paper states a setting, or who chose it where it doesn't; `atebm explain` prints it."""

    where: str


def _without_nulls(entries: Any) -> Any:
    """Entries by name; null, in a file further down, leaves one out, or all."""
    if not isinstance(entries, dict):
        return entries or {}
    return {key: value for key, value in entries.items() if value is not None}


class Section(BaseModel):
    # infinities would be hashed and compared as numbers that they are not
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    paper: ClassVar[Paper]  # of all fields that have none of their own


class Kind(Section):
    """One of several kinds of a setting. What belonged to another kind, in a file further down, can be set to null:
    { name: sgd, lr: 0.1, momentum: 0.9, betas: null } over Adam's."""

    @model_validator(mode="before")
    @classmethod
    def _forget(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        return {key: value for key, value in values.items() if value is not None or key in cls.model_fields}


# --- image sets -------------------------------------------------------------------------------------------------


class Images(Section):
    """What every image set has."""

    paper = Paper("ours")
    # what its images are, in captions, rows and legends; null: as its reader describes them. It is in no digest
    title: Annotated[str | None, Paper("ours")] = Field(default=None, exclude=True)


class FashionMnist(Images):
    """The embedded test split of Fashion-MNIST: 28x28 grey, padded to 32x32, resized to `size`."""

    paper = Paper("ours: a stand-in")
    reader: Literal["fashion_mnist"]
    split: Literal["train", "held_out"]
    held_out: Annotated[int, Field(gt=0, lt=10_000)]  # the last so many of the 10,000 images
    size: PositiveInt  # pixels a side

    @property
    def images(self) -> int:
        return self.held_out if self.split == "held_out" else 10_000 - self.held_out


class Photographs(Images):
    """Random crops of photographs that ship inside Python packages (data/embedded/photographs.csv)."""

    paper = Paper("ours: a stand-in")
    reader: Literal["photographs"]
    photographs: tuple[str, ...] = Field(min_length=1)
    n: PositiveInt
    seed: NonNegativeInt
    size: PositiveInt  # pixels a side
    crop_min: PositiveInt  # smallest side of a crop, pixels of the photograph; sides are log-uniform
    crop_max: PositiveInt
    min_std: NonNegativeFloat  # flatter crops are drawn again; grey levels of 255

    @property
    def images(self) -> int:
        return self.n

    @model_validator(mode="after")
    def _ordered(self) -> "Photographs":
        if self.crop_min > self.crop_max:
            raise ValueError(f"crop_min {self.crop_min} is larger than crop_max {self.crop_max}")
        return self


class ColourPhotographs(Photographs):
    """The same in colour; of photographs that are grey, in three equal channels."""

    reader: Literal["colour_photographs"]  # type: ignore[assignment]


class Folder(Images):
    """Image files of one's own, which `atebm own` has looked at: some of them, in a random order, of one size."""

    paper = Paper("your own images")
    reader: Literal["folder"]
    folder: str  # absolute, or in the checkout
    # image files in it and below, their bytes, and the digest of their names and contents: asserted
    files: PositiveInt
    bytes: PositiveInt
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    channels: Annotated[Literal[1, 3], BeforeValidator(lambda value: {"1": 1, "3": 3}.get(str(value), value))]
    size: PositiveInt  # pixels a side; others are stretched, as all images that are scored are
    seed: NonNegativeInt = 0  # of the order
    skip: NonNegativeInt = 0  # images, first in that order, that are left to other sets
    n: PositiveInt

    @property
    def images(self) -> int:
        return self.n

    @model_validator(mode="after")
    def _there(self) -> "Folder":
        if self.skip + self.n > self.files:
            raise ValueError(f"skip + n = {self.skip + self.n}, but folder {self.folder} has {self.files} images")
        return self


class Archive(Images):
    """A public archive of the paper (data/README.md lists source, licence and access of each)."""

    paper = Paper("supplement 3, datasets; Table S4")
    reader: Literal["archive"]
    archive: str
    split: Literal["train", "held_out"]
    size: PositiveInt  # pixels a side
    count: PositiveInt  # images, asserted

    @property
    def images(self) -> int:
        return self.count


class ImageIndex(Images):
    """Where each image file of a public archive lies: a set that is too large for an array, of images of all sizes."""

    paper = Paper("supplement 3, datasets")
    reader: Literal["index"]
    archive: str
    split: Literal["train", "held_out"]
    count: PositiveInt  # images, asserted

    @property
    def images(self) -> int:
        return self.count


class TinyImages(Images):
    """Images drawn at random from 80 Million Tiny Images, for those who hold that withdrawn set, without CIFAR's."""

    paper = Paper("supplement 3, datasets; Table S4")
    reader: Literal["tiny_images"]
    n: PositiveInt
    seed: NonNegativeInt
    size: Literal[32] = 32

    @property
    def images(self) -> int:
        return self.n


class Drawn(Images):
    """Images drawn at random, without replacement, from another set, and frozen."""

    paper = Paper("Sec. 5.1, sources; supplement 3, evaluation metrics")
    reader: Literal["drawn"]
    of: str  # a set that is not drawn itself
    n: PositiveInt
    seed: NonNegativeInt
    # images, first in the seed's order, that are left to other sets: what is drawn from there on is disjoint from them
    skip: NonNegativeInt = 0
    size: PositiveInt  # pixels a side
    # how images of an index, which have all sizes, get theirs; null: those of an array stay as they are
    crop: Annotated["Crop | None", Paper("authors' script")]

    @property
    def images(self) -> int:
        return self.n


class Noise(Images):
    """Uniform noise, in whole grey levels as all images are stored (the authors' is not rounded)."""

    paper = Paper("Tables 4 and S8")
    reader: Literal["noise"]
    n: PositiveInt
    seed: NonNegativeInt
    size: PositiveInt  # pixels a side
    channels: Annotated[PositiveInt, Paper("ours")] = 3

    @property
    def images(self) -> int:
        return self.n


class Digits(Images):
    """The handwritten digits that ship with scikit-learn, 8x8 grey, resized to `size`."""

    paper = Paper("ours: a stand-in")
    reader: Literal["digits"]
    size: PositiveInt  # pixels a side

    @property
    def images(self) -> int:
        return 1797


class OfClasses(Images):
    """The images of some classes of another set: they stand in for a task's own data at small scales."""

    paper = Paper("ours: a stand-in")
    reader: Literal["classes"]
    of: str
    classes: tuple[str, ...] = Field(min_length=1)  # by their names in that set
    count: PositiveInt  # images, asserted: no label is read before a job is run

    @property
    def images(self) -> int:
        return self.count


ImageSet = Annotated[
    FashionMnist
    | Photographs
    | ColourPhotographs
    | Folder
    | Digits
    | Archive
    | ImageIndex
    | TinyImages
    | Drawn
    | Noise
    | OfClasses,
    Field(discriminator="reader"),
]


class Task(Section):
    """A target distribution and the sets around it; all names point into `sets`."""

    paper = Paper("Sec. 5; supplement 3, datasets")
    title: str  # what the paper calls its data; where p_data has another title, p_data stands in for it
    p_data: str
    held_out: str  # real images that no training sees
    p_0: str
    validation_sources: str  # select checkpoint and sampler length on these
    sources: str  # report on these
    # sets that the model should score lower than p_data, by their rows in the tables; a row of null is left out
    out_of_distribution: Annotated[
        dict[str, str],
        BeforeValidator(_without_nulls),
        Paper("Tables 4 and S8; authors' script"),
    ] = {}
    # pixels a side that images are shrunk to (averages over areas) for a second distance; null: for none
    also_at: Annotated[PositiveInt | None, Paper("Table 3, 64x64; how images are shrunk: ours")] = None

    @model_validator(mode="after")
    def _rows_are_no_roles(self) -> "Task":
        """An attack has its sets by their rows, beside its model and what is in distribution."""
        if taken := {"model", "surrogate", IN, HELD_OUT}.intersection(self.out_of_distribution):
            raise ValueError(f"out_of_distribution has a row {min(taken)!r}, a name that attacks use: choose another")
        return self

    @property
    def sets(self) -> list[str]:
        roles = (self.p_data, self.held_out, self.p_0, self.validation_sources, self.sources)
        return list(dict.fromkeys((*roles, *self.out_of_distribution.values())))


# --- networks and training --------------------------------------------------------------------------------------


class Small(Kind):
    """Pre-activation residual network without normalisation layers (our own, for small images)."""

    paper = Paper("ours")
    name: Literal["small"]
    width: PositiveInt
    mean: Channels
    std: Channels


class ResNet50(Kind):
    """CIFAR-style ResNet50 (paper, supplement 3)."""

    paper = Paper("supplement 3; normalisation: authors' script")
    name: Literal["resnet50"]
    mean: Channels
    std: Channels


# a Literal takes no string for a number by itself, and `--config` passes strings
Side = Annotated[Literal[1, 3], BeforeValidator(lambda value: {"1": 1, "3": 3}.get(str(value), value))]


class Discriminator256(Kind):
    """The 256x256 network of supplement Table 2."""

    paper = Paper("Table S2; normalisation: authors' script")
    name: Literal["discriminator256"]
    stem: Annotated[Side, Paper("Table S2 says 1x1; the authors' code has 3x3")] = 3  # side of the first convolution
    mean: Channels
    std: Channels


Network = Annotated[Small | ResNet50 | Discriminator256, Field(discriminator="name")]


class Schedule(Section):
    """K, the steps of the PGD attack, over the course of training (Algorithm 2; K_start = K_max is Algorithm 1)."""

    paper = Paper("Algorithm 2; Table S3")
    K_start: NonNegativeInt
    K_max: NonNegativeInt
    epochs_per_K: PositiveFloat  # passes over p_data before K grows by one
    iterations: PositiveInt | None  # of the whole run; K_max lasts until then. null: K_max has its epochs_per_K too
    # K grows early once 100 batches' mean AUC exceeds this
    auc_advance: Annotated[Fraction | None, Paper("authors' script; the paper is silent")]

    @model_validator(mode="after")
    def _ordered(self) -> "Schedule":
        if self.K_start > self.K_max:
            raise ValueError(f"K_start {self.K_start} is larger than K_max {self.K_max}")
        return self


class InAttack(Section):
    """PGD descent on p_data images before the update (for generation: authors' script, the paper is silent)."""

    paper = Paper("authors' script; the paper is silent")
    steps: PositiveInt
    step_size: PositiveFloat
    eps: PositiveFloat | None  # radius of the L2 ball; null: no projection


class Langevin(Section):
    """Langevin dynamics (Eq. 3) in place of the PGD attack on p_0, as usual energy-based models are trained."""

    paper = Paper("Eq. 3; the numbers are ours")
    step_size: PositiveFloat  # the variance of a step's noise, in [0, 1] pixel units; half of it times the gradient


class Adam(Kind):
    paper = Paper("Table S3")
    name: Literal["adam"]
    lr: PositiveFloat
    betas: tuple[NonNegativeFloat, NonNegativeFloat]


class Sgd(Kind):
    """With Nesterov momentum and without weight decay."""

    paper = Paper("supplement 3, OOD detection; authors' script")
    name: Literal["sgd"]
    lr: PositiveFloat
    momentum: Fraction


Optimizer = Annotated[Adam | Sgd, Field(discriminator="name")]


class Monitor(Section):
    """Selection of checkpoint and sampler length by Frechet distance on validation sources (supplement 3)."""

    paper = Paper("supplement 3, training (select by FID); numbers: authors' script")
    every: PositiveInt  # iterations, from the first on
    start: NonNegativeInt  # first iteration that may be selected
    n: PositiveInt  # validation sources
    steps: tuple[PositiveInt, ...] = Field(min_length=1)  # sampler lengths, all scored on one trajectory
    step_size: PositiveFloat


Share = Annotated[float, Field(ge=0, le=1)]


class NoAugment(Kind):
    paper = Paper("ours")
    name: Literal["none"]


class CropFlip(Kind):
    """Random crop after zero padding of 1/8 of the side, and mirroring."""

    paper = Paper("authors' script; the paper names random resized cropping")
    name: Literal["crop_flip"]


class ResizedCropFlip(Kind):
    """With a probability a random window, resized to the whole size; then mirroring."""

    paper = Paper("supplement 3, training; numbers: authors' script")
    name: Literal["resized_crop_flip"]
    probability: Share
    scale: tuple[PositiveFloat, Share]  # least and greatest share of the area
    ratio: tuple[PositiveFloat, PositiveFloat]  # least and greatest width / height

    @model_validator(mode="after")
    def _ordered(self) -> "ResizedCropFlip":
        for name, (least, greatest) in (("scale", self.scale), ("ratio", self.ratio)):
            if least > greatest:
                raise ValueError(f"{name}: {least} is larger than {greatest}")
        return self


class AutoAugmentCutout(Kind):
    """Padded random crop, mirroring, AutoAugment's policy for CIFAR-10, and a hole of half the side."""

    paper = Paper("supplement 3, training (AutoAugment); crop, mirroring and Cutout: authors' script")
    name: Literal["autoaugment_cutout"]
    fill: Annotated[tuple[Share, ...], Paper("authors' script")]  # of what lies outside and of holes, one a channel


Augment = Annotated[NoAugment | CropFlip | ResizedCropFlip | AutoAugmentCutout, Field(discriminator="name")]


class Squash(Kind):
    """Stretched to a square, bilinear."""

    paper = Paper("authors' script")
    name: Literal["squash"]


Crop = Annotated[Squash | ResizedCropFlip, Field(discriminator="name")]


Weights = Annotated[str, Field(pattern="^(trained|released|[0-9a-f]{64})$")]


class Augments(Section):
    """Of the training images and of p_0's."""

    paper = Paper("supplement 3, training; authors' script")
    p_data: Augment
    p_0: Augment


class Run(Section):
    """One trained model."""

    paper = Paper("Algorithm 2; Table S3")
    task: str
    network: Network
    # trained; released: the authors' checkpoint; or the sha256 of another one that import-weights has read
    weights: Annotated[Weights, Paper("the authors' released checkpoints")] = "trained"
    # a classifier, of pretrainings, whose weights and logit 0 training starts from
    init: Annotated[str | None, Paper("Sec. 4.4, regularization; recipe: ours")]
    # max_likelihood: Eq. 2, which diverges; the run then ends and its record says when. outlier_exposure: a classifier
    # of p_data's labels that is unsure of p_0, as OE and, attacked, RATIO
    objective: Annotated[
        Literal["binary_at", "max_likelihood", "outlier_exposure"],
        Paper("Eq. 11; Sec. 5.3 for max_likelihood (Eq. 2); Table 4 for outlier_exposure"),
    ]
    schedule: Schedule
    step_size: Annotated[PositiveFloat, Paper("Eq. 8; Table S3")]  # of the PGD attack, L2 in [0, 1] pixel space
    # radius of the attack's L2 ball around its p_0 image; null: unconstrained
    eps: Annotated[PositiveFloat | None, Paper("Eqs. 7 and 8; supplement 3, OOD detection")]
    # K steps of it make the contrastive samples, instead of the PGD attack, whose step_size and eps are then not used
    langevin: Annotated[Langevin | None, Paper("Sec. 5.3, for comparison: Eq. 3")]
    in_attack: Annotated[InAttack | None, Paper("authors' script; the paper is silent")]
    batch_size: PositiveInt
    optimizer: Optimizer
    # decay of an exponential average of the weights, which is then the model
    average: Annotated[Fraction | None, Paper("ours; the paper averages none")]
    # lambda of 0.5 * lambda * E||grad_x f(x)||^2 on p_data
    r1: Annotated[NonNegativeFloat, Paper("Sec. 4.4, regularization; Table S3")]
    augment: Augments
    # bf16: convolutions in bfloat16 by autocast; tf32: float32 products rounded to TF32 on GPUs that have it
    precision: Annotated[Literal["fp32", "tf32", "bf16"], Paper("ours; the authors' script: fp32")]
    compile: Annotated[bool, Paper("ours")]  # torch.compile; wants a C++ compiler, and moves the last digits
    monitor: Annotated[Monitor | None, Paper("supplement 3, training; numbers: authors' script")]  # null: keep the last


class ClassifierTraining(Section):
    """How a classifier of a set's labels is trained: Adam, one cycle of the learning rate."""

    paper = Paper("ours")
    network: Network
    p_data: str  # set it is trained on
    held_out: str  # set its accuracy is measured on
    seed: NonNegativeInt
    epochs: PositiveInt
    batch_size: PositiveInt
    lr: PositiveFloat
    augment: Augment
    min_accuracy: Annotated[float, Field(ge=0, le=1)]  # on held-out labels; below this the step fails


class Pretraining(ClassifierTraining):
    """A classifier whose weights a run starts from (`init`)."""

    paper = Paper("Sec. 4.4, regularization; supplement 3, training; the recipe is not given and ours")
    weights: Weights = "trained"  # as a run's
    # pixels a side that images of an index, which have all sizes, are brought to; those of an array have their own
    size: PositiveInt | None = None


class Sampler(Section):
    """PGD from source images (supplement Table 4)."""

    paper = Paper("Eq. 8; Table S4")
    run: Annotated[str | None, Paper("Table S7")] = None  # whose model it samples; null: that of the entry's own name
    steps: PositiveInt | Literal["selected"]  # selected: the length that training's monitor found best
    step_size: PositiveFloat
    # standard deviation, in pixels, of a Gaussian that blurs the sources first; 0: none does
    blur: Annotated[NonNegativeFloat, Paper("Fig. S5")]
    quantise: Annotated[Literal["truncate", "round"], Paper("authors' script")]  # how samples become bytes
    n: PositiveInt
    # images a forward pass; shards are whole batches, so that their number changes no byte
    batch_size: Annotated[PositiveInt, Paper("ours")]


class AsTheyAre(Kind):
    """Images as they are."""

    paper = Paper("supplement 4, intermediate results, translation, composition")
    name: Literal["images"]


class Blends(Kind):
    """Linear blends of two images, the first with the second, the third with the fourth, ..."""

    paper = Paper("Figs. S11-S13; their number: ours")
    name: Literal["blends"]
    count: Annotated[int, Field(ge=2)]  # of each pair, both images included


class Noisy(Kind):
    """Images under Gaussian noise, cut to [0, 1]."""

    paper = Paper("Figs. S18 and S19")
    name: Literal["noisy"]
    sigma: PositiveFloat  # standard deviation, in [0, 1] pixel units


class Occluded(Kind):
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


# --- evaluation -------------------------------------------------------------------------------------------------


class PublishedStatistics(Section):
    """Features' mean and covariance that others computed of a set; Table 2 says how far ours are from them."""

    paper = Paper("supplement 3, evaluation metrics")
    archive: str  # of data/sources.yaml: an .npz with mu and sigma
    max_distance: PositiveFloat  # Frechet distance to ours, from which on they are said not to agree


class Inception(Section):
    """Inception-v3 of 2015-12-05, the network behind FID and IS."""

    paper = Paper("supplement 3, evaluation metrics")
    kind: Literal["inception"]
    weights: Literal["2015-12-05"]
    # by set; null: none, where the archive cannot be had
    published: Annotated[dict[str, PublishedStatistics], BeforeValidator(_without_nulls), Paper("ours: a check")]


class Classifier(ClassifierTraining):
    """A seeded classifier of the labels of a set: a stand-in extractor, so its distances are not FID."""

    paper = Paper("ours: a stand-in")
    kind: Literal["classifier"]


Extractor = Annotated[Inception | Classifier, Field(discriminator="kind")]


class Metrics(Section):
    paper = Paper("supplement 3, evaluation metrics")
    extractor: str
    splits: Annotated[int, Field(ge=2), Paper("code of IS's authors; the paper is silent")]  # of the Inception Score
    blocks: Annotated[int, Field(ge=5), Paper("ours")]  # disjoint blocks of sources behind the interval of a distance
    n: PositiveInt  # images that a number is computed on; sets with fewer give all they have


class AutoPgd(Section):
    """Auto-PGD with its published schedule."""

    paper = Paper("Table S8; Sec. 5.2")
    steps: PositiveInt
    restarts: PositiveInt


class PlainPgd(Section):
    """The PGD attack of Eq. 7 at several step sizes."""

    paper = Paper("ours: a check of Auto-PGD")
    steps: PositiveInt
    step_sizes: tuple[PositiveFloat, ...] = Field(min_length=1)  # in units of the radius


class SquareAttack(Section):
    """The gradient-free attack by random squares."""

    paper = Paper("ours: a check for masked gradients")
    queries: PositiveInt


class Detection(Section):
    """Out-of-distribution detection with the models of a task, clean and in the worst case."""

    paper = Paper("Sec. 5.2; Tables 4 and S8")
    in_distribution: Annotated[
        Literal["p_data", "held_out"], Paper("authors' script")
    ]  # the images that should score high
    n: PositiveInt  # images of each set, drawn by the seed; where fewer are held out, all of these
    seed: Annotated[NonNegativeInt, Paper("authors' script")]  # also of the attacks
    # images a forward pass; shards are whole batches, so that their number changes no byte
    batch_size: Annotated[PositiveInt, Paper("authors' script")]
    radius: PositiveFloat  # of the L2 ball that an out-of-distribution image may be moved in, in [0, 1] pixel space
    auto_pgd: AutoPgd  # the published protocol; the worst of all attacks has the two others, too, and clean images
    pgd: PlainPgd
    square: SquareAttack
    # other radii and, at `radius`, other numbers of steps that Auto-PGD is run with: a stronger attack must find more
    radii: Annotated[tuple[PositiveFloat, ...], Paper("ours")]
    steps: Annotated[tuple[PositiveInt, ...], Paper("ours")]


class Neighbours(Section):
    """The search for each sample's nearest training images, and for its nearest held-out ones."""

    paper = Paper("supplement 4, nearest neighbor analysis; the numbers are ours")
    n: PositiveInt  # samples, the first
    k: PositiveInt  # training images of each
    seed: NonNegativeInt  # of the training images that are as many as the held-out ones


class Claims(Section):
    """How the paper's claims are decided."""

    paper = Paper("ours")
    seeds: Annotated[int, Field(ge=1, le=20)]  # of each claim's runs; with fewer than 5, every claim is undecided
    level: Annotated[float, Field(gt=0, lt=1)]  # that a p-value, adjusted for the number of claims, must not exceed
    margin: Annotated[float, Field(gt=0, lt=1)]  # relative difference of two distances that counts as none


class Timing(Section):
    """The wall-clock time of sampling."""

    paper = Paper("Table S6")
    images: PositiveInt  # in one batch
    steps: PositiveInt
    repeats: Annotated[int, Field(ge=5), Paper("ours")]  # behind the median


Activation = Literal["relu", "tanh"]


class ToySettings(Section):
    """The 2D simulation of Algorithm 1 (Fig. 1); settings where the paper is silent are ours."""

    paper = Paper("Algorithm 1; Fig. 1; the numbers are ours")
    seeds: PositiveInt
    width: PositiveInt
    first_layer_gain: PositiveFloat  # multiplies the first layer's initial weights and biases
    iterations: PositiveInt
    m: PositiveInt  # fresh points of each distribution an iteration
    K: PositiveInt
    step_size: PositiveFloat
    lr: PositiveFloat


class Toy(ToySettings):
    activations: tuple[Activation, ...] = Field(min_length=1)


class ToyStep(ToySettings):
    """One `toy` step: all seeds and both p_0 of one activation."""

    activation: Activation
    seed: NonNegativeInt  # the first


class Minimax(Section):
    """The 2D simulation of Algorithm 3 (Fig. S1); settings where the paper is silent are ours."""

    paper = Paper("Algorithm 3; supplement Fig. 1; the numbers are ours")
    activation: Activation
    seeds: PositiveInt
    width: PositiveInt
    first_layer_gain: PositiveFloat  # as the toy's
    m: PositiveInt  # particles, and points of p_data, drawn once
    outer: PositiveInt  # moves of every particle
    inner: PositiveInt  # steps of D before each move
    batch: PositiveInt  # points of each distribution a step of D
    step_size: PositiveFloat  # of the first move
    decay: NonNegativeFloat  # move number k of n has step_size * (1 - k / n)^decay
    lr: PositiveFloat


class MinimaxStep(Minimax):
    """One `minimax` step: all seeds and both p_0."""

    seed: NonNegativeInt  # the first


class Config(Section):
    paper = Paper("ours")
    scale: str
    # a run on images of one's own, by `atebm own`: it is then all that is computed, and no artifact of the paper
    own: str | None = None
    seed: NonNegativeInt
    seeds: PositiveInt  # models per run, with seeds `seed`, `seed` + 1, ...
    shards: PositiveInt  # jobs that sampling is split into; changes no byte
    device: Literal["auto", "cpu", "cuda", "mps"]
    tensorboard: bool  # training curves to work/tensorboard/ too; changes no digest
    gpus_per_run: PositiveInt  # processes that share the batches of one training; changes no digest
    sets: dict[Name, ImageSet]
    tasks: dict[Name, Task]
    pretrainings: dict[Name, Pretraining]
    runs: dict[Name, Run]
    samplers: dict[Name, Sampler]
    ascents: dict[Name, Ascent]
    extractors: dict[Name, Extractor]
    metrics: Metrics
    detection: dict[Name, Detection]  # by task
    neighbours: Neighbours
    claims: Claims
    timing: Timing
    toy: Toy
    minimax: Minimax

    def size_of(self, name: str) -> int | None:
        """Pixels a side of a set's images; None where they have all sizes, as those of an index."""
        spec = self.sets[name]
        if isinstance(spec, OfClasses):
            return self.size_of(spec.of)
        return None if isinstance(spec, ImageIndex) else spec.size

    def title_of(self, name: str) -> str:
        """Say in words what the images of a set are, such as "crops of 3 photographs"."""
        spec = self.sets[name]
        if spec.title is not None:
            return spec.title
        match spec:
            case FashionMnist():
                return f"Fashion-MNIST {spec.size}x{spec.size}"
            case Photographs():
                return f"crops of {len(spec.photographs)} photograph{'s' * (len(spec.photographs) > 1)}"
            case Folder():
                return f"images of {spec.folder}"
            case TinyImages():
                return "80 Million Tiny Images"
            case Drawn():
                return self.title_of(spec.of)
            case Noise():
                return "uniform noise"
            case Digits():
                return "handwritten digits"
            case OfClasses():
                return f"{', '.join(spec.classes)} of {self.title_of(spec.of)}"
        return spec.archive

    @model_validator(mode="after")
    def _names_exist(self) -> "Config":
        for where, name, section in self._references():
            if name not in getattr(self, section):
                known = get_close_matches(name, getattr(self, section), 1) or sorted(getattr(self, section))
                hint = f"Did you mean {known[0]}?" if known else "It is empty."
                raise ValueError(f"{where} names {name!r}, which {section} does not have. {hint}")
        return self

    @model_validator(mode="after")
    def _classifiers_start_from_nothing(self) -> "Config":
        for name, run in self.runs.items():
            if run.objective == "outlier_exposure" and run.init is not None:
                raise ValueError(f"runs.{name}.init = {run.init!r}: a classifier of p_data's labels has another head")
        return self

    @model_validator(mode="after")
    def _parts_of_fitting_sets(self) -> "Config":
        for name, spec in self.sets.items():
            if isinstance(spec, Drawn):
                self._drawn_of_fitting_set(f"sets.{name}", spec, self.sets[spec.of])
            if isinstance(spec, OfClasses) and isinstance(self.sets[spec.of], ImageIndex | OfClasses):
                raise ValueError(
                    f"sets.{name}.of = {spec.of!r}: classes are taken of an array that is no part of another"
                )
        return self

    def _drawn_of_fitting_set(self, place: str, spec: Drawn, of: ImageSet) -> None:
        if isinstance(of, Drawn):
            raise ValueError(f"{place}.of = {spec.of!r}, which is drawn itself: name what that is drawn of")
        if isinstance(of, ImageIndex) != (spec.crop is not None):
            raise ValueError(f"{place}.crop: images of an index want one, those of an array have their size already")
        if not isinstance(of, ImageIndex) and spec.size != self.size_of(spec.of):
            raise ValueError(
                f"{place}.size = {spec.size}, but set {spec.of} has images of {self.size_of(spec.of)} pixels"
            )

    @model_validator(mode="after")
    def _image_files_are_cropped(self) -> "Config":
        """An index is decoded and cropped to one size as it is trained on; all else wants arrays."""
        for place, name in self._arrays():
            if isinstance(self.sets[name], ImageIndex):
                raise ValueError(f"{place} = {name!r}, which is an index of image files: draw a set from it")
        for name, spec in self.pretrainings.items():
            if isinstance(self.sets[spec.p_data], ImageIndex) != (spec.size is not None):
                raise ValueError(
                    f"pretrainings.{name}.size: images of an index want one, those of an array have their size already"
                )
        for place, augment, name in self._augmented():
            how = augment.name if not isinstance(augment, ResizedCropFlip) else f"probability {augment.probability:g}"
            if isinstance(self.sets[name], ImageIndex) and how != "probability 1":
                raise ValueError(
                    f"{place}: {how}, but {name} is an index of image files of all sizes: they want resized_crop_flip "
                    "with probability 1"
                )
        return self

    def _arrays(self) -> Iterator[tuple[str, str]]:
        """Where a set is named that must be an array, and the set."""
        for name, task in self.tasks.items():
            for role in ("p_data", "held_out", "validation_sources", "sources"):
                yield f"tasks.{name}.{role}", getattr(task, role)
            for row, images in task.out_of_distribution.items():
                yield f"tasks.{name}.out_of_distribution.{row}", images
        for name, extractor in self.extractors.items():
            if isinstance(extractor, Classifier):
                yield f"extractors.{name}.p_data", extractor.p_data

    def _augmented(self) -> Iterator[tuple[str, Augment, str]]:
        """Where an augmentation stands, itself, and the set that it is of."""
        for name, run in self.runs.items():
            yield f"runs.{name}.augment.p_0", run.augment.p_0, self.tasks[run.task].p_0
        for name, spec in self.pretrainings.items():
            yield f"pretrainings.{name}.augment", spec.augment, spec.p_data

    @model_validator(mode="after")
    def _enough_images(self) -> "Config":
        for place, wanted, where in self._wanted():
            have = self.sets[where].images
            if wanted > have:
                raise ValueError(f"{place} = {wanted}, but set {where} has {have} images")
        for name, sampler in self.samplers.items():
            run = sampler.run or name
            if sampler.steps == "selected" and self.runs[run].monitor is None:
                raise ValueError(f"samplers.{name}.steps = 'selected', but runs.{run} has no monitor that selects them")
            if self.metrics.n > sampler.n:
                raise ValueError(f"metrics.n = {self.metrics.n}, but samplers.{name}.n = {sampler.n} samples")
        return self

    def _wanted(self) -> Iterator[tuple[str, int, str]]:
        """Where a number of images is asked for, the number, and the set that must have them."""
        for name, spec in self.sets.items():
            if isinstance(spec, Drawn):
                yield f"sets.{name}.skip + n", spec.skip + spec.n, spec.of
        for name, run in self.runs.items():
            task = self.tasks[run.task]
            yield f"runs.{name}.batch_size", run.batch_size, task.p_data
            yield f"runs.{name}.batch_size", run.batch_size, task.p_0
            if run.monitor:
                yield f"runs.{name}.monitor.n", run.monitor.n, task.validation_sources
        for name, sampler in self.samplers.items():
            yield f"samplers.{name}.n", sampler.n, self.tasks[self.runs[sampler.run or name].task].sources
        for name, ascent in self.ascents.items():
            images = getattr(self.tasks[ascent.task or self.runs[ascent.run].task], ascent.images)
            for key in ("n", "distances"):
                yield f"ascents.{name}.{key}", getattr(ascent, key) or 0, images
            if ascent.motion > ascent.n:
                raise ValueError(f"ascents.{name}.motion = {ascent.motion}, but only n = {ascent.n} images are kept")
        for name, detection in self.detection.items():
            sets = self.tasks[name]
            for images in (getattr(sets, detection.in_distribution), *sets.out_of_distribution.values()):
                yield f"detection.{name}.n", detection.n, images

    def _references(self) -> Iterator[tuple[str, str, str]]:
        """Where a name stands, the name, and the section that must have it."""
        for name, images in self.sets.items():
            if isinstance(images, Drawn | OfClasses):
                yield f"sets.{name}.of", images.of, "sets"
        for task, spec in self.tasks.items():
            for role in ("p_data", "held_out", "p_0", "validation_sources", "sources"):
                yield f"tasks.{task}.{role}", getattr(spec, role), "sets"
            for row, name in spec.out_of_distribution.items():
                yield f"tasks.{task}.out_of_distribution.{row}", name, "sets"
        for name, run in self.runs.items():
            yield f"runs.{name}.task", run.task, "tasks"
            if run.init:
                yield f"runs.{name}.init", run.init, "pretrainings"
        for name, extractor in self.extractors.items():
            for reference in extractor.published if isinstance(extractor, Inception) else ():
                yield f"extractors.{name}.published", reference, "sets"
        for name, sampler in self.samplers.items():
            yield f"samplers.{name}{'.run' if sampler.run else ''}", sampler.run or name, "runs"
        for name, ascent in self.ascents.items():
            yield f"ascents.{name}.run", ascent.run, "runs"
            for other in ascent.others:
                yield f"ascents.{name}.others", other, "runs"
            if ascent.task:
                yield f"ascents.{name}.task", ascent.task, "tasks"
        classifiers = {f"extractors.{name}": e for name, e in self.extractors.items() if isinstance(e, Classifier)}
        for place, classifier in (classifiers | {f"pretrainings.{n}": p for n, p in self.pretrainings.items()}).items():
            yield f"{place}.p_data", classifier.p_data, "sets"
            yield f"{place}.held_out", classifier.held_out, "sets"
        for task in self.detection:
            yield f"detection.{task}", task, "tasks"
        yield "metrics.extractor", self.metrics.extractor, "extractors"
        if self.own:
            yield "own", self.own, "samplers"  # of its name, of the run of its name


# --- entries like others ----------------------------------------------------------------------------------------

LIKE = "like"  # an entry's key that names another of its section, which it differs from by its own keys alone
FAMILIES = ("tasks", "runs", "samplers", "ascents", "detection")  # the sections that have it
# Where the value at a path of keys is written, "config.yaml:12". Asked of mistakes alone: it parses the files again.
Place = Callable[[tuple[str, ...]], str]


def expanded(config: dict[str, Any], place: Place) -> dict[str, Any]:
    """`config` with every entry that is like another written out. Raises ConfigError for what cannot be.

    Scales and `--config` are merged before, so that an entry follows whatever the one it is like becomes at a scale.
    """
    families = {name: config[name] for name in FAMILIES if isinstance(config.get(name), dict)}
    return config | {
        family: {name: _written_out(family, entries, name, place) for name in entries}
        for family, entries in families.items()
    }


def _written_out(family: str, entries: dict[str, Any], name: str, place: Place, derived: tuple[str, ...] = ()) -> Any:
    entry = entries[name]
    if not isinstance(entry, dict) or LIKE not in entry:
        return entry
    base, path = str(entry[LIKE]), (family, name, LIKE)
    if base in (name, *derived):
        raise ConfigError(f"{place(path)}: {'.'.join(path)} = {base!r}, which is like {name} itself.")
    if base not in entries:
        hint = get_close_matches(base, entries, 1) or sorted(entries)
        said = f"{'.'.join(path)} names {base!r}, which {family} does not have. Did you mean {hint[0]}?"
        raise ConfigError(f"{place(path)}: {said}")
    own = {key: value for key, value in entry.items() if key != LIKE}
    theirs = _written_out(family, entries, base, place, (name, *derived))
    if isinstance(theirs, dict):  # nobody released weights of a variant
        theirs = {key: value for key, value in theirs.items() if key != "weights"}
    return _over(theirs, own)


def _over(base: Any, own: Any) -> Any:
    """`own` on top of `base`, key by key, unless it is of another kind: another optimiser, another augmentation."""
    if not isinstance(base, dict) or not isinstance(own, dict) or own.get("name", base.get("name")) != base.get("name"):
        return own
    return base | {key: _over(base.get(key), value) for key, value in own.items()}


# --- errors as sentences ----------------------------------------------------------------------------------------


def resolve(config: dict[str, Any], place: Place = lambda path: "config.yaml") -> Config:
    """The typed configuration of Snakemake's merged `config` dictionary.

    Raises ConfigError with one sentence per mistake, which says its `place`; unknown keys get a did-you-mean.
    """
    try:
        return Config.model_validate(expanded(config, place))
    except ValidationError as error:
        mistakes = [mistake for mistake in error.errors() if not _is_inherited(mistake, error.errors(), config)]
        raise ConfigError("\n".join(_sentence(mistake, config, place) for mistake in mistakes)) from None


def _is_inherited(mistake: Any, mistakes: list[Any], config: dict[str, Any]) -> bool:
    """Whether an entry has a mistake from the one that it is like, of which it is told already."""
    family, name, *rest = (*mistake["loc"], "", "")[: max(2, len(mistake["loc"]))]
    entries = config.get(family) if family in FAMILIES else None
    entry = entries.get(name) if isinstance(entries, dict) else None
    if not isinstance(entry, dict) or LIKE not in entry:
        return False
    base = (family, entry[LIKE], *rest)
    return any(other["loc"] == base and other["type"] == mistake["type"] for other in mistakes)


def _path(loc: tuple[int | str, ...], config: Any) -> tuple[str, ...]:
    """The user's own keys that lead to a mistake: pydantic puts the tag of a union (such as "small") among them."""
    kept: list[str] = []
    here = config
    for depth, (part, following) in enumerate(zip_longest(loc, loc[1:])):
        under = here.get(part) if isinstance(here, dict) else None
        leads_on = isinstance(here, dict) and part in here and (following is None or _has(under, following))
        if depth < 2 or leads_on or part not in _TAGS:  # section and entry may have the name of a tag
            kept.append(str(part))
            here = here[part] if isinstance(here, list) and isinstance(part, int) else under
    return tuple(kept)


def _has(value: Any, key: int | str) -> bool:
    return (isinstance(value, list) and isinstance(key, int)) or (isinstance(value, dict) and key in value)


def _sentence(mistake: Any, config: dict[str, Any], place: Place) -> str:
    if mistake["type"] == "invalid_key":  # at the top
        return f"config.yaml has a key {mistake['loc'][0]}, which YAML reads as a value: {QUOTES}."
    if mistake["loc"][-1:] == ("[key]",):
        section, name = str(mistake["loc"][0]), mistake["input"]
        why = NAMES if isinstance(name, str) else f"YAML reads it as a value: {QUOTES}"
        return f"{place((section, str(name)))}: {section} has an entry {name!r}: {why}."
    path = _path(mistake["loc"], config)
    message, key = mistake["msg"].removeprefix("Value error, "), ".".join(path)
    if mistake["type"] == "value_error":  # one of the checks above; those of several sections begin with a key
        said = f"{key + ': ' if key else ''}{message.rstrip('?.')}{'?' if message[-1] == '?' else '.'}"
        path = path or tuple(message.split()[0].rstrip(":").split("."))
    elif mistake["type"] == "extra_forbidden":
        hint = get_close_matches(path[-1], _known_keys(), 1)
        said = f"unknown key {key}." + (f" Did you mean {hint[0]}?" if hint else "")
    elif mistake["type"] == "missing":
        said = f"{key} is missing."
    else:
        said = f"{key} = {mistake['input']!r}: {message[0].lower()}{message[1:]}."
    return f"{place(path)}: {said}"


def _known_keys() -> set[str]:
    return {name for section in _sections(Section) for name in section.model_fields} | {LIKE}


def _sections(base: type[Section]) -> Iterator[type[Section]]:
    for section in base.__subclasses__():
        yield section
        yield from _sections(section)


_TAGS = {
    tag
    for union, key in (
        (ImageSet, "reader"),
        (Network, "name"),
        (Optimizer, "name"),
        (Augment, "name"),
        (Crop, "name"),
        (Start, "name"),
        (Extractor, "kind"),
    )
    for member in get_args(get_args(union)[0])
    for tag in get_args(member.model_fields[key].annotation)
}
