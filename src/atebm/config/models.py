"""Networks."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, PositiveInt

from .base import Channels, Paper, Variant


class Small(Variant):
    """Pre-activation residual network without normalisation layers (our own, for small images)."""

    paper = Paper("ours")
    name: Literal["small"]
    width: PositiveInt
    mean: Channels
    std: Channels


class ResNet50(Variant):
    """CIFAR-style ResNet50 (paper, supplement 3)."""

    paper = Paper("supplement 3; normalisation: authors' script")
    name: Literal["resnet50"]
    mean: Channels
    std: Channels


# a Literal takes no string for a number by itself, and `--config` passes strings
Side = Annotated[Literal[1, 3], BeforeValidator(lambda value: {"1": 1, "3": 3}.get(str(value), value))]


class Discriminator256(Variant):
    """The 256x256 network of supplement Table 2."""

    paper = Paper("Table S2; normalisation: authors' script")
    name: Literal["discriminator256"]
    stem: Annotated[Side, Paper("Table S2 says 1x1; the authors' code has 3x3")] = 3  # side of the first convolution
    mean: Channels
    std: Channels


Network = Annotated[Small | ResNet50 | Discriminator256, Field(discriminator="name")]
