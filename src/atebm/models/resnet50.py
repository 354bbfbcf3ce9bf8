"""Define ResNet50 for CIFAR (supplement 3: "standard ResNet50"; details: the authors' code)."""

from itertools import chain

import torch.nn.functional as F
from torch import Tensor, nn

from .folding import ConvAffine

EXPANSION = 4  # output channels of a bottleneck per channel of its width
STAGES = ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2))  # width, number of bottlenecks, stride of the first


class Bottleneck(nn.Module):
    """Map (B, in, H, W) to (B, 4 * width, H/stride, W/stride) by 1x1, 3x3 and 1x1 convolutions beside a shortcut."""

    def __init__(self, channels_in: int, width: int, stride: int):
        super().__init__()
        channels_out = EXPANSION * width
        self.conv1 = ConvAffine(channels_in, width, 1)
        self.conv2 = ConvAffine(width, width, 3, stride)
        self.conv3 = ConvAffine(width, channels_out, 1)
        same = stride == 1 and channels_in == channels_out
        self.shortcut = nn.Identity() if same else ConvAffine(channels_in, channels_out, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        # In place, since no gradient needs the output of a convolution: the same bits with fewer large allocations.
        hidden = F.relu(self.conv2(F.relu(self.conv1(x), inplace=True)), inplace=True)
        return F.relu(self.conv3(hidden).add_(self.shortcut(x)), inplace=True)


class ResNet50(nn.Module):
    """Map (B, channels, size, size) to (B, outputs), with a 3x3 stem of stride 1, no max pooling, frozen BatchNorm.

    The mean over the last map works for any size; for 32 pixels that map is 4x4. With 3 channels and 10 outputs the
    network has 23,520,842 parameters.
    """

    def __init__(self, channels: int, size: int, outputs: int):
        super().__init__()
        self.stem = ConvAffine(channels, STAGES[0][0], 3)
        blocks, width_in = [], STAGES[0][0]
        for width, depth, first_stride in STAGES:
            for stride in chain([first_stride], [1] * (depth - 1)):
                blocks.append(Bottleneck(width_in, width, stride))
                width_in = EXPANSION * width
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Linear(width_in, outputs)

    def features(self, x: Tensor) -> Tensor:
        """Return penultimate features, (B, 2048)."""
        return self.blocks(F.relu(self.stem(x), inplace=True)).mean((2, 3))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x))
