"""Augmentation of training batches: what becomes of an image depends only on a key and its position in the batch.

So several processes can share a batch: each augments its part to the very bytes that one process would have made.
"""

from collections.abc import Callable, Sequence
from functools import partial
from pkgutil import resolve_name
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ..config.augment import AUGMENTS
from ..utils.random import generator
from .stored import moved, to_float

# Image by image, by many small operations: for a GPU, in the processes that read images ahead.
EACH = ("resized_crop_flip", "autoaugment_cutout")


def augment_each(images: Tensor, how: dict[str, Any], key: tuple[int, ...], rows: range) -> Tensor:
    """Return what `augment` gives by one of EACH; of resized crops the bytes, a quarter as large as floats."""
    if how["name"] == "autoaugment_cutout":
        return augment(images, how, key, rows, 0)
    return _transform_each(images, _resized_crop_flip(images.shape[2:], how), key, rows)


def augment(images: Tensor, how: dict[str, Any], key: tuple[int, ...], rows: range, total: int) -> Tensor:
    """Return the images at positions `rows` of a batch of `total`, each augmented as `how`, a `config.Augment`, says.

    images: uint8 (b, C, H, W) on any device. Returns float32 (b, C, H, W) in [0, 1] there, laid out as by `to_float`.
    No global random state is read or changed.
    Raises ValueError for an unknown name, for other than one row per image, and for other than one fill per channel.
    """
    if len(rows) != len(images):
        raise ValueError(f"{len(images)} images cannot stand at {len(rows)} positions of a batch")
    if how["name"] not in AUGMENTS:
        raise ValueError(f"no augmentation is named {how['name']!r}")
    augmented: Tensor = resolve_name(AUGMENTS[how["name"]].applies)(images, how, key, rows, total)
    return augmented


# One function for each augmentation: what `augment` does with its settings `how`.


def unchanged(images: Tensor, how: dict[str, Any], key: tuple[int, ...], rows: range, total: int) -> Tensor:
    """Return the images as they are."""
    return to_float(images)


def crop_flip(images: Tensor, how: dict[str, Any], key: tuple[int, ...], rows: range, total: int) -> Tensor:
    """Crop after zero padding, and mirror, all images at once."""
    return to_float(_crop_flip(images, key, rows, total))


def resized_crop_flip(images: Tensor, how: dict[str, Any], key: tuple[int, ...], rows: range, total: int) -> Tensor:
    """Cut a window of each image with a probability, and mirror."""
    return to_float(augment_each(images, how, key, rows))


def autoaugment_cutout(images: Tensor, how: dict[str, Any], key: tuple[int, ...], rows: range, total: int) -> Tensor:
    """Crop, mirror, and apply AutoAugment's policy and Cutout to each image."""
    # On the CPU, for the images are small, the operations many, and a device would round some differently.
    pipeline = _autoaugment_cutout(images.shape[1:], how["fill"])
    augmented = _transform_each(images.cpu(), pipeline, key, rows)
    return augmented.contiguous(memory_format=torch.channels_last).to(images.device)


def _crop_flip(images: Tensor, key: tuple[int, ...], rows: range, total: int) -> Tensor:
    """CIFAR-10's random crop after zero padding of 1/8 of the side (4 of 32 pixels) and mirroring of every second one.

    images: uint8 (b, C, H, W), as is what returns. Source: the authors' script; all images at once, on the device.
    """
    count, _, height, width = images.shape
    pad = height // 8
    # not generator(*key): that of iteration 7 orders epoch 7
    random = torch.rand(3, total, generator=generator(*key, 1))[:, list(rows)]
    random = moved(random, images.device)
    top, left = (random[:2] * (2 * pad + 1)).long()
    y = top[:, None] + torch.arange(height, device=images.device)
    x = left[:, None] + torch.arange(width, device=images.device)
    x = torch.where(random[2, :, None] < 0.5, x.flip(1), x)
    padded = F.pad(images, (pad, pad, pad, pad)).permute(0, 2, 3, 1)
    image = torch.arange(count, device=images.device)[:, None, None]
    return padded[image, y[:, :, None], x[:, None, :]].permute(0, 3, 1, 2)


