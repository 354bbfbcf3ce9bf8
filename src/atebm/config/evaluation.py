"""Extractors, metrics, nearest neighbours and claims."""

from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field, NonNegativeInt, PositiveFloat, PositiveInt

from .base import (
    ArchiveName,
    ArrayName,
    ExtractorFile,
    ExtractorName,
    Fraction,
    Paper,
    Precision,
    Section,
    SetName,
    Sha256,
    Unique,
    key,
    without_nulls,
)
from .training import ClassifierTraining


class PublishedStatistics(Section):
    """Features' mean and covariance that others computed of a set; Table 2 says how far ours are from them."""

    paper = Paper("supplement 3, evaluation metrics")
    archive: ArchiveName = key("archive of data/sources.yaml: an .npz with mu and sigma")
    max_distance: PositiveFloat = key("Frechet distance to our statistics from which on both are said not to agree")


class Ruler(Section):
    """What every extractor declares: by which metric its features say how far samples are from p_data."""

    distance: ClassVar[str] = "frechet"


class Inception(Ruler):
    """Inception-v3 of 2015-12-05, the network behind FID and IS."""

    paper = Paper("supplement 3, evaluation metrics")
    kind: Literal["inception"] = key("which extractor")
    weights: Literal["2015-12-05"] = key("date of the weights' file")
    published: Annotated[
        dict[SetName, PublishedStatistics],
        BeforeValidator(without_nulls, json_schema_input_type=dict[str, PublishedStatistics | None] | None),
    ] = key("published statistics, by set; null: none, where the archive cannot be had", source="ours: a check")


class Classifier(ClassifierTraining, Ruler):
    """A seeded classifier of the labels of a set: a stand-in extractor, so its distances are not FID."""

    paper = Paper("ours: a stand-in")
    kind: Literal["classifier"] = key("which extractor")
    p_data: ArrayName = key("set that it is trained on")


class Embedded(Ruler):
    """A classifier that was trained once: a stand-in extractor whose distances are by one ruler on all machines."""

    paper = Paper("ours: a stand-in")
    kind: Literal["embedded"] = key("which extractor")
    file: ExtractorFile = key(
        "record of its training in data/embedded/extractors/, which states the sha256 of the weights beside it"
    )
    sha256: Sha256 = key("sha256 of that record")
    classes_of: Literal["p_data", "others"] = key(
        "whose labels it tells apart: only those of p_data, which tables show, fit metrics.extractor"
    )


class EfficientNetLite0(Ruler):
    """EfficientNet-Lite0 with ImageNet weights, of a Python package: it saw no image of ours. It is for KID alone."""

    paper = Paper("ours: a stand-in")
    distance: ClassVar[str] = "kid"
    kind: Literal["efficientnet_lite0"] = key("which extractor")
    sha256: Sha256 = key("sha256 of the weights' file")
    size: PositiveInt = key("side that images are brought to", unit="pixels")


Extractor = Annotated[Inception | Classifier | Embedded | EfficientNetLite0, Field(discriminator="kind")]


class Metrics(Section):
    paper = Paper("supplement 3, evaluation metrics")
    extractor: ExtractorName = key("extractor by which training selects and tables score")
    rulers: Unique[ExtractorName] = key(
        "other extractors that score the same samples: a number depends on its ruler", source="ours", default=()
    )
    splits: int = key(
        "parts of the samples in the Inception Score", source="code of IS's authors; the paper is silent", ge=2
    )
    blocks: int = key("disjoint blocks of sources behind the interval of a distance", source="ours", ge=5)
    n: PositiveInt = key("images that a number is computed on; sets with fewer give all they have")
    precision: Precision = key("arithmetic of features; published distances are by fp32", source="ours", default="fp32")


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
    n: PositiveInt = key("samples, from the first on")
    k: PositiveInt = key("training images of each sample")
    seed: NonNegativeInt = key("seed of the choice of as many training images as there are held-out ones")


class Claims(Section):
    """How the paper's claims are decided."""

    paper = Paper("ours")
    tiers: Unique[Literal["A", "B", "C"]] = key(
        "claims that are computed. A: with verdicts, of 12 seeds; B: with values, of 4; C: those of Sec. "
        "5.3, long, of 5",
        default=("A", "B", "C"),
    )
    level: Fraction = key("level that a p-value, adjusted for the number of claims, must not exceed")
    margin: Fraction = key("relative difference of two distances that counts as none")
