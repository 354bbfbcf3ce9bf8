"""Runs, pre-trainings, and what they consist of."""

from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from .augment import Augment, Augments
from .base import (
    Decay,
    Fraction,
    Paper,
    Precision,
    PretrainingName,
    Section,
    SetName,
    Share,
    TaskName,
    Unique,
    Variant,
    Weights,
    key,
    mistake,
)
from .models import Network


class Schedule(Section):
    """K, the steps of the PGD attack, over the course of training (Algorithm 2; K_start = K_max is Algorithm 1)."""

    paper = Paper("Algorithm 2; Table S3")
    K_start: NonNegativeInt = key("steps of the PGD attack at first")
    K_max: NonNegativeInt = key("steps of the PGD attack at last")
    epochs_per_K: PositiveFloat = key("passes over p_data before K grows by one")
    iterations: PositiveInt | None = key(
        "iterations of the whole run; K_max lasts until then. null: K_max has its epochs_per_K too"
    )
    auc_advance: Fraction | None = key(
        "K grows early once the mean AUC of 100 batches exceeds this; null: it never does",
        source="authors' script; the paper is silent",
    )

    @model_validator(mode="after")
    def _ordered(self) -> "Schedule":
        if self.K_start > self.K_max:
            raise mistake(["K_start"], f" = {{}} is larger than K_max = {self.K_max}: change one of both", self.K_start)
        return self


class InAttack(Section):
    """PGD descent on p_data images before the update (for generation: authors' script, the paper is silent)."""

    paper = Paper("authors' script; the paper is silent")
    steps: PositiveInt = key("PGD steps")
    step_size: PositiveFloat = key("length of a step", unit="[0, 1] pixels, L2")
    eps: PositiveFloat | None = key("radius of the L2 ball; null: no projection", unit="[0, 1] pixels")


class Langevin(Section):
    """Langevin dynamics (Eq. 3) in place of the PGD attack on p_0, as usual energy-based models are trained.

    By step_size alone it is Eq. 3 as printed. The other keys are what such training needs in practice.
    """

    paper = Paper("Eq. 3; the numbers are ours")
    step_size: PositiveFloat = key(
        "variance of a step's noise; half of it multiplies the gradient", unit="[0, 1] pixels"
    )
    noise: NonNegativeFloat | None = key(
        "standard deviation of a step's noise, whatever step_size is; null: the root of step_size, as Eq. 3 has it",
        unit="[0, 1] pixels",
        source="Nijkamp et al. 2019; Du and Mordatch 2019: 0.005 beside 10 times the gradient; "
        "JEM's code: 0.01 beside 1",
        default=None,
    )
    buffer: PositiveInt | None = key(
        "samples that are kept, for chains to go on from, cut to [0, 1]; null: each chain starts at an image of p_0",
        source="Du and Mordatch 2019; JEM's code: 10,000",
        default=None,
    )
    reinitialise: Share = key(
        "share of the chains that start at an image of p_0 although there is a buffer",
        source="Du and Mordatch 2019: 0.05",
        default=0.05,
    )
    energy_l2: NonNegativeFloat = key(
        "weight of E f(x)^2 + E f(x*)^2, which keeps energies near 0",
        source="Du and Mordatch 2019, whose code has 1",
        default=0,
    )


class Adam(Variant):
    paper = Paper("Table S3")
    name: Literal["adam"] = key("which optimiser")
    lr: PositiveFloat = key("learning rate")
    betas: tuple[Decay, Decay] = key("decays of the averages of gradient and squared gradient")


class Sgd(Variant):
    """With Nesterov momentum and without weight decay."""

    paper = Paper("supplement 3, OOD detection; authors' script")
    name: Literal["sgd"] = key("which optimiser")
    lr: PositiveFloat = key("learning rate")
    momentum: Fraction = key("Nesterov momentum")


Optimizer = Annotated[Adam | Sgd, Field(discriminator="name")]


