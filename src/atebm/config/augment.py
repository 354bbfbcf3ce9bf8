"""Augmentations of training images, and how images of all sizes are cropped to one."""

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, model_validator

from .base import Paper, Section, Share, Variant


class NoAugment(Variant):
    paper = Paper("ours")
    name: Literal["none"]


class CropFlip(Variant):
    """Random crop after zero padding of 1/8 of the side, and mirroring."""

    paper = Paper("authors' script; the paper names random resized cropping")
    name: Literal["crop_flip"]


class ResizedCropFlip(Variant):
    """With a probability a random window, resized to the whole size; then mirroring."""

    paper = Paper("supplement 3, training; numbers: authors' script")
    name: Literal["resized_crop_flip"]
    probability: Share
    scale: tuple[PositiveFloat, Share]  # least and greatest share of the area
    ratio: tuple[PositiveFloat, PositiveFloat]  # least and greatest width / height

    @model_validator(mode="after")
    def _ordered(self) -> "ResizedCropFlip":
        for name, (least, greatest) in (("scale", self.scale), ("ratio", self.ratio)):
            if least > greatest:
                raise ValueError(f"{name}: {least} is larger than {greatest}")
        return self


class AutoAugmentCutout(Variant):
    """Padded random crop, mirroring, AutoAugment's policy for CIFAR-10, and a hole of half the side."""

    paper = Paper("supplement 3, training (AutoAugment); crop, mirroring and Cutout: authors' script")
    name: Literal["autoaugment_cutout"]
    fill: Annotated[tuple[Share, ...], Paper("authors' script")]  # of what lies outside and of holes, one a channel


Augment = Annotated[NoAugment | CropFlip | ResizedCropFlip | AutoAugmentCutout, Field(discriminator="name")]


class Squash(Variant):
    """Stretched to a square, bilinear."""

    paper = Paper("authors' script")
    name: Literal["squash"]


Crop = Annotated[Squash | ResizedCropFlip, Field(discriminator="name")]


class Augments(Section):
    """Of the training images and of p_0's."""

    paper = Paper("supplement 3, training; authors' script")
    p_data: Augment
    p_0: Augment