def _resized_crop_flip(size: Sequence[int], how: dict[str, Any]) -> Callable[[Any], Any]:
    """Return what cuts a window with a probability, resizes it to (H, W), and mirrors every second image.

    Of and to uint8 (C, H, W), as the authors resized PIL images: on most CPUs to the very bytes, elsewhere within one
    grey level. Source: supplement 3, training; numbers from the authors' script.
    """
    from torchvision.transforms import v2  # here: it takes a second, which most jobs need not wait

    crop = v2.RandomResizedCrop(tuple(size), tuple(how["scale"]), tuple(how["ratio"]))
    return v2.Compose([v2.RandomApply([crop], how["probability"]), v2.RandomHorizontalFlip()])


def _autoaugment_cutout(shape: Sequence[int], fill: Sequence[float]) -> Callable[[Tensor], Tensor]:
    """Return what crops after padding of 1/8 of the side, mirrors, and does AutoAugment's CIFAR-10 policy and Cutout.

    Of uint8 (C, H, W) = shape, to float32 in [0, 1]. What lies outside an image is `fill`, in [0, 1], one a channel.
    Source: the paper (supplement 3, training) names AutoAugment alone; the rest is the authors' script.
    Raises ValueError for other than one fill per channel.
    """
    from torchvision.transforms import v2

    channels, height, width = shape
    if len(fill) != channels:
        raise ValueError(f"fill has {len(fill)} values for images of {channels} channels")
    grey_levels = [round(255 * value) for value in fill]
    return v2.Compose(
        [
            v2.RandomCrop((height, width), padding=height // 8, fill=grey_levels),
            v2.RandomHorizontalFlip(),
            v2.AutoAugment(v2.AutoAugmentPolicy.CIFAR10, fill=grey_levels),
            partial(_cutout, fill=fill),
        ]
    )


def _cutout(image: Tensor, fill: Sequence[float]) -> Tensor:
    """Cut a square hole of half the side about a uniform pixel, clipped at the borders (DeVries and Taylor 2017).

    image: uint8 (C, H, W); returns float32 in [0, 1]. Not `v2.RandomErasing`, whose holes always lie inside the image.
    """
    _, height, width = image.shape
    y, x = int(torch.randint(height, ())), int(torch.randint(width, ()))
    # not v2.ToDtype, which multiplies by 1/255: untouched pixels would differ from `to_float`'s in the last bit
    cut = image.float() / 255
    hole = cut[:, max(y - height // 4, 0) : y + height // 4, max(x - width // 4, 0) : x + width // 4]
    hole[:] = torch.tensor(fill)[:, None, None]
    return cut


def _transform_each(images: Tensor, transform: Callable[[Tensor], Tensor], key: tuple[int, ...], rows: range) -> Tensor:
    """Return (b, C, H, W), each transformed with a random state that its position and the key determine."""
    transformed = []
    # torchvision draws from the global generator of the CPU, wherever the images are. torch.manual_seed would also
    # seed the devices', which the fork leaves out.
    with torch.random.fork_rng(devices=[]):
        for image, row in zip(images, rows, strict=True):
            # from 1, since NumPy's seed sequences of (a, b, c) and (a, b, c, 0) are the same
            torch.random.set_rng_state(generator(*key, row + 1).get_state())
            transformed.append(transform(image))
    return torch.stack(transformed)


def crop_picture(
    size: int, how: dict[str, Any], key: tuple[int, ...], picture: Image.Image, number: int
) -> NDArray[np.uint8]:
    """Return a `resized_crop_flip`, (size, size, 3), of an image of any size, by Pillow, as the authors crop ImageNet.

    Window and mirroring depend on the key and the number alone: the image's own in its set where the crop is frozen,
    its position in the batch in training, as in `augment`.
    """
    with torch.random.fork_rng(devices=[]):
        torch.random.set_rng_state(generator(*key, number + 1).get_state())  # from 1: see `_transform_each`
        return np.array(_resized_crop_flip((size, size), how)(picture))
