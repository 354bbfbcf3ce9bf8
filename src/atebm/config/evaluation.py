"""Extractors, metrics, nearest neighbours and claims."""

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
