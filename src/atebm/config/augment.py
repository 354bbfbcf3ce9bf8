"""Augmentations of training images, and crops that bring images of different sizes to one size."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, PositiveFloat, model_validator

from .base import Paper, Section, Share, Variant, key, mistake, variants


class Augmentation(Variant):
    """The base of all augmentations of training images. Each declares its function beside its settings."""

    # "module:function", called as function(images, how, key, rows, total): data/augment.py explains the arguments
    applies: ClassVar[str]


class NoAugment(Augmentation):
    """No augmentation."""

    paper = Paper("ours")
    applies = "atebm.data.augment:unchanged"
    name: Literal["none"] = key("name of the augmentation")


class CropFlip(Augmentation):
    """Random crop after zero padding by 1/8 of the side, then random mirroring."""

    paper = Paper("authors' script; the paper names random resized cropping")
    applies = "atebm.data.augment:crop_flip"
    name: Literal["crop_flip"] = key("name of the augmentation")


class ResizedCropFlip(Augmentation):
    """Random window, cut with a given probability and resized to the full size; then random mirroring."""

    paper = Paper("supplement 3, training; numbers: authors' script")
    applies = "atebm.data.augment:resized_crop_flip"
    name: Literal["resized_crop_flip"] = key("name of the augmentation")
    probability: Share = key("probability that a window is cut; images of an index need 1")
    scale: tuple[PositiveFloat, Share] = key("least and greatest share of the image's area in the window")
    ratio: tuple[PositiveFloat, PositiveFloat] = key("least and greatest width / height of the window")

    @model_validator(mode="after")
    def _ordered(self) -> "ResizedCropFlip":
        for name, (least, greatest) in (("scale", self.scale), ("ratio", self.ratio)):
            if least > greatest:
                raise mistake([name], " = {}: the first number is larger than the second", [least, greatest])
        return self


class AutoAugmentCutout(Augmentation):
    """Padded random crop, random mirroring, AutoAugment's policy for CIFAR-10, and a square hole of half the side."""

    paper = Paper("supplement 3, training (AutoAugment); crop, mirroring and Cutout: authors' script")
    applies = "atebm.data.augment:autoaugment_cutout"
    name: Literal["autoaugment_cutout"] = key("name of the augmentation")
    fill: tuple[Share, ...] = key(
        "value outside the image and in holes, one per channel",
        unit="[0, 1]",
        source="authors' script",
        min_length=1,
    )


Augment = Annotated[NoAugment | CropFlip | ResizedCropFlip | AutoAugmentCutout, Field(discriminator="name")]
AUGMENTS = variants(Augment)


class Squash(Variant):
    """The whole image, stretched to a square with bilinear interpolation."""

    paper = Paper("authors' script")
    name: Literal["squash"] = key("name of the crop")


Crop = Annotated[Squash | ResizedCropFlip, Field(discriminator="name")]


class Augments(Section):
    """The augmentations of the training images and of p_0's images."""

    paper = Paper("supplement 3, training; authors' script")
    p_data: Augment = key("augmentation of the training images")
    p_0: Augment = key("augmentation of p_0's images")
