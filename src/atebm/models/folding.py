"""A convolution and what follows it, frozen BatchNorm or average pooling, as one convolution; and a block in which the
weight of that one is computed only once."""

import math
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

EPS = 1e-5  # of nn.BatchNorm2d
CHANNELS = 8  # that tensor cores take at once, in bfloat16


def narrow(x: Tensor) -> bool:
    """Return whether images have so few channels that a GPU's convolution in bfloat16 is slow.

    Slowest is the gradient by the image, which every step of the attack asks for (pytorch/pytorch#54404: a kernel for 3
    channels that uses no tensor core). How much padding gains was measured on no GPU of ours.
    """
    return torch.is_autocast_enabled("cuda") and x.is_cuda and x.shape[1] < CHANNELS


def convolve(x: Tensor, weight: Tensor, bias: Tensor | None, stride: int, padding: int) -> Tensor:
    """F.conv2d, of few channels beside zeros: the same sums, up to their order."""
    if narrow(x):
        missing = (0, 0, 0, 0, 0, CHANNELS - x.shape[1])
        x, weight = F.pad(x, missing), F.pad(weight, missing)
    return F.conv2d(x, weight, bias, stride, padding)


class Stem(nn.Conv2d):
    """The first convolution, of images (B, channels, H, W), whose size it keeps; `kernel` is odd."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int):
        super().__init__(channels_in, channels_out, kernel, padding=kernel // 2)

    def forward(self, x: Tensor) -> Tensor:
        return convolve(x, self.weight, self.bias, 1, self.kernel_size[0] // 2)


class ConvAffine(nn.Module):
    """A bias-free convolution and a BatchNorm that keeps mean 0 and variance 1 for ever, as in the authors' code.

    (B, in, H, W) to (B, out, H/stride, W/stride), padded by half the (odd) kernel. BatchNorm is then a learnable affine
    map per channel, gamma / sqrt(1 + EPS) * y + beta, which the convolution takes along: no pass over y of its own, in
    training neither. Initial values are those of nn.Conv2d and nn.BatchNorm2d.
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
        """Weight (out, in, kernel, kernel) and bias (out,) of convolution and BatchNorm in one."""
        return self.weight * (self.gamma / math.sqrt(1 + EPS)).view(-1, 1, 1, 1), self.beta

    def forward(self, x: Tensor) -> Tensor:
        return convolve(x, *(self.fixed or self.folded()), self.stride, self.padding)


class ConvPool(nn.Conv2d):
    """A 3x3 convolution and the mean over each 2x2 pixels of what it gives: (B, in, H, W) to (B, out, H/2, W/2).

    The mean of four shifted convolutions is a convolution by the mean of the shifted kernels, 4x4 and of stride 2: 16
    products an output instead of 4 * 9, and no map of the full resolution to write, keep and read. Up to rounding the
    same, in all derivatives too. Parameters, their names and initial values are those of the nn.Conv2d.
    """

    bias: Tensor

    def __init__(self, channels_in: int, channels_out: int):
        super().__init__(channels_in, channels_out, 3, padding=1)
        self.fixed: tuple[Tensor, Tensor] | None = None  # folded weight and bias, while `frozen` holds

    def folded(self) -> tuple[Tensor, Tensor]:
        """Weight (out, in, 4, 4) and bias (out,) of convolution and pooling in one."""
        return F.avg_pool2d(F.pad(self.weight, (1, 1, 1, 1)), 2, stride=1), self.bias

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, *(self.fixed or self.folded()), stride=2, padding=1)


@contextmanager
def frozen(model: nn.Module) -> Iterator[None]:
    """Hold the parameters of `model` constant within the block: for attacks, which differentiate by images alone.

    No parameter requires a gradient, so that backward passes compute none and autograd's graph ends in the images, and
    each weight is folded, and under autocast rounded, once instead of once a forward pass. Don't change parameters
    inside. Afterwards all is as before, whatever ended the block.
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
    """Give `frozen` of several models."""
    with ExitStack() as stack:
        for model in models:
            stack.enter_context(frozen(model))
        yield


def as_computed(weight: Tensor) -> Tensor:
    """Return a tensor in the type of convolutions: that of autocast, where it is on."""
    kind = weight.device.type
    return weight.to(torch.get_autocast_dtype(kind)) if torch.is_autocast_enabled(kind) else weight
