"""The choice of the device to compute on, and the names of devices in records."""

import platform
from pathlib import Path

import torch

from ..utils.errors import ConfigError
from .malloc import keep_memory


def pick_device(device: str) -> torch.device:
    """Return the device of a name; `auto` takes a GPU if there is one.

    Products are in float32 until a run sets another precision.
    """
    from .gpus import take_gpu
    from .precision import set_precision

    if device in ("auto", "cuda"):
        take_gpu()
    set_precision("fp32")
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    if device == "cpu":
        keep_memory()
    try:
        found = torch.device(device)
    except (RuntimeError, TypeError):
        raise ConfigError(f"there is no device {device!r}; choose auto, cpu, cuda or mps.") from None
    if found.type not in ("cpu", "cuda", "mps"):
        raise ConfigError(f"device {device} is not supported; choose auto, cpu, cuda or mps.")
    here = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not here[found.type]:
        raise ConfigError(
            f"device {device}: PyTorch finds no GPU here; use --device cpu, or --config device=cpu with the workflow."
        )
    if found.type == "cuda" and (found.index or 0) >= torch.cuda.device_count():
        raise ConfigError(f"device {device}: PyTorch finds {torch.cuda.device_count()} GPUs here, numbered from 0.")
    return found


def device_name(device: torch.device) -> str:
    """Return what a record says that its numbers were computed on: "cpu", or the GPU's name."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def name_hardware(device: torch.device) -> str:
    """Return the name of the GPU, or else of the CPU."""
    if device.type == "cuda":
        return device_name(device)
    return cpu_facts().get("model name", platform.processor() or platform.machine())


def layout(device: torch.device, precision: str) -> torch.memory_format:
    """Return the memory layout in which convolutions are fastest: channels last, except with cuDNN in fp32.

    On an H100 in fp32, a PGD step takes 1.09 times (the 256x256 network) to 1.14 times (ResNet50, batch 500) as long
    with channels last as with channels first; in TF32 and bf16, 0.8 to 0.95 times. CPUs are faster with channels last.
    """
    planes = device.type == "cuda" and precision == "fp32"
    return torch.contiguous_format if planes else torch.channels_last


def way(device: torch.device, precision: str, compiled: bool) -> str:
    """Describe how models are trained on a device: the fastest way that was measured (benchmarks/growth.md).

    Users do not choose this. A job on a CPU has one thread: two such jobs are faster than one job with two threads.
    """
    threads = torch.get_num_threads()
    how = ["whole iterations as CUDA graphs" if device.type == "cuda" else f"{threads} thread{'s' * (threads > 1)}"]
    how += ["channels last"] if layout(device, precision) is torch.channels_last else ["channels first"]
    how += ["BatchNorm and pooling folded into convolutions", precision]
    return f"on {device.type} ({name_hardware(device)}): {', '.join(how)}{', compiled' if compiled else ''}"


def cpu_facts() -> dict[str, str]:
    """Return the fields of Linux's /proc/cpuinfo; empty on other systems."""
    file = Path("/proc/cpuinfo")
    lines = (line.split(":", 1) for line in file.read_text().splitlines() if ":" in line) if file.exists() else ()
    return {key.strip(): value.strip() for key, value in lines}
