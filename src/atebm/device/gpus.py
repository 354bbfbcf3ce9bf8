"""The choice of a GPU for a job if several jobs share a machine. Imports no torch: CUDA must not be initialised yet."""

import itertools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from ..utils.locks import try_lock

VISIBLE = "CUDA_VISIBLE_DEVICES"


def gpus() -> list[str]:
    """Return the numbers or names of the GPUs that this process may use, as in CUDA_VISIBLE_DEVICES."""
    visible = os.environ.get(VISIBLE)
    if visible is not None:
        return [name for name in visible.split(",") if name]
    if not shutil.which("nvidia-smi"):
        return []
    listed = subprocess.run(["nvidia-smi", "--list-gpus"], capture_output=True, text=True, check=False)
    return [str(number) for number, line in enumerate(listed.stdout.splitlines()) if line.startswith("GPU")]


def take_gpu() -> None:
    """Let this process, and those that it starts, see only the GPU that the fewest other jobs have taken.

    Snakemake counts GPUs (`--resources gpu=4`) but does not assign them, so all jobs would compute on the first one. A
    lock holds the place until the process ends.
    """
    names = gpus()
    if len(names) < 2:
        return
    folder = Path(tempfile.gettempdir()) / f"atebm-gpus-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    for place, name in ((place, name) for place in itertools.count() for name in names):
        descriptor = os.open(folder / f"{name.replace('/', '_')}.{place}.lock", os.O_CREAT | os.O_RDWR, 0o600)
        if try_lock(descriptor):  # stays open: the kernel closes it when the process ends
            os.environ[VISIBLE] = name
            return
        os.close(descriptor)
