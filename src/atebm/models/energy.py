"""Build networks by name, with normalisation and "logit 0": all other code sees raw [0, 1] pixels and f(x)."""

from collections.abc import Mapping, Sequence
from pkgutil import resolve_name
from typing import Any, Self

import torch
from torch import Tensor, nn

from ..config.models import NETWORKS
from ..device.select import layout
from ..utils.errors import ConfigError, DataError


class Classifier(nn.Module):
    """Map pixels (B, C, H, W) in [0, 1] to logits (B, outputs) by a network, after normalising the input."""

    mean: Tensor
    std: Tensor

    def __init__(self, settings: dict[str, Any], shape: Sequence[int], outputs: int):
        super().__init__()
        channels, size = shape[0], shape[1]
        options = {key: value for key, value in settings.items() if key not in ("name", "mean", "std")}
        if settings["name"] not in NETWORKS:
            built = ", ".join(NETWORKS)
            raise ConfigError(f"network {settings['name']} does not exist in this version, which has: {built}.")
        if not len(settings["mean"]) == len(settings["std"]) == channels:
            raise ConfigError(
                f"network {settings['name']}: mean and std need one value for each of {channels} channels."
            )
        self.register_buffer("mean", torch.tensor(settings["mean"]).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(settings["std"]).view(1, -1, 1, 1))
        self.network = resolve_name(NETWORKS[settings["name"]].builds)(channels, size, outputs, **options)
        self.layout = torch.contiguous_format

    def on(self, device: torch.device, precision: str = "fp32") -> Self:
        """Move this model to a device, in the memory layout in which convolutions of this precision are fastest."""
        self.layout = layout(device, precision)
        return self.to(device).to(memory_format=self.layout)

    def features(self, x: Tensor) -> Tensor:
        """Return penultimate features, (B, d)."""
        return self.network.features(((x - self.mean) / self.std).contiguous(memory_format=self.layout))

    def head(self, features: Tensor) -> Tensor:
        return self.network.head(features)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x))


class Energy(Classifier):
    """Map pixels (B, C, H, W) in [0, 1] to logits f(x) (B,), negative energies (Eq. 1); D = sigmoid(f) (Eq. 5)."""

    def __init__(self, settings: dict[str, Any], shape: Sequence[int]):
        super().__init__(settings, shape, outputs=1)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x)[:, 0].to(x.dtype)  # also under autocast


class Confidence(Classifier):
    """Use a K-way classifier as a detector, like OE and RATIO: map pixels (B, C, H, W) in [0, 1] to logits (B,).

    The logit is that of the confidence, log(p / (1 - p)) with p the largest class probability. It orders images like p,
    but does not saturate where p rounds to 1, so attacks get gradients.
    """

    def __init__(self, settings: dict[str, Any], shape: Sequence[int], classes: int):
        super().__init__(settings, shape, outputs=classes)
        self.classes = classes

    def logits(self, x: Tensor) -> Tensor:
        """Return the logits of all classes, (B, K)."""
        return super().forward(x).to(x.dtype)

    def forward(self, x: Tensor) -> Tensor:
        return confidence(self.logits(x))


Detector = Energy | Confidence  # models that score images


def confidence(logits: Tensor) -> Tensor:
    """Return the logit of the largest probability, (B,), for class logits (B, K), K >= 2."""
    largest, others = logits.max(1), torch.ones_like(logits, dtype=torch.bool)
    others.scatter_(1, largest.indices[:, None], False)
    return largest.values - logits.masked_fill(~others, -torch.inf).logsumexp(1)


def model_of(record: Mapping[str, Any]) -> Detector:
    """Return the model that a training's record describes, with fresh weights."""
    if record.get("classes"):
        return Confidence(record["network"], record["shape"], record["classes"])
    return Energy(record["network"], record["shape"])


def load_logit_0(energy: Energy, weights: Mapping[str, Tensor]) -> Energy:
    """Load into `energy` the weights of a Classifier with the same network, whose logit 0 becomes f; return `energy`.

    `weights` is the classifier's state dict. Only row 0 of its head, weight (n, d) and bias (n,), is kept: the authors
    start f as the class-0 logit of a network pre-trained on ImageNet, and no gradient ever reaches the other rows.
    Raises DataError for tensors that are missing, superfluous or of another shape, and for another normalisation, with
    which the classifier's logit would not be f.
    """
    heads = ("network.head.weight", "network.head.bias")
    kept = {name: tensor[:1] if name in heads else tensor for name, tensor in weights.items()}
    own = energy.state_dict()
    for name in sorted(own.keys() ^ kept.keys()):
        raise DataError(f"weights of a classifier: {name} is {'missing' if name in own else 'not of this network'}.")
    for name, tensor in own.items():
        if kept[name].shape != tensor.shape:
            raise DataError(
                f"weights of a classifier: {name} has shape {tuple(weights[name].shape)}, but the network needs "
                f"{tuple(tensor.shape)}."
            )
    for name in ("mean", "std"):
        if not torch.equal(kept[name].to(own[name]), own[name]):
            raise DataError(
                f"weights of a classifier: it normalises its input with {name} {kept[name].flatten().tolist()}, but "
                f"this network uses {own[name].flatten().tolist()}."
            )
    energy.load_state_dict(kept)
    return energy
