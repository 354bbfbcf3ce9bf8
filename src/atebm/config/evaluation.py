"""Extractors, metrics, nearest neighbours and claims."""

from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field, NonNegativeInt, PositiveFloat, PositiveInt

from .base import Paper, Precision, Section, without_nulls
from .training import ClassifierTraining


class PublishedStatistics(Section):
    """Features' mean and covariance that others computed of a set; Table 2 says how far ours are from them."""

    paper = Paper("supplement 3, evaluation metrics")
    archive: str  # of data/sources.yaml: an .npz with mu and sigma
    max_distance: PositiveFloat  # Frechet distance to ours, from which on they are said not to agree


class Ruler(Section):
    """What every extractor declares: by which metric its features say how far samples are from p_data."""

    distance: ClassVar[str] = "frechet"


class Inception(Ruler):
    """Inception-v3 of 2015-12-05, the network behind FID and IS."""

    paper = Paper("supplement 3, evaluation metrics")
    kind: Literal["inception"]
    weights: Literal["2015-12-05"]
    # by set; null: none, where the archive cannot be had
    published: Annotated[dict[str, PublishedStatistics], BeforeValidator(without_nulls), Paper("ours: a check")]


class Classifier(ClassifierTraining, Ruler):
    """A seeded classifier of the labels of a set: a stand-in extractor, so its distances are not FID."""

    paper = Paper("ours: a stand-in")
    kind: Literal["classifier"]


Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Embedded(Ruler):
    """A classifier that was trained once: a stand-in extractor whose distances are by one ruler on all machines."""

    paper = Paper("ours: a stand-in")
    kind: Literal["embedded"]
    # of data/embedded/extractors/: the record of its training, which states the sha256 of the weights beside it
    file: Annotated[str, Field(pattern=r"^[a-z0-9_]+\.json$")]
    sha256: Sha256  # of that record
    # whose labels it tells apart: only those of p_data, which tables show, can be the classes of metrics.extractor
    classes_of: Literal["p_data", "others"]


class EfficientNetLite0(Ruler):
    """EfficientNet-Lite0 with ImageNet weights, of a Python package: it saw no image of ours. It is for KID alone."""

    paper = Paper("ours: a stand-in")
    distance: ClassVar[str] = "kid"
    kind: Literal["efficientnet_lite0"]
    sha256: Sha256  # of the weights' file
    size: PositiveInt  # pixels a side that images are brought to


Extractor = Annotated[Inception | Classifier | Embedded | EfficientNetLite0, Field(discriminator="kind")]


class Metrics(Section):
    paper = Paper("supplement 3, evaluation metrics")
    extractor: str
    # other extractors, by which the same samples can be scored too: a number depends on its ruler
    rulers: Annotated[tuple[str, ...], Paper("ours")] = ()
    splits: Annotated[int, Field(ge=2), Paper("code of IS's authors; the paper is silent")]  # of the Inception Score
    blocks: Annotated[int, Field(ge=5), Paper("ours")]  # disjoint blocks of sources behind the interval of a distance
    n: PositiveInt  # images that a number is computed on; sets with fewer give all they have
    # that features are computed in; published distances are by fp32
    precision: Annotated[Precision, Paper("ours")] = "fp32"


@dataclass(frozen=True)
class Metric:
    """What is known of a metric before it is computed."""

    function: str  # "module:function", called as function(job) by a `metric` step: what its record says
    name: str  # in records; by features of a stand-in, where it is of features
    # by those of other kinds of extractors; {n} stands for the number of images
    names: dict[str, str] = field(default_factory=dict)
    takes: tuple[str, ...] = ()  # keys of Metrics that it is computed with
    compares: bool = False  # with another set
    extractors: tuple[str, ...] = ()  # kinds of extractors with which it is computed on samples for Table 2
    looks_at: Literal["features", "images"] = "features"

    def named(self, kind: str, n: int) -> str:
        """Return its name where it is of n images, by a kind of extractor."""
        return self.names.get(kind, self.name).format(n=n)


CLASSIFIERS = ("classifier", "embedded")  # they know the classes of p_data, Inception does not
ALL = ("inception", *CLASSIFIERS)
METRICS = {
    "frechet": Metric(
        "atebm.evaluation.metrics:frechet",
        "Frechet distance (stand-in)",
        {"inception": "FID of {n:,}"},
        takes=("blocks",),
        compares=True,
        extractors=ALL,
    ),
    "inception_score": Metric(
        "atebm.evaluation.metrics:inception_score",
        "inception-style score (stand-in)",
        {"inception": "IS"},
        takes=("splits",),
        extractors=ALL,
    ),
    "class_shares": Metric("atebm.evaluation.metrics:class_shares", "smallest class share", extractors=CLASSIFIERS),
    "kid": Metric(
        "atebm.evaluation.metrics:kid",
        "kernel distance (stand-in)",
        {"inception": "KID", "efficientnet_lite0": "KID (EfficientNet-Lite0, ImageNet)"},
        takes=("blocks",),
        compares=True,
        extractors=("inception",),
    ),
    "precision": Metric(
        "atebm.evaluation.metrics:precision", "precision (stand-in)", {"inception": "precision"}, compares=True
    ),
    "recall": Metric("atebm.evaluation.metrics:recall", "recall (stand-in)", {"inception": "recall"}, compares=True),
    "saturation": Metric(
        "atebm.evaluation.metrics:saturation", "share of black and white pixels", compares=True, looks_at="images"
    ),
    # of a set, by StepBuilder.agreement alone
    "agreement": Metric("atebm.evaluation.metrics:agreement", "distance to published statistics"),
}


def metrics_of_samples(kind: str) -> list[str]:
    """Return the names of the metrics of samples in Table 2, where the extractor is of this kind."""
    return [name for name, metric in METRICS.items() if kind in metric.extractors]


class Neighbours(Section):
    """The search for each sample's nearest training images, and for its nearest held-out ones."""

    paper = Paper("supplement 4, nearest neighbor analysis; the numbers are ours")
    n: PositiveInt  # samples, the first
    k: PositiveInt  # training images of each
    seed: NonNegativeInt  # of the training images that are as many as the held-out ones


class Claims(Section):
    """How the paper's claims are decided."""

    paper = Paper("ours")
    # which claims are computed: A with verdicts, of 12 seeds; B with values, of 4; C those of Sec. 5.3, long, of 5
    tiers: tuple[Literal["A", "B", "C"], ...] = ("A", "B", "C")
    level: Annotated[float, Field(gt=0, lt=1)]  # that a p-value, adjusted for the number of claims, must not exceed
    margin: Annotated[float, Field(gt=0, lt=1)]  # relative difference of two distances that counts as none
