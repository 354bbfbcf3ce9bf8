"""Networks."""

from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field, PositiveInt

from .base import Channels, Paper, Variant, variants


class Normalised(Variant):
    """What every network states; all other keys but `name` are keywords of the class that it builds."""

    paper = Paper("supplement 3; normalisation: authors' script")
    builds: ClassVar[str]  # "module:class", called as class(channels, size, outputs, **keywords)
    mean: Channels
    std: Channels


class Small(Normalised):
    """Pre-activation residual network without normalisation layers (our own, for small images)."""

    paper = Paper("ours")
    builds = "atebm.models.small:SmallNet"
    name: Literal["small"]
    width: PositiveInt


class ResNet50(Normalised):
    """CIFAR-style ResNet50 (paper, supplement 3)."""

    paper = Paper("supplement 3; normalisation: authors' script")
    builds = "atebm.models.resnet50:ResNet50"
    name: Literal["resnet50"]


# a Literal takes no string for a number by itself, and `--config` passes strings
Side = Annotated[Literal[1, 3], BeforeValidator(lambda value: {"1": 1, "3": 3}.get(str(value), value))]


class Discriminator256(Normalised):
    """The 256x256 network of supplement Table 2."""

    paper = Paper("Table S2; normalisation: authors' script")
    builds = "atebm.models.discriminator256:Discriminator256"
    name: Literal["discriminator256"]
    stem: Annotated[Side, Paper("Table S2 says 1x1; the authors' code has 3x3")] = 3  # side of the first convolution


Network = Annotated[Small | ResNet50 | Discriminator256, Field(discriminator="name")]
NETWORKS = variants(Network)
