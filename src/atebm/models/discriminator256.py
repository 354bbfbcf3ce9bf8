"""Define the network of the 256x256 tasks: StarGAN-v2's discriminator without its domains (supplement Table 2)."""

import math
from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from ..utils.errors import ConfigError
from .folding import ConvPool, Stem

WIDTHS = (64, 128, 256, 512, 512, 512, 512)  # channels before, between and after six blocks that halve the resolution
SIZE = 4 * 2 ** (len(WIDTHS) - 1)  # pixels a side, so that the last convolution gets a 4x4 map


def activation(x: Tensor) -> Tensor:
    return F.leaky_relu(x, 0.2)


class Block(nn.Module):
    """Map (B, in, H, W) to (B, out, H/2, W/2) by a pre-activation residual block, whose sum is divided by sqrt(2)."""

    def __init__(self, channels_in: int, channels_out: int):
        super().__init__()
        self.conv1 = ConvPool(channels_in, channels_in)
        self.conv2 = nn.Conv2d(channels_in, channels_out, 3, padding=1)
        same = channels_in == channels_out
        self.shortcut = nn.Identity() if same else nn.Conv2d(channels_in, channels_out, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        residual = self.conv2(activation(self.conv1(activation(x))))
        # The authors pool after the shortcut. The result is the same, since a 1x1 convolution without bias commutes
        # with pooling, but it is four times the work.
        return (self.shortcut(F.avg_pool2d(x, 2)) + residual) / math.sqrt(2)


class Discriminator256(nn.Module):
    """Map (B, channels, 256, 256) to (B, outputs), without normalisation layers.

    `stem` is the side of the first convolution: 3 in the authors' code, 1 in Table 2 of the supplement. With stem 3 and
    3 channels it has 20,851,777 parameters for one output, 21,364,264 for 1,000. Raises ConfigError for other sizes.
    """

    def __init__(self, channels: int, size: int, outputs: int, stem: int):
        super().__init__()
        if size != SIZE:
            raise ConfigError(
                f"network discriminator256 needs images of {SIZE} pixels a side, which its blocks halve down to 4, but "
                f"these have {size}."
            )
        self.stem = Stem(channels, WIDTHS[0], stem)
        self.blocks = nn.Sequential(*(Block(i, o) for i, o in pairwise(WIDTHS)))
        self.last = nn.Conv2d(WIDTHS[-1], WIDTHS[-1], 4)
        self.head = nn.Linear(WIDTHS[-1], outputs)

    def features(self, x: Tensor) -> Tensor:
        """Return penultimate features, (B, 512)."""
        return activation(self.last(activation(self.blocks(self.stem(x))))).flatten(1)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x))
