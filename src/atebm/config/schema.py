"""config.yaml as types: every field of every experiment, unknown keys refused."""

from typing import Literal

from pydantic import NonNegativeInt, PositiveInt

from .base import Name, Paper, Section
from .detection import Detection
from .evaluation import Claims, Extractor, Metrics, Neighbours
from .sampling import Ascent, Sampler, Timing
from .sets import (
    Digits,
    Drawn,
    FashionMnist,
    Folder,
    ImageIndex,
    ImageSet,
    Noise,
    OfClasses,
    Photographs,
    Task,
    TinyImages,
)
from .toy2d import Minimax, Toy
from .training import Pretraining, Run


class Config(Section):
    paper = Paper("ours")
    scale: str
    # a run on your own images, which `atebm own` wrote: then nothing else is computed, and no artifact of the paper
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
