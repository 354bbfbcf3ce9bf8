"""Extractors, metrics, nearest neighbours and claims."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, NonNegativeInt, PositiveFloat, PositiveInt

from .base import Paper, Section, without_nulls
from .training import ClassifierTraining


class PublishedStatistics(Section):
    """Features' mean and covariance that others computed of a set; Table 2 says how far ours are from them."""

    paper = Paper("supplement 3, evaluation metrics")
    archive: str  # of data/sources.yaml: an .npz with mu and sigma
    max_distance: PositiveFloat  # Frechet distance to ours, from which on they are said not to agree


class Inception(Section):
    """Inception-v3 of 2015-12-05, the network behind FID and IS."""

    paper = Paper("supplement 3, evaluation metrics")
    kind: Literal["inception"]
    weights: Literal["2015-12-05"]
    # by set; null: none, where the archive cannot be had
    published: Annotated[dict[str, PublishedStatistics], BeforeValidator(without_nulls), Paper("ours: a check")]


class Classifier(ClassifierTraining):
    """A seeded classifier of the labels of a set: a stand-in extractor, so its distances are not FID."""

    paper = Paper("ours: a stand-in")
    kind: Literal["classifier"]


Extractor = Annotated[Inception | Classifier, Field(discriminator="kind")]


class Metrics(Section):
    paper = Paper("supplement 3, evaluation metrics")
    extractor: str
    splits: Annotated[int, Field(ge=2), Paper("code of IS's authors; the paper is silent")]  # of the Inception Score
    blocks: Annotated[int, Field(ge=5), Paper("ours")]  # disjoint blocks of sources behind the interval of a distance
    n: PositiveInt  # images that a number is computed on; sets with fewer give all they have


@dataclass(frozen=True)
class Metric:
    """What is known of a metric before it is computed."""

    function: str  # "module:function", called as function(job, standin) by a `metric` step: what its record says
    takes: tuple[str, ...] = ()  # keys of Metrics that it is computed with
    compares: bool = False  # with the features of another set
    extractors: tuple[str, ...] = ()  # kinds of extractors with which it is computed on samples for Table 2


EITHER = ("inception", "classifier")
METRICS = {
    "frechet": Metric("atebm.evaluation.metrics:frechet", ("blocks",), compares=True, extractors=EITHER),
    "inception_score": Metric("atebm.evaluation.metrics:inception_score", ("splits",), extractors=EITHER),
    # a classifier knows the classes of p_data, Inception does not
    "class_shares": Metric("atebm.evaluation.metrics:class_shares", extractors=("classifier",)),
    "kid": Metric("atebm.evaluation.metrics:kid", ("blocks",), compares=True, extractors=("inception",)),
    "agreement": Metric("atebm.evaluation.metrics:agreement"),  # of a set, by StepBuilder.agreement alone
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
    seeds: Annotated[int, Field(ge=1, le=20)]  # of each claim's runs; with fewer than 5, every claim is undecided
    level: Annotated[float, Field(gt=0, lt=1)]  # that a p-value, adjusted for the number of claims, must not exceed
    margin: Annotated[float, Field(gt=0, lt=1)]  # relative difference of two distances that counts as none
