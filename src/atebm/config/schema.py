"""config.yaml as types: every field of every experiment; unknown keys are refused."""

from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeInt, PositiveInt

from ..utils.errors import ConfigError
from .base import (
    ArtifactName,
    Name,
    Paper,
    PhotographName,
    RivalName,
    RunName,
    SamplerName,
    Section,
    TaskKey,
    Unique,
    key,
)
from .detection import Detection
from .evaluation import Claims, Extractor, Metrics, Neighbours
from .sampling import Ascent, Sampler, Timing
from .sets import Drawn, ImageSet, OfClasses, Part
from .tasks import Task
from .toy2d import Minimax, Toy
from .training import Gan, Pretraining, Run

# The only folders into which figures and tables are drawn.
ResultsFolder = Annotated[str, Field(pattern=r"^results(/scales/[A-Za-z0-9_][A-Za-z0-9_.-]{0,63})?$")]


class Config(Section):
    paper = Paper("ours")
    scale: str = key("scale of the experiments: the name of a file in workflow/scales/")
    own: SamplerName | None = key(
        "run on your own images, as written by `atebm own`; then only this run is computed, and no artifact",
        default=None,
    )
    seed: NonNegativeInt = key("seed of each run's first model")
    seeds: PositiveInt = key(
        "models of each run, with seeds `seed`, `seed` + 1, ...; with several, tables give mean and spread"
    )
    replication: Literal["training", "whole"] = key(
        "what each seed changes. training: initial weights and batches; whole: also pre-training, the assignment of "
        "photographs to sets, crops, source images, and images under attack",
        default="training",
    )
    dealt: Unique[PhotographName] = key(
        "photographs that each seed of a whole replication assigns anew to the sets that use them", default=()
    )
    shards: PositiveInt = key("jobs into which sampling is split; changes no byte of the samples")
    device: Literal["auto", "cpu", "cuda", "mps"] = key("device to compute on; changes no digest")
    tensorboard: bool = key("whether training curves are also written to work/tensorboard/; changes no digest")
    results: ResultsFolder = key("folder for figures and tables; changes no digest")
    artifacts: Unique[ArtifactName] | None = key(
        "figures and tables that are drawn by default; the others are drawn on request. null: all except those that "
        "need many seeds. Changes no digest",
        default=None,
    )
    numbers: Literal["computed", "kept"] = key(
        "numbers to draw. computed: from steps, which are computed first; kept: from results/numbers/; "
        "changes no digest"
    )
    gpus_per_run: PositiveInt = key("processes that share the batches of one training; changes no digest")
    micro_batch: PositiveInt | None = key(
        "images of a training batch that are in memory at once; null: all. Changes no digest",
        default=None,
    )
    sets: dict[Name, ImageSet] = key("image sets")
    tasks: dict[Name, Task] = key("tasks: a target distribution and the sets around it")
    pretrainings: dict[Name, Pretraining] = key("classifiers from whose weights runs start")
    runs: dict[Name, Run] = key("trained models")
    gans: dict[Name, Gan] = key("trained GANs", default_factory=dict)
    rivals: Unique[RivalName] = key(
        "runs and gans that Tables 2 and 4 compare with the paper's method, trained here too", default=()
    )
    baselines: Unique[RunName] = key(
        "runs without adversarial training that Table 4 compares with the paper's method; []: none",
        default=("cifar10_ood_plain", "cifar10_ood_plain_long"),
    )
    table3: Annotated[Unique[Literal["celebahq256", "afhqcat256", "church256"]], Field(min_length=1)] = key(
        "tasks of Table 3, for instance those whose images you have", default=("celebahq256", "afhqcat256", "church256")
    )
    samplers: dict[Name, Sampler] = key("samplers of the runs")
    ascents: dict[Name, Ascent] = key("ascents from any images")
    extractors: dict[Name, Extractor] = key("extractors of features")
    metrics: Metrics = key("metrics of samples")
    detection: dict[TaskKey, Detection] = key("out-of-distribution detection, by task")
    neighbours: Neighbours = key("search for nearest training images")
    claims: Claims = key("how claims are decided")
    timing: Timing = key("wall-clock time of sampling")
    toy: Toy = key("2D simulation of Algorithm 1")
    minimax: Minimax = key("2D simulation of Algorithm 3")

    def size_of(self, name: str) -> int | None:
        """Return the side of a set's images in pixels; None for an index, whose images differ in size."""
        spec = self.sets[name]
        return self.size_of(spec.of) if isinstance(spec, OfClasses) else spec.size

    def channels_of(self, name: str) -> int:
        """Return the number of colour channels of a set's images."""
        spec = self.sets[name]
        return self.channels_of(spec.of) if isinstance(spec, Part) else spec.channels

    def labels_of(self, name: str) -> int:
        """Return how many different labels a set's images have; 1 if they are not classified."""
        spec = self.sets[name]
        return self.labels_of(spec.of) if isinstance(spec, Drawn) else spec.labels

    def title_of(self, name: str) -> str:
        """Return in words what the images of a set are, such as "crops of 3 photographs"."""
        spec = self.sets[name]
        if spec.title is not None:
            return spec.title
        return spec.described(self.title_of(spec.of) if isinstance(spec, Part) else "")

    def network_of(self, task: str) -> tuple[dict[str, Any], list[int]]:
        """Return the network settings of a run or pre-training, and the shape (C, H, W) of its images.

        Raises ConfigError if there is no run and no pre-training of this name.
        """
        if task in self.runs:
            network, p_data, size = self.runs[task].network, self.tasks[self.runs[task].task].p_data, None
        elif task in self.pretrainings:
            spec = self.pretrainings[task]
            network, p_data, size = spec.network, spec.p_data, spec.size
        else:
            known = ", ".join(sorted({*self.runs, *self.pretrainings}))
            raise ConfigError(f"there is no run or pre-training {task!r} at scale {self.scale}; choose one of {known}.")
        size = size or self.size_of(p_data)  # for an index, `size` is given
        assert size is not None
        return network.model_dump(mode="json"), [len(network.mean), size, size]
