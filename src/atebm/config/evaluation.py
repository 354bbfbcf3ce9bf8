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
    """Published mean and covariance of a set's features; Table 2 gives the distance between these and ours."""

    paper = Paper("supplement 3, evaluation metrics")
    archive: ArchiveName = key("archive of data/sources.yaml: an .npz with mu and sigma")
    max_distance: PositiveFloat = key("Frechet distance from our statistics above which the two do not agree")


class Ruler(Section):
    """The base of all extractors. Each declares the metric by which its features compare samples with p_data."""

    distance: ClassVar[str] = "frechet"


class Inception(Ruler):
    """Inception-v3 of 2015-12-05, the network for FID and IS."""

    paper = Paper("supplement 3, evaluation metrics")
    kind: Literal["inception"] = key("kind of extractor")
    weights: Literal["2015-12-05"] = key("date of the weight file")
    published: Annotated[
        dict[SetName, PublishedStatistics],
        BeforeValidator(without_nulls, json_schema_input_type=dict[str, PublishedStatistics | None] | None),
    ] = key("published statistics by set; null: none, for an archive that is not available", source="ours: a check")


class Classifier(ClassifierTraining, Ruler):
    """A classifier of a set's labels, trained here: a stand-in extractor, so its distances are not FIDs."""

    paper = Paper("ours: a stand-in")
    kind: Literal["classifier"] = key("kind of extractor")
    p_data: ArrayName = key("set on which it is trained")


class Embedded(Ruler):
    """A classifier that was trained once and ships with the code: a stand-in extractor, the same on all machines."""

    paper = Paper("ours: a stand-in")
    kind: Literal["embedded"] = key("kind of extractor")
    file: ExtractorFile = key(
        "record of its training in data/embedded/extractors/; it states the sha256 of the weights beside it"
    )
    sha256: Sha256 = key("sha256 of that record")
    classes_of: Literal["p_data", "others"] = key(
        "labels that it was trained on; metrics.extractor must be one of p_data's labels, which tables show"
    )


class EfficientNetLite0(Ruler):
    """EfficientNet-Lite0 with ImageNet weights from a Python package: not trained on our images, only for KID."""

    paper = Paper("ours: a stand-in")
    distance: ClassVar[str] = "kid"
    kind: Literal["efficientnet_lite0"] = key("kind of extractor")
    sha256: Sha256 = key("sha256 of the weight file")
    size: PositiveInt = key("side to which images are resized", unit="pixels")


Extractor = Annotated[Inception | Classifier | Embedded | EfficientNetLite0, Field(discriminator="kind")]


class Metrics(Section):
    paper = Paper("supplement 3, evaluation metrics")
    extractor: ExtractorName = key("extractor that selects checkpoints in training and scores samples in tables")
    rulers: Unique[ExtractorName] = key(
        "other extractors that score the same samples, since a distance depends on its extractor",
        source="ours",
        default=(),
    )
    splits: int = key(
        "parts of the samples in the Inception Score", source="code of IS's authors; the paper is silent", ge=2
    )
    blocks: int = key("disjoint blocks of sources for the interval of a distance", source="ours", ge=5)
    n: PositiveInt = key("images in a metric; sets with fewer give all they have")
    precision: Precision = key(
        "arithmetic of the extractor; published distances use fp32", source="ours", default="fp32"
    )


@dataclass(frozen=True)
class Metric:
    """A declared metric."""

    function: str  # "module:function", called as function(job) by a `metric` step; returns the step's record
    name: str  # in records, if a stand-in extractor or none is used
    # the names with other kinds of extractors; {n} is replaced by the number of images
    names: dict[str, str] = field(default_factory=dict)
    takes: tuple[str, ...] = ()  # keys of Metrics that it is computed with
    compares: bool = False  # whether it compares two sets
    extractors: tuple[str, ...] = ()  # kinds of extractors with which Table 2 computes it on samples
    looks_at: Literal["features", "images"] = "features"

    def named(self, kind: str, n: int) -> str:
        """Return its name for n images and a kind of extractor."""
        return self.names.get(kind, self.name).format(n=n)


CLASSIFIERS = ("classifier", "embedded")  # unlike Inception, these know the classes of p_data
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
    # computed on a set, only by StepBuilder.agreement
    "agreement": Metric("atebm.evaluation.metrics:agreement", "distance to published statistics"),
}


def metrics_of_samples(kind: str) -> list[str]:
    """Return the names of Table 2's metrics of samples for a kind of extractor."""
    return [name for name, metric in METRICS.items() if kind in metric.extractors]


class Neighbours(Section):
    """The search for each sample's nearest training images and nearest held-out image."""

    paper = Paper("supplement 4, nearest neighbor analysis; the numbers are ours")
    n: PositiveInt = key("number of samples, counted from the first")
    k: PositiveInt = key("training images per sample")
    seed: NonNegativeInt = key("seed for choosing as many training images as there are held-out ones")


class Claims(Section):
    """How the paper's claims are decided."""

    paper = Paper("ours")
    tiers: Unique[Literal["A", "B", "C"]] = key(
        "tiers of claims to compute. A: claims with verdicts, from 12 seeds; B: claims with values only, from 4; C: "
        "the long runs of Sec. 5.3, from 5",
        default=("A", "B", "C"),
    )
    level: Fraction = key("significance level for p-values that are adjusted for the number of claims")
    margin: Fraction = key("relative difference of two distances that counts as no difference")
