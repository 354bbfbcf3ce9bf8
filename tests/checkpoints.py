"""Checkpoints as the authors released them: their names and shapes, and random numbers."""

from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn
from torchvision.models.resnet import Bottleneck, ResNet


def resnet50(seed: int = 4) -> ResNet:
    """A trained ResNet50 by torchvision, whose BatchNorm has statistics of its own."""
    torch.manual_seed(seed)
    network = ResNet(Bottleneck, [3, 4, 6, 3], num_classes=10)
    network.conv1, network.maxpool = nn.Conv2d(3, 64, 3, padding=1, bias=False), nn.Identity()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.1)
            module.running_mean.normal_(std=0.1)
            module.running_var.uniform_(0.5, 2)
    return network.eval()


def renamed(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """torchvision's names as the authors' module of ResNets has them, under DataParallel."""
    return {f"module.{name.replace('downsample', 'shortcut').replace('fc', 'linear')}": t for name, t in state.items()}


def discriminator_state(seed: int = 6) -> dict[str, Tensor]:
    """Random tensors of the real shapes, named as one might; typed from facts about StarGAN-v2's discriminator."""
    generator, state = torch.Generator().manual_seed(seed), {}

    def layer(name: str, out: int, *rest: int, bias: bool = True) -> None:
        fan_in = torch.Size(rest).numel()
        state[f"{name}.weight"] = torch.randn(out, *rest, generator=generator) * fan_in**-0.5
        if bias:
            state[f"{name}.bias"] = torch.randn(out, generator=generator) * 0.1

    layer("main.0", 64, 3, 3, 3)
    widths = (64, 128, 256, 512, 512, 512, 512)
    for number, (i, o) in enumerate(pairwise(widths), start=1):
        layer(f"main.{number}.conv1", i, i, 3, 3)
        layer(f"main.{number}.conv2", o, i, 3, 3)
        if i != o:
            layer(f"main.{number}.conv1x1", o, i, 1, 1, bias=False)
    layer("main.8", 512, 512, 4, 4)
    layer("linear", 1000, 512)
    return state


def write_checkpoints(folder: Path) -> dict[str, Path]:
    """A file for each that the authors released, by run or pre-training, as they lie in their folder."""
    files = {}
    for seed, task in enumerate(("imagenet", "cifar10", "cifar10_ood", "celebahq256", "afhqcat256", "church256")):
        if task.startswith("cifar10"):
            state = renamed(resnet50(seed).state_dict())
        else:
            prefix = "" if task == "imagenet" else "module."
            state = {f"{prefix}{name}": tensor for name, tensor in discriminator_state(seed).items()}
        files[task] = folder / task / "model.pth"
        files[task].parent.mkdir(parents=True)
        torch.save(state, files[task])
    return files
