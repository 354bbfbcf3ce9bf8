"""Declare each kind of step once; rules, verbs, targets, `explain`, DVC's folders and the reference derive from it.

The module holds strings only and is cheap to import, so neither a job nor the Snakefile imports what it does not need.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal

PACKAGE = __package__.rpartition(".")[0]


@dataclass(frozen=True)
class Kind:
    """A kind of step; equal specs of one kind give equal files."""

    name: str
    files: dict[str, str]  # the files in its folder and their contents; the record (.json) is written last
    runs: str  # "module:function" of this package, called with the Job and, by keyword, the names in `takes`
    computes: str  # one line on what it computes, with its place in the paper
    revision: int = 1  # +1 when a change of code changes the result; everything downstream then runs again
    stage: Literal["train", "evaluate", "report"] = "evaluate"  # stage of dvc.yaml
    goal: bool = True  # whether the target of its stage requests it; if not, it is computed when a goal needs it
    takes: tuple[str, ...] = ()  # from device, group (torchrun's processes), workers, tensorboard, micro_batch
    joins: str = ""  # "module:function" that joins its shards; `runs` then takes `shard` and `out`
    alone: bool = False  # whether no other job may run at the same time
    retried: bool = False  # whether a failed job resumes from its last checkpoint, so another try is worthwhile
    priority: int = 0  # above 0: runs before other jobs that are ready
    bytes: int = 0  # size of its folder, if small at every scale; cost/disk.py counts the others

    @property
    def options(self) -> tuple[str, ...]:
        """Return the options of `atebm step` that fit this kind."""
        shard = ("shard", "out") if self.joins else ()
        return (*shard, *(name for name in self.takes if name != "group"))

    @property
    def gpus(self) -> Literal["none", "one", "run"]:
        """Return the GPUs that a job uses: none, one, or as many as `gpus_per_run` says."""
        return "run" if "group" in self.takes else "one" if "device" in self.takes else "none"

    @property
    def join_rule(self) -> str:
        """Return the name of the rule that joins its shards: the name of the joining function."""
        return self.joins.partition(":")[2]

    def function(self) -> Callable[..., None]:
        """Import the function that computes a step or, for a kind with shards, one shard."""
        return imported(self.runs)

    def join(self) -> Callable[..., None]:
        """Import the function that joins the shards of a step."""
        return imported(self.joins)


def imported(place: str) -> Any:
    """Import and return the function at "module:function" of this package."""
    module, _, function = place.partition(":")
    return getattr(import_module(f"{PACKAGE}.{module}"), function)


WEIGHTS = {"model.safetensors": "a classifier's weights"}

KINDS = {
    kind.name: kind
    for kind in (
        Kind(
            "data",
            {"images.npy": "the images of a set", "labels.npy": "int64", "set.json": "names of labels, the archive"},
            runs="data.prepare:write_set",
            computes="a data set (Sec. 5; supplement 3, datasets)",
            stage="train",
            takes=("workers",),
            priority=10,  # the long chain data, extractor, train starts first; the toy uses the other core
        ),
        Kind(
            "index",  # a set that is too large for an array
            {
                "entries.npy": "the place of each image file in a large archive",
                "labels.npy": "int64",
                "set.json": "names of labels, the archive",
            },
            runs="data.index:write_index",
            computes="an index of a data set's image files (Sec. 5; supplement 3, datasets)",
            stage="train",
            priority=10,
        ),
        Kind(
            "extractor",
            {**WEIGHTS, "extractor.json": "its accuracy and classes"},
            runs="training.extractor:write_extractor",
            computes="the features behind FID and IS (supplement 3, evaluation metrics)",
            revision=2,
            stage="train",
            goal=False,
            takes=("device",),
            priority=10,
        ),
        Kind(
            "pretrain",
            {**WEIGHTS, "pretrain.json": "its accuracy and classes"},
            runs="training.classifier:train_classifier",
            computes="pre-training of D as a classifier (Sec. 4.4, regularization; supplement 3, training)",
            revision=2,
            stage="train",
            goal=False,
            takes=("device", "group", "micro_batch"),
            retried=True,
            priority=10,
        ),
        Kind(
            "toy",
            {
                "toy.csv": "Algorithm 1 in 2D: a row per seed",
                "fields.npz": "D and its gradient on a grid, local maxima, points",
                "toy.json": "the activation of D",
            },
            runs="toy2d.maximin:write_toy",
            computes="Algorithm 1 in 2D (Sec. 4.2, Fig. 1)",
            bytes=200_000,
        ),
        Kind(
            "minimax",
            {
                "minimax.csv": "Algorithm 3 in 2D: a row per seed",
                "energy.csv": "energy distance by moves",
                "fields.npz": "D and its gradient on a grid, points",
                "minimax.json": "the energy distance of a fresh sample of p_data, and settings of the two-sample test",
            },
            runs="toy2d.minimax:write_minimax",
            computes="Algorithm 3 in 2D (supplement 2, Fig. S1)",
            bytes=370_000,
        ),
        Kind(
            "train",
            {
                "best.safetensors": "weights of the selected checkpoint",
                "last.safetensors": "weights of the last checkpoint",
                "log.csv": "iteration, K, gradient_steps, loss, r1, logit_data, logit_contrastive, auc",
                "monitor.csv": "iteration, gradient_steps, steps, distance (on validation sources)",
                "run.json": "the best checkpoint, and its number of sampling steps",
            },
            runs="training.loop:train",
            computes="binary adversarial training (Algorithm 2; Eqs. 8 and 11)",
            revision=5,
            stage="train",
            takes=("device", "group", "tensorboard", "micro_batch"),
            retried=True,
            priority=10,
        ),
        Kind(
            "gan",
            {
                "images.npy": "samples",
                "generator.safetensors": "the averaged weights of the generator",
                "log.csv": "iteration, loss, generator_loss, r1, logit_data, logit_generated",
                "gan.json": "the sizes of both networks",
            },
            runs="training.gan:write_gan",
            computes="a small GAN on the same images, a rival for Table 2 (not in the paper)",
            stage="train",
            goal=False,
            takes=("device",),
            retried=True,
        ),
        Kind(
            "sample",
            {
                "images.npy": "samples",
                "paths.csv": "for each sample, the logit of its source, its own logit, and how far it moved",
                "samples.json": "the settings of the sampler",
            },
            runs="sampling.sample:sample_shard",
            joins="sampling.gather:gather",
            computes="PGD from source images (Eq. 8; Table S4)",
            revision=2,
            goal=False,
            takes=("device",),
        ),
        Kind(
            "ascent",
            {
                "frames.npy": "(n, numbers of steps, height, width, channels): images after several numbers of steps",
                "motion.npy": "the first few images after every step",
                "path.csv": "logit, moved, psnr, ssim",
                "distances.csv": "distance to p_data by number of steps",
                "ascent.json": "the settings, and the images it started from",
            },
            runs="sampling.ascent:write_ascent",
            computes="PGD from any images, with intermediate results (Fig. 7; Figs. S11-S20)",
            takes=("device",),
        ),
        Kind(
            "features",
            {
                "features.npy": "float32, (n, features)",
                "logits.npy": "float32, (n, classes)",
                "features.json": "the images and the extractor",
            },
            runs="evaluation.features:write_features",
            computes="features of images (supplement 3, evaluation metrics)",
            revision=2,
            goal=False,
            takes=("device",),
            priority=10,  # a training's monitor waits for those of p_data
        ),
        Kind(
            "metric",
            {
                "metric.json": "`value`, half a 95 % interval `ci95`, numbers of images, extractor and its sha256, "
                "`standin`"
            },
            runs="evaluation.metrics:write_metric",
            computes="one number (supplement 3, evaluation metrics)",
            revision=2,
            bytes=1200,
        ),
        Kind(
            "neighbours",
            {
                "neighbours.csv": "sample, space, among (training or held-out images), rank, index, distance",
                "neighbours.json": "the settings and the sets",
            },
            runs="evaluation.neighbours:write_neighbours",
            computes="nearest training and held-out images of samples (Figs. S3 and S8-S10)",
            takes=("device",),
        ),
        Kind(
            "attack",
            {
                "scores.csv": "row of the table, image, radius; the logit, clean and after each attack",
                "images.npy": "some attacked images, float32 in [0, 1]",
                "attack.json": "the settings of the attacks",
            },
            runs="detection.attack_step:attack_shard",
            joins="detection.gather:gather_scores",
            computes="logits, clean and attacked by Auto-PGD and others (Sec. 5.2; Tables 4 and S8)",
            goal=False,
            takes=("device",),
        ),
        Kind(
            "detection",
            {
                "detection.csv": "auroc with its interval (low, high), aupr, fpr95; by set, radius and attack",
                "detection.json": "the run and its attacks",
            },
            runs="detection.detection_step:write_detection",
            computes="AUROC of out-of-distribution detection (Sec. 5.2; supplement 3, evaluation metrics)",
            bytes=5000,
        ),
        Kind(
            "network",
            {"layers.csv": "layer, resample, output_shape, parameters", "network.json": "the number of parameters"},
            runs="models.layer_table:write_network",
            computes="the layers of the 256x256 network (Table S2)",
            bytes=800,
        ),
        Kind(
            "timing",
            {"timing.json": "seconds to sample one batch, with median and quartiles; the device"},
            runs="sampling.timing:write_timing",
            computes="seconds to draw samples on this machine (Table S6)",
            takes=("device",),
            alone=True,  # other jobs would change the measured time
            bytes=1000,
        ),
        Kind(
            "check",
            {"check.json": "how far the two gradients of Table 1 are from their formulas; checks of its other lines"},
            runs="training.gradient_check:write_check",
            computes="the numbers behind Table 1 (Sec. 4.3; Eqs. 2, 3, 8, 11 and 14)",
            bytes=1000,
        ),
        Kind(
            "overview",
            {
                "samples.png": "for [your data](../howto/own-data.md): samples below the images that they started from",
                "overview.json": "the AUROC of each out-of-distribution set",
            },
            runs="report.overview:write_overview",
            computes="a picture of samples for your images, and detection by the same model (Sec. 5)",
            stage="report",
            bytes=100_000,
        ),
    )
}

FILES = {name: tuple(kind.files) for name, kind in KINDS.items()}
REVISION = {name: kind.revision for name, kind in KINDS.items()}


def goals(stage: str) -> tuple[str, ...]:
    """Return the kinds that the target of a stage requests; the kinds they depend on follow."""
    return tuple(name for name, kind in KINDS.items() if kind.stage == stage and kind.goal)
