"""Weights as safetensors, resume state as a weights-only torch file; whole or absent, both."""

from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from ..files import atomic


def save_weights(weights: dict[str, torch.Tensor], path: Path) -> None:
    with atomic(path) as temporary:
        save_file({name: tensor.contiguous() for name, tensor in weights.items()}, temporary)


Model = TypeVar("Model", bound=nn.Module)


def load_weights(model: Model, path: Path) -> Model:
    """`model` with the weights of a .safetensors file, ready for inference. Missing or extra tensors raise."""
    model.load_state_dict(load_file(path))
    return model.eval().requires_grad_(False)


def save_state(state: dict[str, Any], path: Path) -> None:
    with atomic(path) as temporary:
        torch.save(state, temporary)


def load_state(path: Path, device: torch.device) -> dict[str, Any] | None:
    """The resume state, or None where no run was interrupted. Nothing in the file is executed."""
    return torch.load(path, map_location=device, weights_only=True) if path.exists() else None
