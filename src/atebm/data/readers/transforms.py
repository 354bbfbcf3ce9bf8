"""From a picture of an archive to a set's pixels: RGB, uint8 (size, size, 3), but where a function says otherwise.

Each function says whose rule it is.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Filter = Image.Resampling


def lanczos(picture: Image.Image, size: int) -> NDArray[np.uint8]:
    """CelebA-HQ and AFHQ, 512 to 256 pixels. Source: the authors' script, which resizes both in this way."""
    return _short_side_and_crop(picture, size, Filter.LANCZOS)


def lsun(picture: Image.Image, size: int) -> NDArray[np.uint8]:
    """Return LSUN church.

    Source: the authors' script. Pillow's default, which it leaves to it, is bicubic since 7.0.
    """
    return _short_side_and_crop(picture, size, Filter.BICUBIC)


def squash(picture: Image.Image, size: int) -> NDArray[np.uint8]:
    """Return ImageNet's validation set, stretched to a square.

    Source: the authors' evaluation, torchvision's Resize.
    """
    return np.array(picture.resize((size, size), Filter.BILINEAR))


def area(picture: Image.Image, size: int) -> NDArray[np.uint8]:
    """Places365, 256 to 32 pixels, in place of Tiny Images (ours): averages of 8 by 8 pixels."""
    return np.array(picture.resize((size, size), Filter.BOX))


def padded(image: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Fashion-MNIST, grey (28, 28), to (size, size, 1): two black pixels all around, then bilinear (ours)."""
    picture = Image.fromarray(np.pad(image, 2))
    return np.asarray(picture.resize((size, size), Filter.BILINEAR))[..., None]


def _short_side_and_crop(picture: Image.Image, size: int, how: Filter) -> NDArray[np.uint8]:
    short = min(picture.size)
    if short != size:
        ratio = size / short
        # max: in floating point short * (size / short) may fall short of size
        width, height = (max(int(length * ratio), size) for length in picture.size)
        picture = picture.resize((width, height), how)
    left, top = (round((length - size) / 2) for length in picture.size)  # half to even, as Pillow's crop rounds
    return np.array(picture.crop((left, top, left + size, top + size)))
