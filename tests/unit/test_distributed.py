"""Several processes of one run do what one does."""

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import job_of, run
from safetensors.numpy import load_file

from atebm.pipeline.job import Job, record_of
from atebm.training.distributed import Group
from atebm.utils.errors import ConfigError

WORKER = str(Path(__file__).with_name("two_processes.py"))
TORCHRUN = ("python", "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
OPTIONS = {
    "augment": {"p_data": {"name": "crop_flip"}, "p_0": {"name": "crop_flip"}},
    "in_attack": {"steps": 2, "step_size": 0.1, "eps": 0.25},
    "schedule": {"K_start": 2, "iterations": 3, "auc_advance": 0.5},
    "monitor": {"every": 2},
    "average": None,
    "r1": 0.5,
}


def copied(job: Job, root: Path) -> Job:
    """The same job in another work/ folder, so that two of them share nothing."""
    shutil.copytree(job.work, root / "work", ignore=shutil.ignore_patterns("train", "checkpoints", "locks"))
    write = root / job.spec_file.relative_to(job.work.parent)
    write.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(job.spec_file, write)
    return Job(write)


def test_two_processes_equal_one(smoke, tmp_path):
    """In float64, where only the order of sums differs: every weight, and the monitor's distances."""
    jobs = [copied(job_of(smoke, **OPTIONS), tmp_path / name) for name in ("one", "two")]
    for job, command in zip(jobs, (("python",), TORCHRUN), strict=True):
        finished = run(tmp_path, *command, WORKER, str(job.spec_file))
        assert finished.returncode == 0, finished.stdout + finished.stderr
    one, two = (load_file(job.folder / "last.safetensors") for job in jobs)
    for name in one:
        assert one[name].dtype == np.float64
        np.testing.assert_allclose(two[name], one[name], rtol=1e-9, atol=1e-12)
    distances = [pd.read_csv(job.folder / "monitor.csv") for job in jobs]
    pd.testing.assert_frame_equal(*distances, rtol=1e-9)
    assert len(distances[0]) == 4  # two sampler lengths, after iterations 2 and 3
    assert [record_of(job.folder)["iterations"] for job in jobs] == [3, 3]


@pytest.mark.slow
def test_sigterm_stops_both_at_the_same_iteration(smoke, tmp_path):
    """torchrun hands it to both, at different iterations of theirs; the state is saved once they agree on one."""
    options = {**OPTIONS, "schedule": {"K_start": 2, "iterations": 9000}, "monitor": {"every": 9000}}
    job = copied(job_of(smoke, **options), tmp_path / "stopped")
    command = (sys.executable, *TORCHRUN[1:], WORKER, str(job.spec_file))
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if "train cifar10 seed 0:" in line:  # its first line of progress
            break
    time.sleep(1)
    process.send_signal(signal.SIGTERM)
    process.communicate()
    assert process.returncode != 0 and not (job.folder / "run.json").exists()
    import torch

    from atebm.training.checkpoint import load_state
    from atebm.training.signals import ASK_EVERY

    stopped = (load_state(job.checkpoints, torch.device("cpu")) or {"iteration": 0})["iteration"]
    assert 0 < stopped < 9000 and stopped % ASK_EVERY == 0


def test_batches_are_dealt_out_evenly():
    rows = [Group(rank, 4).rows(12) for rank in range(4)]
    assert [list(part) for part in rows] == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 10, 11]]
    with pytest.raises(
        ConfigError, match="a batch of 32 cannot be divided evenly among 3 processes: change gpus_per_run"
    ):
        Group(0, 3).rows(32)
