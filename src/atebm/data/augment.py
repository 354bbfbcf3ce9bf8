"""Augmentation of training batches: the result for an image depends only on a key and its position in the batch.

So several processes can share a batch: the bytes are the same as if one process had augmented all of it.
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

# Augmentations that work image by image with many small operations: for a GPU, workers that read ahead do them.
EACH = ("resized_crop_flip", "autoaugment_cutout")


def augment_each(images: Tensor, how: dict[str, Any], key: tuple[int, ...], rows: range) -> Tensor:
    """Return the images augmented by one of EACH; resized crops stay uint8, a quarter of float32's memory."""
    if how["name"] == "autoaugment_cutout":
        return augment(images, how, key, rows, 0)
    return _transform_each(images, _resized_crop_flip(images.shape[2:], how), key, rows)


def augment(images: Tensor, how: dict[str, Any], key: tuple[int, ...], rows: range, total: int) -> Tensor:
    """Return the images at positions `rows` of a batch of `total`, augmented by the settings `how`, a `config.Augment`.

    images: uint8 (b, C, H, W) on any device. Returns float32 (b, C, H, W) in [0, 1] on that device, in the memory
    layout of `to_float`. No global random state is read or changed. Raises ValueError for an unknown name, and unless
    there is one row per image and one fill per channel.
    """
    if len(rows) != len(images):
        raise ValueError(f"{len(images)} images do not fit {len(rows)} positions of a batch")
    if how["name"] not in AUGMENTS:
        raise ValueError(f"there is no augmentation {how['name']!r}")
    augmented: Tensor = resolve_name(AUGMENTS[how["name"]].applies)(images, how, key, rows, total)
    return augmented


# One function for each augmentation; `augment` calls it with the settings `how`.


def unchanged(images: Tensor, how: dict[str, Any], key: tuple[int, ...], rows: range, total: int) -> Tensor:
    """Return the images as they are."""
    return to_float(images)


def crop_flip(images: Tensor, how: dict[str, Any], key: tuple[int, ...], rows: range, total: int) -> Tensor:
    """Crop after zero padding, and mirror at random, all images at once."""
    return to_float(_crop_flip(images, key, rows, total))


def resized_crop_flip(images: Tensor, how: dict[str, Any], key: tuple[int, ...], rows: range, total: int) -> Tensor:
    """Cut a window of each image with a given probability, and mirror at random."""
    return to_float(augment_each(images, how, key, rows))


def autoaugment_cutout(images: Tensor, how: dict[str, Any], key: tuple[int, ...], rows: range, total: int) -> Tensor:
    """Crop, mirror at random, and apply AutoAugment's policy and Cutout to each image."""
    # On the CPU, since images are small, operations are many, and a device would round some results differently.
    pipeline = _autoaugment_cutout(images.shape[1:], how["fill"])
    augmented = _transform_each(images.cpu(), pipeline, key, rows)
    return augmented.contiguous(memory_format=torch.channels_last).to(images.device)


def _crop_flip(images: Tensor, key: tuple[int, ...], rows: range, total: int) -> Tensor:
    """Crop images at random after zero padding by 1/8 of the side (4 of 32 pixels), and mirror each at random.

    Takes and returns uint8 (b, C, H, W); works on all images at once, on their device. Source: the authors' script, for
    CIFAR-10.
    """
    count, _, height, width = images.shape
    pad = height // 8
    # not generator(*key): for iteration 7, that is the generator that orders epoch 7
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
    """Return a transform that cuts a window with a given probability, resizes it to (H, W), and mirrors at random.

    It maps uint8 (C, H, W) to uint8 like the authors' resizing of PIL images: on most CPUs to the same bytes, elsewhere
    within one grey level. Source: supplement 3, training; numbers from the authors' script.
    """
    from torchvision.transforms import v2  # imported here: it takes a second, and most jobs do not need it

    crop = v2.RandomResizedCrop(tuple(size), tuple(how["scale"]), tuple(how["ratio"]))
    return v2.Compose([v2.RandomApply([crop], how["probability"]), v2.RandomHorizontalFlip()])


def _autoaugment_cutout(shape: Sequence[int], fill: Sequence[float]) -> Callable[[Tensor], Tensor]:
    """Return a transform: a crop after padding by 1/8 of the side, mirroring, AutoAugment's CIFAR-10 policy and Cutout.

    It maps uint8 (C, H, W) = shape to float32 in [0, 1]. `fill`, in [0, 1] and one per channel, is the value outside an
    image. Source: AutoAugment from the paper (supplement 3, training), the rest from the authors' script. Raises
    ValueError unless there is one fill per channel.
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
    """Cut a square hole of half the side around a random pixel, clipped at the borders (DeVries and Taylor 2017).

    image: uint8 (C, H, W); returns float32 in [0, 1]. `v2.RandomErasing` differs: its holes are always inside the
    image.
    """
    _, height, width = image.shape
    y, x = int(torch.randint(height, ())), int(torch.randint(width, ()))
    # not v2.ToDtype, which multiplies by 1/255: unchanged pixels would differ from those of `to_float` in the last bit
    cut = image.float() / 255
    hole = cut[:, max(y - height // 4, 0) : y + height // 4, max(x - width // 4, 0) : x + width // 4]
    hole[:] = torch.tensor(fill)[:, None, None]
    return cut


def _transform_each(images: Tensor, transform: Callable[[Tensor], Tensor], key: tuple[int, ...], rows: range) -> Tensor:
    """Return the images transformed, (b, C, H, W), each with a random state given by its position and the key."""
    transformed = []
    # torchvision draws from the CPU's global generator, wherever the images are. torch.manual_seed would also seed the
    # devices' generators, which the fork does not restore.
    with torch.random.fork_rng(devices=[]):
        for image, row in zip(images, rows, strict=True):
            # from 1, since NumPy's seed sequences of (a, b, c) and (a, b, c, 0) are the same
            torch.random.set_rng_state(generator(*key, row + 1).get_state())
            transformed.append(transform(image))
    return torch.stack(transformed)


def crop_picture(
    size: int, how: dict[str, Any], key: tuple[int, ...], picture: Image.Image, number: int
) -> NDArray[np.uint8]:
    """Return a `resized_crop_flip`, (size, size, 3), of a picture of any size, by Pillow, as the authors crop ImageNet.

    Window and mirroring depend only on the key and the number. In training, the number is the position in the batch, as
    in `augment`; for a crop that is made once, it is the image's number in its set.
    """
    with torch.random.fork_rng(devices=[]):
        torch.random.set_rng_state(generator(*key, number + 1).get_state())  # from 1: see `_transform_each`
        return np.array(_resized_crop_flip((size, size), how)(picture))
