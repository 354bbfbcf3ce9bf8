"""The settings of runs, GANs and pre-trainings."""

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
    """K, the number of PGD attack steps, over the course of training (Algorithm 2; Algorithm 1 if K_start = K_max)."""

    paper = Paper("Algorithm 2; Table S3")
    K_start: NonNegativeInt = key("initial number of steps of the PGD attack")
    K_max: NonNegativeInt = key("final number of steps of the PGD attack")
    epochs_per_K: PositiveFloat = key("passes over p_data before K grows by one")
    iterations: PositiveInt | None = key(
        "iterations of the whole run; K_max lasts until the end. null: K_max lasts for epochs_per_K too"
    )
    auc_advance: Fraction | None = key(
        "mean AUC of 100 batches above which K grows early; null: K never grows early",
        source="authors' script; the paper is silent",
    )

    @model_validator(mode="after")
    def _ordered(self) -> "Schedule":
        if self.K_start > self.K_max:
            raise mistake(["K_start"], f" = {{}} is larger than K_max = {self.K_max}: change one of them", self.K_start)
        return self


class InAttack(Section):
    """PGD descent on p_data images before the update (for generation, only in the authors' script)."""

    paper = Paper("authors' script; the paper is silent")
    steps: PositiveInt = key("PGD steps")
    step_size: PositiveFloat = key("length of a step", unit="[0, 1] pixels, L2")
    eps: PositiveFloat | None = key("radius of the L2 ball; null: no projection", unit="[0, 1] pixels")


class Langevin(Section):
    """Langevin dynamics (Eq. 3) in place of the PGD attack on p_0, as in the usual training of energy-based models.

    With only step_size, it is Eq. 3 as printed. The other keys are additions that such training needs in practice.
    """

    paper = Paper("Eq. 3; the numbers are ours")
    step_size: PositiveFloat = key(
        "variance of a step's noise; half of it multiplies the gradient", unit="[0, 1] pixels"
    )
    noise: NonNegativeFloat | None = key(
        "standard deviation of a step's noise, independent of step_size; null: the root of step_size, as in Eq. 3",
        unit="[0, 1] pixels",
        source="Nijkamp et al. 2019; Du and Mordatch 2019: 0.005 with 10 times the gradient; "
        "JEM's code: 0.01 with the gradient",
        default=None,
    )
    buffer: PositiveInt | None = key(
        "number of samples kept, clamped to [0, 1], as starts of later chains; null: each chain starts at a p_0 image",
        source="Du and Mordatch 2019; JEM's code: 10,000",
        default=None,
    )
    reinitialise: Share = key(
        "share of the chains that start at an image of p_0 instead of a buffered sample",
        source="Du and Mordatch 2019: 0.05",
        default=0.05,
    )
    energy_l2: NonNegativeFloat = key(
        "weight of E f(x)^2 + E f(x*)^2, which keeps energies near 0",
        source="Du and Mordatch 2019; their code: 1",
        default=0,
    )


class Adam(Variant):
    paper = Paper("Table S3")
    name: Literal["adam"] = key("name of the optimiser")
    lr: PositiveFloat = key("learning rate")
    betas: tuple[Decay, Decay] = key("decays of the averages of gradient and squared gradient")


class Sgd(Variant):
    """SGD with Nesterov momentum and without weight decay."""

    paper = Paper("supplement 3, OOD detection; authors' script")
    name: Literal["sgd"] = key("name of the optimiser")
    lr: PositiveFloat = key("learning rate")
    momentum: Fraction = key("Nesterov momentum")


Optimizer = Annotated[Adam | Sgd, Field(discriminator="name")]


class Monitor(Section):
    """Selection of checkpoint and sampler length by the Frechet distance on validation sources (supplement 3)."""

    paper = Paper("supplement 3, training (select by FID); numbers: authors' script")
    every: PositiveInt = key("iterations between two checks")
    start: NonNegativeInt = key("first iteration that may be selected")
    n: PositiveInt = key("number of validation sources")
    steps: Unique[PositiveInt] = key("sampler lengths to score, all on one trajectory", min_length=1)
    step_size: PositiveFloat = key("length of a step", unit="[0, 1] pixels, L2")
    noise: NonNegativeFloat | None = key(
        "standard deviation of each step's noise in Langevin dynamics; null: PGD",
        unit="[0, 1] pixels",
        source="ours: as for the sampler",
        default=None,
    )
    precision: Precision | None = key(
        "arithmetic for making samples, but not for the extractor; null: the run's", source="ours", default=None
    )


