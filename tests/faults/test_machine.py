"""Faults of the machine that a step runs on: a full disk, one that became read-only, too little memory."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import run

from atebm import cli
from atebm.errors import DataError
from atebm.files import require_space
from atebm.job import Job

PAGE = 4096  # of a tmpfs, whose files fill whole ones
COMMANDS = {  # of the step's spec and a place for another product
    "train": lambda spec, out: ["train", spec],
    "sample": lambda spec, out: ["sample", spec, "0-of-1", out],
    "features": lambda spec, out: ["features", spec],
    "metric": lambda spec, out: ["metric", spec],
}


@pytest.fixture
def disk(tmp_path) -> Iterator[Callable[[str], Path]]:
    """A function that mounts a small disk, or mounts it anew, with such options; returns where."""
    place = tmp_path / "disk"

    def mount(options: str) -> Path:
        place.mkdir(exist_ok=True)
        again = ["remount", options] if place.is_mount() else [options]
        mounted = run(tmp_path, "mount", "-t", "tmpfs", "-o", ",".join(again), "tmpfs", str(place))
        if mounted.returncode:
            pytest.skip(f"no small disk can be mounted here: {mounted.stderr.strip()}")
        return place

    if os.geteuid() != 0:
        pytest.skip("only root mounts a small disk")
    yield mount
    if place.is_mount():
        subprocess.run(["umount", place], check=True)


def copied(computed: Path, kind: str, disk: Callable[[str], Path]) -> tuple[Path, Path]:
    """A step's spec, and all that it reads, on a disk with no room for more than a lock; and where it was computed."""
    spec = sorted(computed.glob(f"work/specs/{kind}/cifar10*.json"))[0]
    parents = [Path("work") / step for step in json.loads(spec.read_text())["parents"].values()]
    files = [spec, *(file for parent in parents for file in (computed / parent).iterdir())]
    pages = sum(-(-file.stat().st_size // PAGE) for file in files)
    place = disk(f"size={PAGE * (pages + 1)}")
    for file in files:
        target = place / file.relative_to(computed)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
    return place / spec.relative_to(computed), computed / "work" / kind / spec.stem


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("kind", COMMANDS)
def test_a_full_disk_is_one_sentence_and_with_room_the_bytes_are_the_same(kind, computed, disk):
    spec, before = copied(computed, kind, disk)
    job, out = Job(spec), spec.parent / "out.npz"
    command = [sys.executable, "-m", "atebm", *map(str, COMMANDS[kind](spec, out))]
    full = run(spec.parent, *command)
    assert full.returncode == 1, full.stdout + full.stderr
    (sentence,) = [line for line in full.stderr.splitlines() if line.startswith("error: ")]
    assert ("no space left" in sentence or "bytes left" in sentence) and "Make room" in sentence, full.stderr
    assert "Traceback" not in full.stderr
    assert not out.exists() and left_in(job.folder) == [] and left_in(job.checkpoints) == []
    disk("size=100m")
    again = run(spec.parent, *command)
    assert again.returncode == 0, again.stdout + again.stderr
    if kind == "sample":
        assert np.array_equal(np.load(out)["images"], np.load(before / "images.npy"))
    else:
        assert {path.name: path.read_bytes() for path in job.folder.iterdir()} == {
            path.name: path.read_bytes() for path in before.iterdir()
        }


def test_a_disk_that_cannot_be_written_is_one_sentence(computed, disk):
    spec, _ = copied(computed, "metric", disk)
    disk("ro")
    refused = run(spec.parent, sys.executable, "-m", "atebm", "metric", str(spec))
    assert refused.returncode == 1 and "Traceback" not in refused.stderr, refused.stderr
    assert "Read-only file system. Make it readable and writable" in refused.stderr


def test_space_is_asked_for_before_there_is_work_to_lose(tmp_path):
    free = shutil.disk_usage(tmp_path).free
    require_space(tmp_path / "images.npy", free // 2)
    with pytest.raises(DataError, match=r"bytes left: images\.npy needs .*\. Make room"):
        require_space(tmp_path / "images.npy", 2 * free)


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), "Lower batch_size"),
        (MemoryError("Unable to allocate 3 TiB"), "this machine has not the memory"),
        (OSError("8192 requested and 0 written"), "no space left"),
    ],
    ids=["GPU", "memory", "numpy"],
)
def test_what_the_machine_lacks_is_said_in_a_sentence(error, says, monkeypatch, capsys):
    def fails(**_: object) -> None:
        raise error

    monkeypatch.setattr(cli, "app", fails)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    printed = capsys.readouterr().err
    assert ended.value.code == 1 and printed.startswith("error: ") and says in printed and printed.count("\n") == 1


def test_other_errors_keep_their_traceback(monkeypatch):
    def fails(**_: object) -> None:
        raise RuntimeError("a mistake of the program's")

    monkeypatch.setattr(cli, "app", fails)
    with pytest.raises(RuntimeError, match="a mistake"):
        cli.main()
