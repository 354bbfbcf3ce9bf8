"""What products are computed in: float32 throughout, TF32, or bfloat16 by autocast."""

import torch


def set_precision(precision: str) -> None:
    """Allow TF32 where it is asked for, and nowhere else: PyTorch lets cuDNN round to it by default.

    Of cuDNN's algorithms only those are used that add in the same order each time: a resumed run, or a sample made
    again, has the very bytes of an uninterrupted one on a GPU, too.
    """
    torch.backends.cudnn.allow_tf32 = precision == "tf32"
    torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    torch.backends.cudnn.deterministic = True


def autocast(precision: str, device: torch.device) -> torch.autocast:
    """Convolutions and linear layers in bfloat16 for `bf16`, a context without effect otherwise.

    Weights, pixels, gradient norms and the loss stay in float32.
    """
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")
