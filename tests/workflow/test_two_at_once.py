"""Two workflows in one checkout, and a workflow whose Snakemake was killed while its jobs went on.

Jobs are held (SIGSTOP) while another workflow looks at the same checkout, so that nothing here depends on speed.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import run
from test_kill import products, without_training

from atebm.cli.fork_server import SERVER

LONG = 120  # seconds that anything here may take


@pytest.fixture
def folder(computed, tmp_path, monkeypatch) -> Path:
    """A computed checkout whose jobs are processes that are started here, and no forks of others."""
    monkeypatch.delenv(SERVER)
    return Path(shutil.copytree(computed, tmp_path / "checkout"))


@pytest.fixture
def started(folder) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """A function that starts a command in the checkout, in a session of its own, which ends with the test."""
    path, running = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", []

    def start(*command: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            command, cwd=folder, env={**os.environ, "PATH": path}, start_new_session=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        running.append(process)
        return process

    yield start
    for process in running:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
        process.communicate()


def until(happens: Callable[[], object]) -> None:
    end = time.monotonic() + LONG
    while not happens():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.02)


def text(log: Path) -> str:
    """What is in a log; Snakemake removes it before the next job writes it."""
    try:
        return log.read_text()
    except FileNotFoundError:
        return ""


def held_training(folder: Path, spec: Path) -> int:
    """Wait until a training of the spec is under way, and stop the clock for it; returns its process."""
    lock = folder / f"work/locks/train/{spec.stem}.lock"
    lock.unlink(missing_ok=True)
    until(lambda: lock.exists() and lock.read_text().startswith("process "))
    process = int(lock.read_text().split()[1])
    until(lambda: "20/40" in text(folder / f"logs/train/{spec.stem}.log"))
    os.kill(process, signal.SIGSTOP)
    return process


def wanted_of(folder: Path) -> tuple[dict[str, bytes], Path, Path]:
    """All products; and the spec and the folder of a training, which is forgotten."""
    wanted = products(folder)
    spec, trained = without_training(folder)
    shutil.rmtree(folder / "logs")
    return wanted, spec, trained


@pytest.mark.slow
def test_a_second_snakemake_is_refused_and_the_first_ends_in_the_same_bytes(folder, started):
    wanted, spec, trained = wanted_of(folder)
    target = str((trained / "run.json").relative_to(folder))
    first = started("snakemake", "--cores", "1", target)
    job = held_training(folder, spec)
    second = run(folder, "snakemake", "--cores", "1", target)
    said = second.stdout + second.stderr
    assert second.returncode == 1 and "LockException" in said and "--unlock" in said, said
    assert "Traceback" not in said and not list(trained.glob("[!.]*")), "something was begun, or stands there half"
    os.kill(job, signal.SIGCONT)
    output, _ = first.communicate(timeout=LONG)
    assert first.returncode == 0, output
    assert products(folder) == wanted


@pytest.mark.parametrize("second", [pytest.param("snakemake --nolock", marks=pytest.mark.slow), "atebm step"])
def test_of_two_that_compute_one_training_the_second_waits_and_takes_it_over(folder, started, second):
    wanted, spec, trained = wanted_of(folder)
    target = str((trained / "run.json").relative_to(folder))
    first = started("snakemake", "--cores", "1", target)
    job = held_training(folder, spec)
    log = folder / f"logs/train/{spec.stem}.log"  # of both Snakemakes: the second begins it anew
    if second == "atebm step":
        other = started(sys.executable, "-m", "atebm", "step", str(spec))
        waits = other.stdout.readline() if other.stdout else ""
    else:
        other = started("snakemake", "--nolock", "--cores", "1", target)
        until(lambda: "waiting for" in text(log))
        waits = text(log)
    assert f"waiting for {spec.stem}: process {job} on" in waits
    assert other.poll() is None and not list(trained.glob("[!.]*"))
    os.kill(job, signal.SIGCONT)
    for process in (first, other):
        output, _ = process.communicate(timeout=LONG)
        assert process.returncode == 0, output
    assert products(folder) == wanted


@pytest.mark.slow
def test_after_kill_9_of_snakemake_alone_its_orphan_is_waited_for(folder, started):
    """The job goes on, and the next workflow, once unlocked, neither writes beside it nor trains again."""
    wanted, spec, trained = wanted_of(folder)
    target = str((trained / "run.json").relative_to(folder))
    killed = started("snakemake", "--cores", "1", target)
    orphan = held_training(folder, spec)
    killed.kill()
    killed.wait()
    os.kill(orphan, 0)  # it is there
    refused = run(folder, "snakemake", "--cores", "1", target)
    assert refused.returncode == 1 and "--unlock" in refused.stdout + refused.stderr
    assert run(folder, "snakemake", "--unlock").returncode == 0
    log = folder / f"logs/train/{spec.stem}.log"
    again = started("snakemake", "--cores", "1", target)
    until(lambda: "waiting for" in text(log))
    assert not list(trained.glob("[!.]*")) and again.poll() is None
    os.kill(orphan, signal.SIGCONT)
    output, _ = again.communicate(timeout=LONG)
    assert again.returncode == 0, output
    assert "seed 0" not in text(log), "it trained again what its orphan had finished"
    assert products(folder) == wanted
