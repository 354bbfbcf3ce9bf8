"""Save and load the weights of models: .safetensors files, complete or absent."""

from pathlib import Path
from typing import TypeVar

import torch
from safetensors.torch import save
from torch import nn

from ..archives.tensors import load_tensors
from ..pipeline.job import Job, record_of
from ..utils.files import atomic
from .energy import Detector, model_of


def save_weights(weights: dict[str, torch.Tensor], path: Path) -> None:
    with atomic(path) as temporary:
        # not by save_file, which reports a full disk by its own kind of error
        temporary.write_bytes(save({name: tensor.contiguous() for name, tensor in weights.items()}))


Model = TypeVar("Model", bound=nn.Module)


def load_weights(model: Model, path: Path) -> Model:
    """Load the weights of a .safetensors file into `model` for inference. Missing or extra tensors raise an error."""
    model.load_state_dict(load_tensors(path))
    return model.eval().requires_grad_(False)


def size_of(model: nn.Module) -> int:
    """Return the bytes of a model's weights and buffers."""
    return sum(tensor.nbytes for tensor in model.state_dict().values())


def load_model(job: Job, device: torch.device, role: str = "model") -> Detector:
    """Return the model of a parent `train` step, with the weights of the checkpoint that the job names.

    Its memory layout suits the job's `precision`, fp32 by default.
    """
    precision = job.settings.get("precision", "fp32")
    return load_checkpoint(job.parent(role), job.settings["checkpoint"], device, precision)


def load_checkpoint(folder: Path, checkpoint: str, device: torch.device, precision: str = "fp32") -> Detector:
    """Return the model of a `train` step, with the weights of its `best` or `last` checkpoint."""
    return load_weights(model_of(record_of(folder)), folder / f"{checkpoint}.safetensors").on(device, precision)
