"""Conversions of an archive's picture to a set's pixels: RGB, uint8 (size, size, 3), unless a function says otherwise.

Each function states the source of its rule.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Filter = Image.Resampling


def lanczos(picture: Image.Image, size: int) -> NDArray[np.uint8]:
    """Resize as for CelebA-HQ and AFHQ, from 512 to 256 pixels. Source: the authors' script, for both."""
    return _short_side_and_crop(picture, size, Filter.LANCZOS)


def lsun(picture: Image.Image, size: int) -> NDArray[np.uint8]:
    """Resize and crop as for LSUN church.

    Source: the authors' script, which uses Pillow's default filter, bicubic since 7.0.
    """
    return _short_side_and_crop(picture, size, Filter.BICUBIC)


def squash(picture: Image.Image, size: int) -> NDArray[np.uint8]:
    """Stretch to a square as for ImageNet's validation set. Source: the authors' evaluation, torchvision's Resize."""
    return np.array(picture.resize((size, size), Filter.BILINEAR))


def area(picture: Image.Image, size: int) -> NDArray[np.uint8]:
    """Shrink by averaging, as for Places365 from 256 to 32 pixels, our stand-in for Tiny Images."""
    return np.array(picture.resize((size, size), Filter.BOX))


def padded(image: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Convert grey Fashion-MNIST (28, 28) to (size, size, 1): pad with two black pixels, then resize (ours)."""
    picture = Image.fromarray(np.pad(image, 2))
    return np.asarray(picture.resize((size, size), Filter.BILINEAR))[..., None]


def _short_side_and_crop(picture: Image.Image, size: int, how: Filter) -> NDArray[np.uint8]:
    short = min(picture.size)
    if short != size:
        ratio = size / short
        # max, since rounding can make short * (size / short) less than size
        width, height = (max(int(length * ratio), size) for length in picture.size)
        picture = picture.resize((width, height), how)
    left, top = (round((length - size) / 2) for length in picture.size)  # rounds half to even, as Pillow's crop
    return np.array(picture.crop((left, top, left + size, top + size)))
