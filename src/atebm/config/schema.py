"""config.yaml as types: every field of every experiment, unknown keys refused."""

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, NonNegativeInt, PositiveInt

from ..utils.errors import ConfigError
from .base import Name, Paper, Section
from .detection import Detection
from .evaluation import Claims, Extractor, Metrics, Neighbours
from .sampling import Ascent, Sampler, Timing
from .sets import Drawn, ImageSet, OfClasses, Part, Task
from .toy2d import Minimax, Toy
from .training import Gan, Pretraining, Run


def folder_of_results(name: str) -> str:
    """Return the name as it is. Raises ValueError where it is neither results nor a folder below results/scales/."""
    if not re.fullmatch(r"results(/scales/[A-Za-z0-9_][A-Za-z0-9_.-]{0,63})?", name):
        raise ValueError(
            f"{name!r} is neither results nor results/scales/NAME, a NAME of letters, digits, _, . and -: figures and "
            "tables are drawn into no other folder"
        )
    return name


class Config(Section):
    paper = Paper("ours")
    scale: str
    # a run on your own images, which `atebm own` wrote: then nothing else is computed, and no artifact of the paper
    own: str | None = None
    seed: NonNegativeInt
    seeds: PositiveInt  # models per run, with seeds `seed`, `seed` + 1, ...
    # what is drawn anew for each seed. training: first weights and batches; whole: also pre-training, the dealing of
    # photographs, crops, source images, and images under attack
    replication: Literal["training", "whole"] = "training"
    dealt: tuple[str, ...] = ()  # photographs that change places among the sets that have them, in a whole replication
    shards: PositiveInt  # jobs that sampling is split into; changes no byte
    device: Literal["auto", "cpu", "cuda", "mps"]
    tensorboard: bool  # training curves to work/tensorboard/ too; changes no digest
    results: Annotated[str, AfterValidator(folder_of_results)]  # that figures and tables are drawn into; no digest
    numbers: Literal["computed", "kept"]  # whether steps are computed to draw what results/numbers/ keeps; no digest
    gpus_per_run: PositiveInt  # processes that share the batches of one training; changes no digest
    # images of a training's batch that are in memory at once, one part after another; null: all. Changes no digest
    micro_batch: PositiveInt | None = None
    sets: dict[Name, ImageSet]
    tasks: dict[Name, Task]
    pretrainings: dict[Name, Pretraining]
    runs: dict[Name, Run]
    gans: dict[Name, Gan] = Field(default_factory=dict)
    rivals: tuple[str, ...] = ()  # runs and gans that stand beside ours in Tables 2 and 4, trained here too
    # runs without adversarial training that stand beside ours in Table 4; [] leaves them out
    baselines: tuple[str, ...] = ("cifar10_ood_plain", "cifar10_ood_plain_long")
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
        """Return the pixels a side of a set's images; None where they have all sizes, as those of an index."""
        spec = self.sets[name]
        return self.size_of(spec.of) if isinstance(spec, OfClasses) else spec.size

    def channels_of(self, name: str) -> int:
        """Return the colour channels of a set's images."""
        spec = self.sets[name]
        return self.channels_of(spec.of) if isinstance(spec, Part) else spec.channels

    def labels_of(self, name: str) -> int:
        """Return how many different labels a set's images have: 1 where nothing is classified."""
        spec = self.sets[name]
        return self.labels_of(spec.of) if isinstance(spec, Drawn) else spec.labels

    def title_of(self, name: str) -> str:
        """Say in words what the images of a set are, such as "crops of 3 photographs"."""
        spec = self.sets[name]
        if spec.title is not None:
            return spec.title
        return spec.described(self.title_of(spec.of) if isinstance(spec, Part) else "")

    def network_of(self, task: str) -> tuple[dict[str, Any], list[int]]:
        """Return the settings of the network of a run or pre-training, and the shape (C, H, W) of its images.

        Raises ConfigError where there is neither of this name.
        """
        if task in self.runs:
            network, p_data, size = self.runs[task].network, self.tasks[self.runs[task].task].p_data, None
        elif task in self.pretrainings:
            spec = self.pretrainings[task]
            network, p_data, size = spec.network, spec.p_data, spec.size
        else:
            known = ", ".join(sorted({*self.runs, *self.pretrainings}))
            raise ConfigError(f"there is no run or pre-training {task!r} at scale {self.scale}; choose one of {known}.")
        size = size or self.size_of(p_data)  # images of an index have all sizes, so `size` is given
        assert size is not None
        return network.model_dump(mode="json"), [len(network.mean), size, size]
