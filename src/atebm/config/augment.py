"""Augmentations of training images, and how images of all sizes are cropped to one."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, PositiveFloat, model_validator

from .base import Paper, Section, Share, Variant, key, mistake, variants


class Augmentation(Variant):
    """What every augmentation of training images declares, beside its settings."""

    # "module:function", called as function(images, how, key, rows, total): data/augment.py says what these are
    applies: ClassVar[str]


class NoAugment(Augmentation):
    """No augmentation."""

    paper = Paper("ours")
    applies = "atebm.data.augment:unchanged"
    name: Literal["none"] = key("which augmentation")


class CropFlip(Augmentation):
    """Random crop after zero padding of 1/8 of the side, and mirroring."""

    paper = Paper("authors' script; the paper names random resized cropping")
    applies = "atebm.data.augment:crop_flip"
    name: Literal["crop_flip"] = key("which augmentation")


class ResizedCropFlip(Augmentation):
    """With a probability a random window, resized to the whole size; then mirroring."""

    paper = Paper("supplement 3, training; numbers: authors' script")
    applies = "atebm.data.augment:resized_crop_flip"
    name: Literal["resized_crop_flip"] = key("which augmentation")
    probability: Share = key("probability with which a window is cut; images of an index need 1")
    scale: tuple[PositiveFloat, Share] = key("least and greatest share of the image's area")
    ratio: tuple[PositiveFloat, PositiveFloat] = key("least and greatest width / height")

    @model_validator(mode="after")
    def _ordered(self) -> "ResizedCropFlip":
        for name, (least, greatest) in (("scale", self.scale), ("ratio", self.ratio)):
            if least > greatest:
                raise mistake([name], " = {}: the first number is larger than the second", [least, greatest])
        return self


class AutoAugmentCutout(Augmentation):
    """Padded random crop, mirroring, AutoAugment's policy for CIFAR-10, and a hole of half the side."""

    paper = Paper("supplement 3, training (AutoAugment); crop, mirroring and Cutout: authors' script")
    applies = "atebm.data.augment:autoaugment_cutout"
    name: Literal["autoaugment_cutout"] = key("which augmentation")
    fill: tuple[Share, ...] = key(
        "value outside the image and in holes, one for each channel",
        unit="[0, 1]",
        source="authors' script",
        min_length=1,
    )


Augment = Annotated[NoAugment | CropFlip | ResizedCropFlip | AutoAugmentCutout, Field(discriminator="name")]
AUGMENTS = variants(Augment)


class Squash(Variant):
    """Stretched to a square, bilinear."""

    paper = Paper("authors' script")
    name: Literal["squash"] = key("which crop")


Crop = Annotated[Squash | ResizedCropFlip, Field(discriminator="name")]


class Augments(Section):
    """Of the training images and of p_0's."""

    paper = Paper("supplement 3, training; authors' script")
    p_data: Augment = key("of the training images")
    p_0: Augment = key("of p_0's images")
