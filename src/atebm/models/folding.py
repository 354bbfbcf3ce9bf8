"""Fold a convolution and the frozen BatchNorm or average pooling after it into one convolution.

`frozen` is a block in which the folded weights are computed only once.
"""

import math
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

EPS = 1e-5  # as in nn.BatchNorm2d
CHANNELS = 8  # tensor cores take this many channels at once in bfloat16


def narrow(x: Tensor) -> bool:
    """Return whether images have so few channels that a GPU's convolution in bfloat16 is slow.

    The gradient with respect to the image, which every step of an attack needs, is slowest (pytorch/pytorch#54404: the
    kernel for 3 channels does not use tensor cores). The gain from padding has not been measured by this project.
    """
    return torch.is_autocast_enabled("cuda") and x.is_cuda and x.shape[1] < CHANNELS


def convolve(x: Tensor, weight: Tensor, bias: Tensor | None, stride: int, padding: int) -> Tensor:
    """Apply F.conv2d, padding few channels with zeros on a GPU: the same sums, up to their order."""
    if narrow(x):
        missing = (0, 0, 0, 0, 0, CHANNELS - x.shape[1])
        x, weight = F.pad(x, missing), F.pad(weight, missing)
    return F.conv2d(x, weight, bias, stride, padding)


class Stem(nn.Conv2d):
    """Apply the first convolution to images (B, channels, H, W) and keep their size; `kernel` is odd."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int):
        super().__init__(channels_in, channels_out, kernel, padding=kernel // 2)

    def forward(self, x: Tensor) -> Tensor:
        return convolve(x, self.weight, self.bias, 1, self.kernel_size[0] // 2)


class ConvAffine(nn.Module):
    """Apply a bias-free convolution and a BatchNorm whose mean 0 and variance 1 never change, as in the authors' code.

    It maps (B, in, H, W) to (B, out, H/stride, W/stride), padded by half the (odd) kernel. Such a BatchNorm is a
    learnable affine map per channel, gamma / sqrt(1 + EPS) * y + beta, and the convolution includes it: there is no
    separate pass over y, not even in training. Initial values are those of nn.Conv2d and nn.BatchNorm2d.
    """

    def __init__(self, channels_in: int, channels_out: int, kernel: int, stride: int = 1):
        super().__init__()
        self.stride, self.padding = stride, kernel // 2
        self.weight = nn.Parameter(torch.empty(channels_out, channels_in, kernel, kernel))
        self.gamma = nn.Parameter(torch.ones(channels_out))
        self.beta = nn.Parameter(torch.zeros(channels_out))
        self.fixed: tuple[Tensor, Tensor] | None = None  # folded weight and bias, while `frozen` holds
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))

    def folded(self) -> tuple[Tensor, Tensor]:
        """Return weight (out, in, kernel, kernel) and bias (out,) of convolution and BatchNorm in one."""
        return self.weight * (self.gamma / math.sqrt(1 + EPS)).view(-1, 1, 1, 1), self.beta

    def forward(self, x: Tensor) -> Tensor:
        return convolve(x, *(self.fixed or self.folded()), self.stride, self.padding)


class ConvPool(nn.Conv2d):
    """Apply a 3x3 convolution and average its output over 2x2 pixels: (B, in, H, W) to (B, out, H/2, W/2).

    The mean of four shifted convolutions is a convolution by the mean of the shifted kernels, 4x4 with stride 2. It
    takes 16 products per output instead of 4 * 9, and never writes, keeps or reads a map of full resolution. Up to
    rounding the result and all derivatives are the same. Parameters, their names and initial values are those of
    nn.Conv2d.
    """

    bias: Tensor

    def __init__(self, channels_in: int, channels_out: int):
        super().__init__(channels_in, channels_out, 3, padding=1)
        self.fixed: tuple[Tensor, Tensor] | None = None  # folded weight and bias, while `frozen` holds

    def folded(self) -> tuple[Tensor, Tensor]:
        """Return weight (out, in, 4, 4) and bias (out,) of convolution and pooling in one."""
        return F.avg_pool2d(F.pad(self.weight, (1, 1, 1, 1)), 2, stride=1), self.bias

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, *(self.fixed or self.folded()), stride=2, padding=1)


@contextmanager
def frozen(model: nn.Module) -> Iterator[None]:
    """Hold the parameters of `model` constant within the block, for attacks, which differentiate only by images.

    No parameter requires a gradient, so backward passes compute none and autograd's graph ends in the images. Each
    weight is folded, and under autocast rounded, only once and not in every forward pass. Do not change parameters
    inside. After the block everything is as before, however it ended.
    """
    learnt = [parameter for parameter in model.parameters() if parameter.requires_grad]
    before = [(module, module.fixed) for module in model.modules() if isinstance(module, ConvAffine | ConvPool)]
    try:
        for parameter in learnt:
            parameter.requires_grad_(False)
        for module, _ in before:
            weight, bias = module.folded()
            module.fixed = as_computed(weight.detach()), as_computed(bias.detach())
        yield
    finally:
        for parameter in learnt:
            parameter.requires_grad_(True)
        for module, fixed in before:
            module.fixed = fixed


@contextmanager
def frozen_all(models: Iterable[nn.Module]) -> Iterator[None]:
    """Hold the parameters of several models constant within the block, see `frozen`."""
    with ExitStack() as stack:
        for model in models:
            stack.enter_context(frozen(model))
        yield


def as_computed(weight: Tensor) -> Tensor:
    """Return a tensor in the type in which convolutions compute: that of autocast if it is on."""
    kind = weight.device.type
    return weight.to(torch.get_autocast_dtype(kind)) if torch.is_autocast_enabled(kind) else weight
