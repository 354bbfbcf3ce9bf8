"""Define a small network for small images, modelled on the 256x256 network of supplement Table 2.

It has residual blocks that halve the resolution by average pooling, and no normalisation layers.
"""

import math
from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from ..utils.errors import ConfigError
from .folding import ConvPool, Stem


class Block(nn.Module):
    """Map (B, in, H, W) to (B, out, H/2, W/2) by a pre-activation residual block."""

    def __init__(self, channels_in: int, channels_out: int):
        super().__init__()
        self.conv1 = ConvPool(channels_in, channels_in)
        self.conv2 = nn.Conv2d(channels_in, channels_out, 3, padding=1)
        self.shortcut = nn.Conv2d(channels_in, channels_out, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv2(F.relu(self.conv1(F.relu(x)))) + self.shortcut(F.avg_pool2d(x, 2))


class SmallNet(nn.Module):
    """Map (B, channels, size, size) to (B, outputs) through 4x4 maps; `size` is a power of two, at least 8.

    With width 16, one output and 16x16 grey images it has 103,089 parameters.
    """

    def __init__(self, channels: int, size: int, outputs: int, width: int):
        super().__init__()
        blocks = int(math.log2(size)) - 2
        if size < 8 or 4 * 2**blocks != size:
            raise ConfigError(f"network small needs images of 8, 16, 32, ... pixels a side, not {size}: resize them.")
        widths = [width * 2**level for level in range(blocks + 1)]
        self.stem = Stem(channels, width, 3)
        self.blocks = nn.Sequential(*(Block(i, o) for i, o in pairwise(widths)))
        self.last = nn.Conv2d(widths[-1], widths[-1], 4)
        self.head = nn.Linear(widths[-1], outputs)

    def features(self, x: Tensor) -> Tensor:
        """Return penultimate features, (B, width * size / 4)."""
        return F.relu(self.last(F.relu(self.blocks(self.stem(x))))).flatten(1)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x))
