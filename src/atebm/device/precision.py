"""The arithmetic of products: float32 throughout, TF32, or bfloat16 by autocast."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


def set_precision(precision: str, deterministic: bool = True) -> None:
    """Allow TF32 only for precision tf32, since PyTorch lets cuDNN round to TF32 by default.

    If `deterministic`, cuDNN uses only algorithms that add in the same order each time, so that a resumed run, or a
    sample made again, has the same bytes on a GPU too. Otherwise, cuDNN uses the algorithms that it finds fastest.
    """
    torch.backends.cudnn.allow_tf32 = precision == "tf32"
    torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    torch.backends.cudnn.deterministic = deterministic
    torch.backends.cudnn.benchmark = not deterministic


def autocast(precision: str, device: torch.device) -> torch.autocast:
    """Return a context that computes convolutions and linear layers in bfloat16 for `bf16`, else has no effect.

    Weights, pixels, gradient norms and the loss stay in float32.
    """
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")


@contextmanager
def computed_in(precision: str, device: torch.device) -> Iterator[None]:
    """Compute in a precision within the block, then restore the settings of TF32."""
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    try:
        with autocast(precision, device):
            yield
    finally:
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before
