"""Networks by name. Normalisation and "logit 0" live here, so that all other code sees raw [0, 1] pixels and f(x)."""

from collections.abc import Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn

from ..errors import ConfigError
from .small import SmallNet

NETWORKS = {"small": SmallNet}


class Classifier(nn.Module):
    """A network with its input normalisation: (B, C, H, W) pixels in [0, 1] to (B, outputs) logits."""

    mean: Tensor
    std: Tensor

    def __init__(self, settings: dict[str, Any], shape: Sequence[int], outputs: int):
        super().__init__()
        channels, size = shape[0], shape[1]
        options = {key: value for key, value in settings.items() if key not in ("name", "mean", "std")}
        if settings["name"] not in NETWORKS:
            built = ", ".join(NETWORKS)
            raise ConfigError(f"network {settings['name']} is not built in this version, which has: {built}.")
        if not len(settings["mean"]) == len(settings["std"]) == channels:
            raise ConfigError(
                f"network {settings['name']}: mean and std want one value for each of {channels} channels."
            )
        self.register_buffer("mean", torch.tensor(settings["mean"]).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(settings["std"]).view(1, -1, 1, 1))
        self.network = NETWORKS[settings["name"]](channels, size, outputs, **options)

    def on(self, device: torch.device) -> Self:
        """This model on a device, in the memory layout that convolutions are fastest in (measured on CPUs too)."""
        return self.to(device).to(memory_format=torch.channels_last)

    def features(self, x: Tensor) -> Tensor:
        """Penultimate features, (B, d)."""
        return self.network.features((x - self.mean) / self.std)

    def head(self, features: Tensor) -> Tensor:
        return self.network.head(features)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x))


class Energy(Classifier):
    """f(x), the negative energy (Eq. 1): (B, C, H, W) pixels in [0, 1] to (B,) logits; D(x) = sigmoid(f(x)) (Eq. 5)."""

    def __init__(self, settings: dict[str, Any], shape: Sequence[int]):
        super().__init__(settings, shape, outputs=1)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x)[:, 0]
