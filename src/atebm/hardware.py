"""What a measurement of time was made on."""

import platform
from pathlib import Path

import torch


def described(device: torch.device) -> str:
    """The GPU's name, or the CPU's."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return cpu_facts().get("model name", platform.processor() or platform.machine())


def cpu_facts() -> dict[str, str]:
    """What Linux says of the CPU; empty elsewhere."""
    file = Path("/proc/cpuinfo")
    lines = (line.split(":", 1) for line in file.read_text().splitlines() if ":" in line) if file.exists() else ()
    return {key.strip(): value.strip() for key, value in lines}