class Monitor(Section):
    """Selection of checkpoint and sampler length by Frechet distance on validation sources (supplement 3)."""

    paper = Paper("supplement 3, training (select by FID); numbers: authors' script")
    every: PositiveInt = key("iterations from one check to the next")
    start: NonNegativeInt = key("first iteration that may be selected")
    n: PositiveInt = key("validation sources")
    steps: Unique[PositiveInt] = key("sampler lengths, all scored on one trajectory", min_length=1)
    step_size: PositiveFloat = key("length of a step", unit="[0, 1] pixels, L2")
    noise: NonNegativeFloat | None = key(
        "standard deviation of each step's noise in Langevin dynamics; null: PGD",
        unit="[0, 1] pixels",
        source="ours: as the sampler's",
        default=None,
    )
    precision: Precision | None = key(
        "arithmetic in which samples are made, not that of the extractor; null: the run's", source="ours", default=None
    )


class Training(Section):
    """How a model is trained, whatever its data and its first weights are."""

    paper = Paper("Algorithm 2; Table S3")
    network: Network = key("network of f")
    objective: Literal["binary_at", "max_likelihood", "outlier_exposure"] = key(
        "objective. binary_at: Eq. 11. max_likelihood: Eq. 2, which diverges; the run then ends, and its "
        "record says when. outlier_exposure: a classifier of p_data's labels that is unsure of p_0, as OE "
        "and, under attack, RATIO",
        source="Eq. 11; Sec. 5.3 for max_likelihood (Eq. 2); Table 4 for outlier_exposure",
    )
    schedule: Schedule = key("steps of the PGD attack over the course of training")
    step_size: PositiveFloat = key(
        "length of a step of the PGD attack", unit="[0, 1] pixels, L2", source="Eq. 8; Table S3"
    )
    outlier_weight: NonNegativeFloat = key(
        "weight of outliers in outlier_exposure; 0: a classifier that knows none",
        source="Hendrycks et al. 2019: 0.5; RATIO's code: 1",
        default=1,
    )
    eps: PositiveFloat | None = key(
        "radius of the attack's L2 ball around its p_0 image; null: unconstrained",
        unit="[0, 1] pixels",
        source="Eqs. 7 and 8; supplement 3, OOD detection",
    )
    langevin: Langevin | None = key(
        "Langevin dynamics, K steps of which make the contrastive samples; step_size and eps are then not "
        "used. null: the PGD attack",
        source="Sec. 5.3, for comparison: Eq. 3",
    )
    in_attack: InAttack | None = key("PGD attack on p_data; null: none", source="authors' script; the paper is silent")
    batch_size: PositiveInt = key("images of p_data, and of p_0, in an iteration")
    optimizer: Optimizer = key("optimiser of the weights")
    average: Fraction | None = key(
        "decay of an exponential average of the weights, which is then the model; null: no average",
        source="ours; the paper averages none",
    )
    r1: NonNegativeFloat = key(
        "lambda of 0.5 * lambda * E||grad_x f(x)||^2 on p_data", source="Sec. 4.4, regularization; Table S3"
    )
    augment: Augments = key("augmentations of the training images")
    precision: Precision = key(
        "arithmetic. bf16: convolutions in bfloat16 by autocast; tf32: float32 products rounded to TF32 on "
        "GPUs that have it",
        source="ours; the authors' script: fp32",
    )
    stop_at_gap: PositiveFloat | None = key(
        "mean f on p_data minus that on contrastive samples, in the log, beyond which a run ends early; null: never",
        source="Sec. 5.3: the gap overflows; the number is ours",
        default=None,
    )
    compile: bool = key(
        "whether torch.compile is used, which needs a C++ compiler and moves the last digits", source="ours"
    )
    deterministic: bool = key(
        "whether cuDNN may only choose algorithms that add in the same order each time; false: faster, and a run that "
        "is interrupted or repeated differs in its last digits",
        source="ours",
        default=True,
    )
    monitor: Monitor | None = key(
        "selection of the checkpoint; null: the last one is kept",
        source="supplement 3, training; numbers: authors' script",
    )

    @model_validator(mode="after")
    def _chains_have_places(self) -> "Training":
        if self.langevin and self.langevin.buffer and self.langevin.buffer < self.batch_size:
            text = f" = {{}} is less than batch_size = {self.batch_size}: keep more samples"
            raise mistake(["langevin", "buffer"], text, self.langevin.buffer)
        return self