class Training(Section):
    """How a model is trained, apart from its data and initial weights."""

    paper = Paper("Algorithm 2; Table S3")
    network: Network = key("network of f")
    objective: Literal["binary_at", "max_likelihood", "outlier_exposure"] = key(
        "objective. binary_at: Eq. 11. max_likelihood: Eq. 2; it diverges, which ends the run, and the record says "
        "when. outlier_exposure: a classifier of p_data's labels, trained to be uncertain on p_0 as in OE and, under "
        "attack, RATIO",
        source="Eq. 11; Sec. 5.3 for max_likelihood (Eq. 2); Table 4 for outlier_exposure",
    )
    schedule: Schedule = key("steps of the PGD attack over the course of training")
    step_size: PositiveFloat = key(
        "length of a step of the PGD attack", unit="[0, 1] pixels, L2", source="Eq. 8; Table S3"
    )
    outlier_weight: NonNegativeFloat = key(
        "weight of outliers in outlier_exposure; 0: a classifier trained without outliers",
        source="Hendrycks et al. 2019: 0.5; RATIO's code: 1",
        default=1,
    )
    eps: PositiveFloat | None = key(
        "radius of the attack's L2 ball around its p_0 image; null: unconstrained",
        unit="[0, 1] pixels",
        source="Eqs. 7 and 8; supplement 3, OOD detection",
    )
    langevin: Langevin | None = key(
        "Langevin dynamics with K steps, which then make the contrastive samples instead of the PGD attack with "
        "step_size and eps; null: the PGD attack",
        source="Sec. 5.3, for comparison: Eq. 3",
    )
    in_attack: InAttack | None = key("PGD attack on p_data; null: none", source="authors' script; the paper is silent")
    batch_size: PositiveInt = key("images of p_data in an iteration, and as many of p_0")
    optimizer: Optimizer = key("optimiser of the weights")
    average: Fraction | None = key(
        "decay of an exponential average of the weights, which is used as the model; null: no average",
        source="ours; the paper does not average",
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
        "gap that ends a run early: mean f on p_data minus mean f on contrastive samples, from the log; null: none",
        source="Sec. 5.3: the gap overflows; the number is ours",
        default=None,
    )
    compile: bool = key(
        "whether torch.compile is used; it needs a C++ compiler and changes the last digits", source="ours"
    )
    deterministic: bool = key(
        "whether cuDNN may only choose algorithms that add in the same order each time; false: faster, but the last "
        "digits differ when a run is interrupted or repeated",
        source="ours",
        default=True,
    )
    monitor: Monitor | None = key(
        "selection of the checkpoint; null: the last checkpoint is kept",
        source="supplement 3, training; numbers: authors' script",
    )

    @model_validator(mode="after")
    def _chains_have_places(self) -> "Training":
        if self.langevin and self.langevin.buffer and self.langevin.buffer < self.batch_size:
            text = f" = {{}} is less than batch_size = {self.batch_size}: write a larger number"
            raise mistake(["langevin", "buffer"], text, self.langevin.buffer)
        return self


class Run(Training):
    """One trained model."""

    task: TaskName = key("task on whose images it is trained")
    weights: Weights = key(
        "origin of the weights. trained: here; released: the authors' checkpoint; or the sha256 of another checkpoint "
        "that import-weights has read",
        source="the authors' released checkpoints",
        default="trained",
    )
    init: PretrainingName | None = key(
        "entry of pretrainings whose weights, with its logit 0 as f, the training starts from; null: random weights",
        source="Sec. 4.4, regularization; recipe: ours",
    )

    def settings(self) -> dict[str, Any]:
        """Return the settings of a `train` step."""
        return self.model_dump(exclude={"task", "weights", "init"})


class TrainStep(Training):
    """The settings of a `train` step; its parents are the task's sets and the initial weights."""

    seed: NonNegativeInt = key("seed of initial weights and batches")


class GanTraining(Section):
    """How a GAN is trained: both players at once with Adam, R1 on p_data, and averaged generator weights."""

    paper = Paper("ours, a rival for Table 2: Goodfellow et al. 2014 (loss), Mescheder et al. 2018 (R1)")
    network: Network = key("network of the discriminator")
    latent: PositiveInt = key("normally distributed inputs of the generator")
    width: PositiveInt = key("channels of the generator at full resolution")
    iterations: PositiveInt = key("training iterations")
    batch_size: PositiveInt = key("images of p_data in an iteration")
    lr: PositiveFloat = key("learning rate of both players")
    betas: tuple[Decay, Decay] = key("decays of Adam's averages of gradient and squared gradient")
    average: Fraction = key("decay of the exponential average of the generator's weights")
    r1: NonNegativeFloat = key("lambda of 0.5 * lambda * E||grad_x D(x)||^2 on p_data")
    augment: Augment = key("augmentation of p_data")
    n: PositiveInt = key("number of samples")


class Gan(GanTraining):
    """One trained GAN."""

    task: TaskName = key("task on whose p_data it is trained")


class GanStep(GanTraining):
    """The settings of a `gan` step."""

    seed: NonNegativeInt = key("seed of initial weights and batches")


class ClassifierTraining(Section):
    """How a classifier of a set's labels is trained: with Adam and one cycle of the learning rate."""

    paper = Paper("ours")
    network: Network = key("network of the classifier")
    p_data: SetName = key("set on which it is trained")
    held_out: SetName = key("set on which its accuracy is measured")
    seed: NonNegativeInt = key("seed of initial weights and batches")
    epochs: PositiveInt = key("passes over p_data")
    batch_size: PositiveInt = key("images in an iteration")
    lr: PositiveFloat = key("highest learning rate of the cycle")
    augment: Augment = key("augmentation of p_data")
    min_accuracy: Share = key("least accuracy on held-out images; the step fails if it is lower")


class Pretraining(ClassifierTraining):
    """A classifier from whose weights a run starts (`init`)."""

    paper = Paper("Sec. 4.4, regularization; supplement 3, training; the paper gives no recipe, so it is ours")
    weights: Weights = key(
        "origin of the weights. trained: here; released: the authors' classifier; or the sha256 of a checkpoint that "
        "import-weights has read",
        default="trained",
    )
    size: PositiveInt | None = key(
        "side to which images of an index are resized; null: images of an array keep their side",
        unit="pixels",
        default=None,
    )
    precision: Precision = key("arithmetic, as for a run", default="fp32")
    compile: bool = key("whether torch.compile is used, as for a run", default=False)
