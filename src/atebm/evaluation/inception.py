"""Inception-v3 of 2015-12-05, the network for FID and IS, in torch-fidelity's version with TF1's resizing."""

import io
from pathlib import Path

import torch
from torch import Tensor, nn

from ..archives.catalogue import ARCHIVES, find
from ..archives.tensors import load_tensors
from ..archives.verify import verify_file
from ..models.released import read
from ..models.weights import save_weights
from ..pipeline.job import Job
from ..utils.errors import DataError

LAYERS = ["2048", "logits_unbiased"]  # the layers for FID and IS in their authors' code


def write_inception(job: Job, archives: Path = ARCHIVES) -> None:
    """Make the `extractor` step of kind inception: copy the network's weights from the archive of that name.

    Downloads nothing. Raises DataError if the archive is missing, is another file, or does not fit the network.
    """
    (source,) = find("inception")
    path = archives / source.file
    checksums = verify_file(path)
    weights = read(path)
    try:
        network(weights)
    except RuntimeError as error:  # names or shapes
        raise DataError(f"{path} does not fit Inception: {' '.join(str(error).split())}") from None
    save_weights(weights, job.folder / "model.safetensors")
    classes = [str(number) for number in range(len(weights["fc.weight"]))]  # the file does not name them
    archive = {"file": source.file, **checksums}
    job.finish({"extractor": job.spec["name"], "kind": "inception", "archive": archive, "classes": classes})


def load_inception(path: Path, device: torch.device) -> nn.Module:
    """Return the network of an `extractor` step: uint8 (b, 3, H, W) to 2,048 features and 1,008 logits."""
    return network(load_tensors(path)).to(device)


def network(weights: dict[str, Tensor]) -> nn.Module:
    """Return torch-fidelity's Inception with these weights. Raises RuntimeError if they don't fit."""
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    # By default it downloads a file, and unpickling a file may run code: so it gets only tensors that we have read.
    file = io.BytesIO()
    torch.save(weights, file)
    file.seek(0)
    return FeatureExtractorInceptionV3("inception-v3-compat", LAYERS, file)