class Run(Training):
    """One trained model."""

    task: TaskName = key("task whose images it is trained on")
    weights: Weights = key(
        "trained; released: the authors' checkpoint; or the sha256 of another one that import-weights has read",
        source="the authors' released checkpoints",
        default="trained",
    )
    init: PretrainingName | None = key(
        "classifier, of pretrainings, whose weights and logit 0 training starts from; null: fresh weights",
        source="Sec. 4.4, regularization; recipe: ours",
    )

    def settings(self) -> dict[str, Any]:
        """Return what a `train` step is computed from."""
        return self.model_dump(exclude={"task", "weights", "init"})


class TrainStep(Training):
    """One `train` step: its parents are the task's sets and the first weights."""

    seed: NonNegativeInt = key("seed of first weights and batches")


class GanTraining(Section):
    """How a GAN is trained: both players at once by Adam, R1 on p_data, the generator's weights averaged."""

    paper = Paper("ours, a rival for Table 2: Goodfellow et al. 2014 (loss), Mescheder et al. 2018 (R1)")
    network: Network = key("network of the discriminator")
    latent: PositiveInt = key("normal numbers that the generator makes an image of")
    width: PositiveInt = key("channels of the generator at full size")
    iterations: PositiveInt = key("training iterations")
    batch_size: PositiveInt = key("images of p_data in an iteration")
    lr: PositiveFloat = key("learning rate of both players")
    betas: tuple[Decay, Decay] = key("decays of Adam's averages of gradient and squared gradient")
    average: Fraction = key("decay of the exponential average of the generator's weights")
    r1: NonNegativeFloat = key("lambda of 0.5 * lambda * E||grad_x D(x)||^2 on p_data")
    augment: Augment = key("augmentation of p_data")
    n: PositiveInt = key("samples")


class Gan(GanTraining):
    """One trained GAN."""

    task: TaskName = key("task whose p_data it is trained on")


class GanStep(GanTraining):
    """One `gan` step."""

    seed: NonNegativeInt = key("seed of first weights and batches")


class ClassifierTraining(Section):
    """How a classifier of a set's labels is trained: Adam, one cycle of the learning rate."""

    paper = Paper("ours")
    network: Network = key("network")
    p_data: SetName = key("set that it is trained on")
    held_out: SetName = key("set that its accuracy is measured on")
    seed: NonNegativeInt = key("seed of first weights and batches")
    epochs: PositiveInt = key("passes over p_data")
    batch_size: PositiveInt = key("images in an iteration")
    lr: PositiveFloat = key("greatest learning rate of the cycle")
    augment: Augment = key("augmentation of p_data")
    min_accuracy: Share = key("least accuracy on held-out labels; below it the step fails")


class Pretraining(ClassifierTraining):
    """A classifier whose weights a run starts from (`init`)."""

    paper = Paper("Sec. 4.4, regularization; supplement 3, training; the recipe is not given and ours")
    weights: Weights = key(
        "trained; released: the authors' classifier; or the sha256 of one that import-weights has read",
        default="trained",
    )
    size: PositiveInt | None = key(
        "side that images of an index are brought to; null: that of the images of an array", unit="pixels", default=None
    )
    precision: Precision = key("arithmetic, as a run's", default="fp32")
    compile: bool = key("whether torch.compile is used, as in a run", default=False)
