"""Runs, pre-trainings, and what they consist of."""

from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from .augment import Augment, Augments
from .base import Fraction, Paper, Precision, Section, Share, Variant
from .models import Network


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
    """Langevin dynamics (Eq. 3) in place of the PGD attack on p_0, as usual energy-based models are trained.

    By step_size alone it is Eq. 3 as printed. The other keys are what such training needs in practice.
    """

    paper = Paper("Eq. 3; the numbers are ours")
    step_size: PositiveFloat  # the variance of a step's noise, in [0, 1] pixel units; half of it times the gradient
    # standard deviation of a step's noise, whatever step_size is; null: its square root, as Eq. 3 has it
    noise: Annotated[
        NonNegativeFloat | None,
        Paper(
            "Nijkamp et al. 2019; Du and Mordatch 2019: 0.005 beside 10 times the gradient; JEM's code: 0.01 beside 1"
        ),
    ] = None
    # samples that are kept, for chains to go on from, cut to [0, 1]; null: each chain starts at an image of p_0
    buffer: Annotated[PositiveInt | None, Paper("Du and Mordatch 2019; JEM's code: 10,000")] = None
    # share of the chains that start at an image of p_0 although there is a buffer
    reinitialise: Annotated[Share, Paper("Du and Mordatch 2019: 0.05")] = 0.05
    # weight of E f(x)^2 + E f(x*)^2, which keeps energies near 0
    energy_l2: Annotated[NonNegativeFloat, Paper("Du and Mordatch 2019, whose code has 1")] = 0


class Adam(Variant):
    paper = Paper("Table S3")
    name: Literal["adam"]
    lr: PositiveFloat
    betas: tuple[NonNegativeFloat, NonNegativeFloat]


class Sgd(Variant):
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
    noise: Annotated[NonNegativeFloat | None, Paper("ours: as the sampler's")] = None
    # that samples are made in, not what the extractor sees them in; null: the run's
    precision: Annotated[Precision | None, Paper("ours")] = None


Weights = Annotated[str, Field(pattern="^(trained|released|[0-9a-f]{64})$")]


class Training(Section):
    """How a model is trained, whatever its data and its first weights are."""

    paper = Paper("Algorithm 2; Table S3")
    network: Network
    # max_likelihood: Eq. 2, which diverges; the run then ends and its record says when. outlier_exposure: a classifier
    # of p_data's labels that is unsure of p_0, as OE and, attacked, RATIO
    objective: Annotated[
        Literal["binary_at", "max_likelihood", "outlier_exposure"],
        Paper("Eq. 11; Sec. 5.3 for max_likelihood (Eq. 2); Table 4 for outlier_exposure"),
    ]
    schedule: Schedule
    step_size: Annotated[PositiveFloat, Paper("Eq. 8; Table S3")]  # of the PGD attack, L2 in [0, 1] pixel space
    # weight of outliers in outlier_exposure; 0: a classifier that knows none
    outlier_weight: Annotated[NonNegativeFloat, Paper("Hendrycks et al. 2019: 0.5; RATIO's code: 1")] = 1
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
    precision: Annotated[Precision, Paper("ours; the authors' script: fp32")]
    # mean f on p_data less that on contrastive samples, in the log, beyond which a run ends early; null: it never does
    stop_at_gap: Annotated[PositiveFloat | None, Paper("Sec. 5.3: the gap overflows; the number is ours")] = None
    compile: Annotated[bool, Paper("ours")]  # torch.compile; wants a C++ compiler, and moves the last digits
    # whether cuDNN may only choose algorithms that add in the same order each time; false: faster, and a run that is
    # interrupted or repeated differs in its last digits
    deterministic: Annotated[bool, Paper("ours")] = True
    monitor: Annotated[Monitor | None, Paper("supplement 3, training; numbers: authors' script")]  # null: keep the last

    @model_validator(mode="after")
    def _chains_have_places(self) -> "Training":
        if self.langevin and self.langevin.buffer and self.langevin.buffer < self.batch_size:
            raise ValueError(f"langevin.buffer {self.langevin.buffer} is less than batch_size {self.batch_size}")
        return self


class Run(Training):
    """One trained model."""

    task: str
    # trained; released: the authors' checkpoint; or the sha256 of another one that import-weights has read
    weights: Annotated[Weights, Paper("the authors' released checkpoints")] = "trained"
    # a classifier, of pretrainings, whose weights and logit 0 training starts from
    init: Annotated[str | None, Paper("Sec. 4.4, regularization; recipe: ours")]

    def settings(self) -> dict[str, Any]:
        """Return what a `train` step is computed from; a key at its default is left out, so that it moves no digest."""
        whole = self.model_dump(exclude={"task", "weights", "init"})
        for part, section in ((whole, Training), (whole["langevin"], Langevin), (whole["monitor"], Monitor)):
            for key, field in section.model_fields.items() if part else ():
                if not field.is_required() and part[key] == field.default:
                    del part[key]
        return whole


class TrainStep(Training):
    """One `train` step: its parents are the task's sets and the first weights."""

    seed: NonNegativeInt


class GanTraining(Section):
    """How a GAN is trained: both players at once by Adam, R1 on p_data, the generator's weights averaged."""

    paper = Paper("ours, a rival for Table 2: Goodfellow et al. 2014 (loss), Mescheder et al. 2018 (R1)")
    network: Network  # of the discriminator
    latent: PositiveInt  # normal numbers that the generator makes an image of
    width: PositiveInt  # channels of the generator at full size
    iterations: PositiveInt
    batch_size: PositiveInt
    lr: PositiveFloat
    betas: tuple[NonNegativeFloat, NonNegativeFloat]
    average: Fraction  # decay of the exponential average of the generator's weights
    r1: NonNegativeFloat  # as a run's
    augment: Augment  # of p_data
    n: PositiveInt  # samples


class Gan(GanTraining):
    """One trained GAN."""

    task: str


class GanStep(GanTraining):
    """One `gan` step."""

    seed: NonNegativeInt


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
    precision: Precision = "fp32"  # as a run's
    compile: bool = False  # as a run's
