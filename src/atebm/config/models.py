"""Networks."""

from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field, PositiveInt

from .base import Channels, Deviations, Paper, Variant, key, number_of, variants


class Normalised(Variant):
    """The base of all networks. Keys other than these and `name` are passed to the class that it builds."""

    paper = Paper("supplement 3; normalisation: authors' script")
    builds: ClassVar[str]  # "module:class", called as class(channels, size, outputs, **keywords)
    name: str = key("name of the network")
    mean: Channels = key("mean to subtract, one per colour channel", unit="[0, 1] pixels")
    std: Deviations = key("standard deviation to divide by, one per colour channel", unit="[0, 1] pixels")

    @classmethod
    def refuses(cls, size: int) -> str | None:
        """Return in words the sides of images in pixels that it accepts, if `size` is not one of them."""
        return None


class Small(Normalised):
    """Pre-activation residual network without normalisation layers, our own design for small images."""

    paper = Paper("ours")
    builds = "atebm.models.small:SmallNet"
    name: Literal["small"] = key("name of the network")
    width: PositiveInt = key("channels at full resolution")

    @classmethod
    def refuses(cls, size: int) -> str | None:
        return None if size >= 8 and size & (size - 1) == 0 else "8, 16, 32, ..."


class ResNet50(Normalised):
    """CIFAR-style ResNet50 (paper, supplement 3)."""

    paper = Paper("supplement 3; normalisation: authors' script")
    builds = "atebm.models.resnet50:ResNet50"
    name: Literal["resnet50"] = key("name of the network")


Side = Annotated[Literal[1, 3], BeforeValidator(number_of)]


class Discriminator256(Normalised):
    """The 256x256 network of supplement Table 2."""

    paper = Paper("Table S2; normalisation: authors' script")
    builds = "atebm.models.discriminator256:Discriminator256"
    name: Literal["discriminator256"] = key("name of the network")
    stem: Side = key(
        "side of the first convolution",
        unit="pixels",
        source="Table S2 says 1x1; the authors' code has 3x3",
        default=3,
        in_digest=True,
    )

    @classmethod
    def refuses(cls, size: int) -> str | None:
        return None if size == 256 else "256"


Network = Annotated[Small | ResNet50 | Discriminator256, Field(discriminator="name")]
NETWORKS = variants(Network)
