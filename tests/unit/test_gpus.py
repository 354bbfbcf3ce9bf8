"""Jobs that share a machine's GPUs see one each: with names of GPUs that need not exist."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from atebm.device.gpus import gpus

TAKE = "import os, sys; from atebm.device.gpus import take_gpu; take_gpu(); "
TAKE += "print(os.environ.get('CUDA_VISIBLE_DEVICES'), flush=True)"
HOLD = TAKE + "; sys.stdin.read()"


@pytest.fixture(autouse=True)
def three(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,GPU-ab/c,5")
    monkeypatch.setenv("TMPDIR", str(tmp_path))


@contextmanager
def job(code: str = HOLD) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The GPU that a process sees, and the process, which holds it until the block ends."""
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip(), process
    finally:
        process.communicate()


def test_each_job_sees_another_gpu_and_more_jobs_share_them_evenly():
    with job() as (a, _), job() as (b, _), job() as (c, _):
        assert {a, b, c} == {"2", "GPU-ab/c", "5"}
        with job() as (d, _), job() as (e, _), job() as (f, _):
            assert {d, e, f} == {"2", "GPU-ab/c", "5"}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_killed_job_gives_its_gpu_back(number):
    with job() as (first, _), job() as (second, killed), job() as (third, _):
        killed.send_signal(number)
        killed.wait()
        with job() as (again, _):
            assert again == second and again not in (first, third)


def test_what_a_job_starts_sees_its_gpu():
    child = "import os, subprocess, sys; from atebm.device.gpus import take_gpu; take_gpu(); "
    child += f"subprocess.run([sys.executable, '-c', {TAKE!r}])"
    with job() as (first, _), job(child) as (second, _):
        assert second and second != first


@pytest.mark.parametrize("visible", ["", "7"])
def test_where_there_is_no_choice_nothing_is_locked(monkeypatch, visible, tmp_path):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    with job() as (a, _), job() as (b, _):
        assert a == b == visible
    assert not list(tmp_path.iterdir())


def test_without_a_list_of_visible_gpus_those_of_the_driver_count(monkeypatch, tmp_path):
    command = tmp_path / "nvidia-smi"
    command.write_text("#!/bin/sh\necho 'GPU 0: A (UUID: GPU-1)'\necho 'GPU 1: A (UUID: GPU-2)'\n")
    command.chmod(0o755)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert gpus() == ["0", "1"]
    command.unlink()
    assert gpus() == []
