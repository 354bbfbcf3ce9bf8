"""Images saved by PyTorch as a tensor of floats."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ...archives.members import bad, check_count, reading
from ...archives.tensors import load_pickled


def saved_images(path: Path, count: int) -> NDArray[np.uint8]:
    """Return images (count, H, W, C), rounded, from a torch.save file of a tensor (count, C, H, W) in [0, 1].

    Floats that were made from bytes, as by torchvision's ToTensor, become the same bytes again. Raises DataError if the
    file is damaged or has anything else, and for another count.
    """
    with reading(path, "its tensor"), path.open("rb") as file:
        tensor = load_pickled(file, path, torch.device("cpu"))
    if not isinstance(tensor, torch.Tensor) or tensor.ndim != 4 or not tensor.is_floating_point():
        raise bad(path, "it is not a tensor of images as floats")
    check_count(path, len(tensor), count)
    if not (bool(tensor.isfinite().all()) and float(tensor.min()) >= 0 and float(tensor.max()) <= 1):
        raise bad(path, "its pixels are not all in [0, 1]")
    return (255 * tensor).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()
