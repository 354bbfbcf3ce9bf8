"""What products are computed in: float32 throughout, TF32, or bfloat16 by autocast."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


def set_precision(precision: str, deterministic: bool = True) -> None:
    """Allow TF32 where it is asked for, and nowhere else: PyTorch lets cuDNN round to it by default.

    Of cuDNN's algorithms only those are used that add in the same order each time: a resumed run, or a sample made
    again, has the very bytes of an uninterrupted one on a GPU, too. Not so where `deterministic` is off: cuDNN then
    takes those that it measures to be fastest.
    """
    torch.backends.cudnn.allow_tf32 = precision == "tf32"
    torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    torch.backends.cudnn.deterministic = deterministic
    torch.backends.cudnn.benchmark = not deterministic


def autocast(precision: str, device: torch.device) -> torch.autocast:
    """Convolutions and linear layers in bfloat16 for `bf16`, a context without effect otherwise.

    Weights, pixels, gradient norms and the loss stay in float32.
    """
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")


@contextmanager
def computed_in(precision: str, device: torch.device) -> Iterator[None]:
    """Compute in a precision within the block; afterwards TF32 is allowed as it was before."""
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    try:
        with autocast(precision, device):
            yield
    finally:
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before
