"""Faults of the machine that a step runs on: a full disk, one that became read-only, too little memory."""

import errno
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
from conftest import job_of, run

from atebm.cli import app
from atebm.cli.fork_server import SERVER
from atebm.detection import attack_step
from atebm.pipeline.job import Job
from atebm.sampling import sample
from atebm.training import classifier, loop, resumable
from atebm.training.checkpoint import STATE, STATES
from atebm.training.trainer import Trainer
from atebm.utils.errors import DataError
from atebm.utils.files import room

MANIFEST_REQUEST = "work/specs/artifact/manifest.json"
PAGE = 4096  # of a tmpfs, whose files fill whole ones
COMMANDS = {  # of the step's spec and a place for another product
    "train": lambda spec, out: ["step", spec],
    "sample": lambda spec, out: ["step", spec, "--shard", "0-of-1", "--out", out],
    "features": lambda spec, out: ["step", spec],
    "metric": lambda spec, out: ["step", spec],
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
    full_or_too_small = ("no space left", "is full", "bytes left")
    assert any(words in sentence for words in full_or_too_small) and "Make room" in sentence, full.stderr
    assert ("bytes left" in sentence) == (kind in ("train", "sample", "features")), "work was begun that could be lost"
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
    refused = run(spec.parent, sys.executable, "-m", "atebm", "step", str(spec))
    assert refused.returncode == 1 and "Traceback" not in refused.stderr, refused.stderr
    assert "Read-only file system. Make it readable and writable" in refused.stderr


def test_space_is_asked_for_before_there_is_work_to_lose(tmp_path):
    free, begun = shutil.disk_usage(tmp_path).free, []
    with room(tmp_path / "images.npy", free // 2):
        begun.append("half")
    with room(tmp_path / "images.npy", 2 * free, there=free + free // 2):  # of an earlier, interrupted run
        begun.append("the rest")
    sentence = r"bytes left: images\.npy needs [\d,]+ bytes\. Make room and repeat the command\. It goes on\.$"
    with pytest.raises(DataError, match=sentence), room(tmp_path / "images.npy", 2 * free, "It goes on."):
        begun.append("all")
    assert begun == ["half", "the rest"]


def test_a_training_asks_for_the_space_that_it_takes(smoke, monkeypatch):
    asked = []

    def recorded(path, size, then, there):
        asked.append((size, there))
        return room(path, size, then, there)

    network = {"name": "small", "width": 64, "mean": [0.3], "std": [0.35]}  # whose numbers outweigh their names
    job = job_of(smoke, network=network, schedule={"iterations": 40})
    monkeypatch.setattr(resumable, "room", recorded)
    monkeypatch.setattr(shutil, "rmtree", lambda *_, **__: None)  # the states stay, to be weighed
    loop.train(job, torch.device("cpu"))
    taken = STATES * (job.checkpoints / STATE).stat().st_size + sum(
        file.stat().st_size for file in job.folder.iterdir()
    )
    ((size, there),) = asked
    assert there == 0 and 0.97 * size < taken < 1.1 * size


@pytest.mark.parametrize("module", [loop, classifier])
def test_a_training_without_room_does_not_begin(smoke, module, monkeypatch):
    root, plan = smoke
    job = job_of(smoke, schedule={"iterations": 41}) if module is loop else Job(root / plan.extractor().spec_file)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9 - 1000, 1000))
    for trainer in (Trainer, classifier.ClassifierTrainer):
        monkeypatch.setattr(trainer, "step", lambda _: pytest.fail("it began"))
    train = loop.train if module is loop else classifier.train_classifier
    with pytest.raises(
        DataError, match=r"has only 1,000 bytes left: .* needs [\d,]+ bytes\. Make room.* Training will resume from"
    ):
        train(job, torch.device("cpu"))


def test_a_disk_that_fills_up_during_a_training_costs_no_more_than_the_last_state(smoke, monkeypatch):
    job, save = job_of(smoke, schedule={"iterations": 60}), resumable.save_state

    def full(state, folder):
        if state["iteration"] > 20:
            raise OSError(errno.ENOSPC, "No space left on device")
        save(state, folder)

    with (
        monkeypatch.context() as patch,
        pytest.raises(DataError, match=r"the disk of .* is full: .* Training will resume"),
    ):
        patch.setattr(resumable, "save_state", full)
        loop.train(job, torch.device("cpu"))
    assert left_in(job.checkpoints) == [STATE] and left_in(job.folder) == []
    seen, step = [], Trainer.step
    monkeypatch.setattr(Trainer, "step", lambda trainer: seen.append(trainer.iteration) or step(trainer))
    loop.train(job, torch.device("cpu"))
    assert seen == list(range(20, 60)) and job.done


@pytest.fixture
def of_another_user(computed, tmp_path, monkeypatch) -> Iterator[tuple[Path, list[str]]]:
    """A computed checkout without Table 2, whose results/ belong to somebody else; and what commands begin with there.

    Modes mean nothing to root, so root goes without the right to override them.
    """
    monkeypatch.delenv(SERVER)  # which has all rights
    folder = Path(shutil.copytree(computed, tmp_path / "checkout"))
    for path in (folder / "results").rglob("table2.*"):
        path.unlink()
    places = [folder / "results", *(path for path in (folder / "results").rglob("*") if path.is_dir())]
    if os.geteuid() != 0:
        for place in places:
            place.chmod(0o555)
        yield folder, []
        for place in places:
            place.chmod(0o755)
        return
    rights = "-dac_override,-dac_read_search,-fowner"
    without = ["setpriv", f"--bounding-set={rights}", f"--inh-caps={rights}"]
    if shutil.which("setpriv") is None or run(folder, *without, "true").returncode:
        pytest.skip("this root cannot give up rights")
    for place in places:
        os.chown(place, 65534, 65534)  # nobody
    yield folder, without


def test_results_of_another_user_are_one_sentence(of_another_user):
    folder, without = of_another_user
    before = {path: path.read_bytes() for path in (folder / "results").rglob("*") if path.is_file()}
    places = ["work/specs/artifact/table2.json", "notebooks/table2.ipynb", "logs/table2.ipynb", "results/table2.csv"]
    drawn = run(folder, *without, sys.executable, "-m", "atebm", "render", *places)
    sentence = (
        "error: results: Permission denied. Make it readable and writable for this user and repeat the command.\n"
    )
    assert (drawn.returncode, drawn.stderr) == (1, sentence)
    described = run(folder, *without, sys.executable, "-m", "atebm", "manifest", "results", MANIFEST_REQUEST)
    assert described.returncode == 1 and described.stderr.startswith("error: results/"), described.stderr
    assert "Permission denied. Make it" in described.stderr and described.stderr.count("\n") == 1
    workflow = run(folder, *without, "snakemake", "--cores", "1", "results/table2.csv")
    assert workflow.returncode == 1
    assert sentence in (folder / "logs/render/table2.log").read_text()
    assert {path: path.read_bytes() for path in (folder / "results").rglob("*") if path.is_file()} == before


@pytest.mark.usefixtures("double_precision")  # in which half a batch rounds as a whole one does, to 12 digits
@pytest.mark.parametrize("kind", ["sample", "attack"])
def test_a_batch_that_a_gpu_has_no_memory_for_is_halved(kind, computed, tmp_path, monkeypatch, capsys):
    """The log says so, and the images are the same ones; the allocator is a stand-in for a GPU's."""
    module, name, compute = {
        "sample": (sample, "sampler", sample.sample_shard),
        "attack": (attack_step, "attacks", attack_step.attack_shard),
    }[kind]
    monkeypatch.chdir(computed)
    specs = sorted(Path(f"work/specs/{kind}").glob("cifar10*.json"))
    job = next(job for job in map(Job, specs) if job.done)  # of what claims alone ask for, there are specs alone
    compute(job, "0-of-1", tmp_path / "whole.npz", torch.device("cpu"))
    work, sizes = getattr(module, name), []

    def in_little_memory(f, x, *rest):
        sizes.append(len(x))
        if len(x) > 8:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return work(f, x, *rest)

    monkeypatch.setattr(module, name, in_little_memory)
    compute(job, "0-of-1", tmp_path / "halved.npz", torch.device("cpu"))
    assert max(sizes) > 8 and "it and later batches are halved" in capsys.readouterr().out
    whole, halved = (np.load(tmp_path / f"{name}.npz") for name in ("whole", "halved"))
    assert set(whole) == set(halved)
    for array in whole:
        if whole[array].dtype.kind == "f":
            np.testing.assert_allclose(halved[array], whole[array], rtol=1e-6, atol=1e-6)
        else:
            assert np.array_equal(halved[array], whole[array]), array


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), "lower batch_size"),
        (MemoryError("Unable to allocate 3 TiB"), "this machine does not have enough memory"),
        (OSError("8192 requested and 0 written"), "no space left"),
    ],
    ids=["GPU", "memory", "numpy"],
)
def test_what_the_machine_lacks_is_said_in_a_sentence(error, says, monkeypatch, capsys):
    def fails(**_: object) -> None:
        raise error

    monkeypatch.setattr(app, "app", fails)
    with pytest.raises(SystemExit) as ended:
        app.main()
    printed = capsys.readouterr().err
    assert ended.value.code == 1 and printed.startswith("error: ") and says in printed and printed.count("\n") == 1


def test_other_errors_keep_their_traceback(monkeypatch):
    def fails(**_: object) -> None:
        raise RuntimeError("a mistake of the program's")

    monkeypatch.setattr(app, "app", fails)
    with pytest.raises(RuntimeError, match="a mistake"):
        app.main()
