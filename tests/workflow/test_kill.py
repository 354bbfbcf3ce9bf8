"""kill -9 of a whole workflow, at random moments: nothing is half-written, and a re-run ends in the same bytes.

The moments are others in each session of tests, whose first lines say which: KILL_SEED in the environment repeats them.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import run, seldom, snakemake

from atebm.cli.fork_server import SERVER

KILLS = {"once": 1, "often": int(os.environ.get("KILLS", 2))}  # of each phase; `make soak` wants more
PHASES = {  # what is removed and asked for again, the log that says that it began, and how many seconds it may take
    "train": ("work/train/cifar10-*/*", "logs/train/*.log", 2.0),
    "sample": ("work/sample/cifar10.*/*", "logs/sample/*.0-of-1.log", 1.5),
    "climb": ("work/ascent/celebahq256_trajectory*/*", "logs/ascent/*.log", 1.2),
    "detect": ("work/attack/cifar10_ood-*/*", "logs/attack/*.0-of-1.log", 2.0),
    "score": ("work/*/cifar10.best.*/metric.json", "logs/metric/*.log", 1.0),
    "render": ("results/[np]*/*2.*", "logs/render/*.log", 4.0),
}


@pytest.mark.parametrize("kills", seldom(KILLS, often=["once"]))
@pytest.mark.parametrize("phase", PHASES)
def test_after_kill_9_a_rerun_ends_in_the_same_bytes(phase, kills, computed, tmp_path):
    files, log, seconds = PHASES[phase]
    folder = Path(shutil.copytree(computed, tmp_path / "checkout"))
    wanted = products(folder)
    targets = sorted(str(path.relative_to(folder)) for path in folder.glob(files))
    moments, killed = random.Random(f"{os.environ['KILL_SEED']} {phase} {kills}"), 0
    for _ in range(3 * kills + 6):
        if killed == kills:
            break
        for name in targets:
            (folder / name).unlink()
        shutil.rmtree(folder / "logs")
        killed += kill_during(folder, targets, log, moments.uniform(0, seconds))
        there = products(folder)
        assert [name for name in there if there[name] != wanted.get(name)] == [], "half-written"
        assert snakemake(folder, "--unlock").returncode == 0
        finished = snakemake(folder, *targets)
        assert finished.returncode == 0, finished.stdout + finished.stderr
        after = products(folder)
        assert [name for name in wanted if after.get(name) != wanted[name]] == []
        left_over = [path for top in ("work", "results") for path in (folder / top).rglob(".[0-9]*")]
        assert left_over == [], "temporary files remain"
    assert killed == kills, "it was done too soon, too often"


def kill_during(folder: Path, targets: list[str], log: str, seconds: float) -> bool:
    """Start the workflow and kill it with all its jobs, so many seconds after the first log of the phase appears.

    Returns whether it was at work until then.
    """
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = ["snakemake", "--cores", "2", *targets]
    with subprocess.Popen(
        command, cwd=folder, env={**os.environ, "PATH": path}, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as workflow:  # fmt: skip
        while not list(folder.glob(log)) and workflow.poll() is None:
            time.sleep(0.05)
        time.sleep(seconds)
        if workflow.poll() is not None:
            assert workflow.returncode == 0, "the targets are none of the workflow's"
            return False
        os.killpg(workflow.pid, signal.SIGKILL)
        return True


def products(folder: Path) -> dict[str, bytes]:
    """All final files: not shards, nor what holds seconds, nor requests, which hold when they came."""
    paths = [path for top in ("work", "results") for path in (folder / top).rglob("*") if path.is_file()]
    names = {str(path.relative_to(folder)): path for path in paths if not path.name.startswith(".")}
    other = ("work/specs/artifact/", "work/checkpoints/", "work/locks/", "results/manifest.json", "results/index.html")
    return {
        name: path.read_bytes()
        for name, path in names.items()
        if not name.startswith(other) and "-of-" not in path.name
    }


@pytest.fixture
def unserved(monkeypatch) -> None:
    """Jobs are the processes that are started here, and no forks of others."""
    monkeypatch.delenv(SERVER)


def test_sigterm_saves_and_a_rerun_goes_on(computed, tmp_path, unserved):
    folder = Path(shutil.copytree(computed, tmp_path / "checkout"))
    wanted = products(folder)
    spec, trained = without_training(folder)
    training = start_training(folder, spec)
    training.send_signal(signal.SIGTERM)
    output, _ = training.communicate()
    assert training.returncode == 128 + signal.SIGTERM, output
    assert "stopped at iteration" in output and "Traceback" not in output
    assert list(folder.glob("work/checkpoints/train/*/state.pt")) and not (trained / "run.json").exists()
    assert run(folder, sys.executable, "-m", "atebm", "step", str(spec)).returncode == 0
    assert products(folder) == wanted


def test_an_orphan_and_a_rerun_never_write_together(computed, tmp_path, unserved):
    """The second waits, says for whom, and takes over where the first, once killed, had stopped."""
    folder = Path(shutil.copytree(computed, tmp_path / "checkout"))
    wanted = products(folder)
    spec, trained = without_training(folder)
    orphan = start_training(folder, spec)
    orphan.send_signal(signal.SIGSTOP)
    rerun = subprocess.Popen(
        [sys.executable, "-m", "atebm", "step", str(spec)],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert f"process {orphan.pid} on" in (rerun.stdout.readline() if rerun.stdout else "")
    time.sleep(1)
    assert rerun.poll() is None and not list(trained.glob("*"))
    orphan.kill()
    orphan.communicate()
    output, _ = rerun.communicate()
    assert rerun.returncode == 0, output
    assert products(folder) == wanted


@pytest.mark.slow
def test_a_rerun_that_waited_for_an_orphan_to_finish_does_not_train_again(computed, tmp_path, unserved):
    folder = Path(shutil.copytree(computed, tmp_path / "checkout"))
    wanted = products(folder)
    spec, _ = without_training(folder)
    orphan = start_training(folder, spec)
    orphan.send_signal(signal.SIGSTOP)
    command = [sys.executable, "-m", "atebm", "step", str(spec)]
    rerun = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    waits = rerun.stdout.readline() if rerun.stdout else ""
    assert f"process {orphan.pid} on" in waits
    orphan.send_signal(signal.SIGCONT)
    orphan.communicate()
    output, _ = rerun.communicate()
    assert rerun.returncode == 0 and "seed 0" not in output, output
    assert products(folder) == wanted


def without_training(folder: Path) -> tuple[Path, Path]:
    """Forget one training; returns its spec and where it was."""
    (spec,) = folder.glob("work/specs/train/cifar10-*.json")
    trained = folder / "work/train" / spec.stem
    shutil.rmtree(trained)
    return spec, trained


def start_training(folder: Path, spec: Path) -> subprocess.Popen[str]:
    """The training of a spec, in its first iterations."""
    command = [sys.executable, "-u", "-m", "atebm", "step", str(spec)]
    training = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    lines = iter(training.stdout.readline, "") if training.stdout else iter(())
    assert any("20/40" in line for line in lines), "it ended before iteration 20"
    return training
