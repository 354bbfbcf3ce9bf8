"""Every kind of run of the paper on its real network and image shape: builds, trains, is interrupted, goes on."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import typed
from safetensors.numpy import load_file

from atebm.config.training import Run, TrainStep
from atebm.pipeline.job import Job, record_of
from atebm.training import loop
from atebm.training.resumable import Resumable
from atebm.training.trainer import Trainer
from atebm.utils.hashing import canonical, sealed

CPU = torch.device("cpu")
SIZES = {"resnet50": 32, "discriminator256": 256}
PARAMETERS = {"resnet50": 23_520_842 - 9 * 2049, "discriminator256": 20_851_777}  # with one output


def kinds_of_run() -> dict[str, Run]:
    """One run of config.yaml at scale paper per distinct (network, objective, optimiser)."""
    kinds: dict[tuple[str, ...], tuple[str, Run]] = {}
    for name, run in typed("paper").runs.items():
        kinds.setdefault((run.network.name, run.objective, run.optimizer.name), (name, run))
    return dict(kinds.values())


def write_job(root: Path, name: str, run: Run, **changes: Any) -> Job:
    """A `train` job on four synthetic images a set, in the run's real shape."""
    size, random = SIZES[run.network.name], np.random.default_rng(0)
    parents = {}
    for role in ("p_data", "p_0", *(["held_out"] if run.objective == "outlier_exposure" else [])):
        folder = root / f"work/data/{role}-00000000"
        folder.mkdir(parents=True)
        np.save(folder / "images.npy", random.integers(256, size=(4, size, size, 3), dtype=np.uint8))
        np.save(folder / "labels.npy", np.arange(4))
        (folder / "set.json").write_text(sealed({"set": role, "classes": [str(label) for label in range(10)]}))
        parents[role] = f"data/{folder.name}"
    settings = {"seed": 0, **run.model_dump(mode="json", exclude={"task", "weights", "init"}), **changes}
    spec = {"kind": "train", "name": name, "revision": 1, "settings": settings, "parents": parents}
    path = root / f"work/specs/train/{name}-00000000.json"
    path.parent.mkdir(parents=True)
    path.write_text(canonical(spec))
    return Job(path)


def short(run: Run) -> dict[str, Any]:
    """Two iterations of one image, with every step of the method in them."""
    attack = run.in_attack and run.in_attack.model_dump() | {"steps": 1}
    schedule = run.schedule.model_dump() | {"K_start": 1, "K_max": 1, "iterations": 2}
    return {"batch_size": 1, "schedule": schedule, "in_attack": attack, "monitor": None}


ONE_PER_NETWORK = {run.network.name: (name, run) for name, run in reversed(kinds_of_run().items())}


@pytest.mark.parametrize(("name", "run"), ONE_PER_NETWORK.values(), ids=list(ONE_PER_NETWORK))
def test_each_network_trains(name, run, tmp_path):
    """For an iteration, to weights that are finite and have moved."""
    changes, size = short(run), SIZES[run.network.name]
    job = write_job(tmp_path, name, run, **changes | {"schedule": changes["schedule"] | {"iterations": 1}})
    start = dict(loop.first_model(job, TrainStep(**job.settings), (3, size, size)).named_parameters())
    loop.train(job, CPU)
    assert record_of(job.folder)["parameters"] == PARAMETERS[run.network.name]
    weights = load_file(job.folder / "last.safetensors")
    assert all(np.isfinite(weights[name]).all() for name in start)
    assert all(not np.array_equal(weights[name], start[name].detach()) for name in start)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "run"), kinds_of_run().items(), ids=list(kinds_of_run()))
def test_every_kind_of_run_trains_and_resumes(name, run, tmp_path, monkeypatch):
    monkeypatch.setattr(Resumable, "every", 1)
    job, again = (write_job(tmp_path / where, name, run, **short(run)) for where in ("whole", "interrupted"))
    loop.train(job, CPU)
    record = record_of(job.folder)
    more = 9 * 2049 if run.objective == "outlier_exposure" else 0  # outputs for all classes
    assert record["iterations"] == 2 and record["parameters"] == PARAMETERS[run.network.name] + more
    step, seen = Trainer.step, []

    def once(trainer):
        if seen:
            raise KeyboardInterrupt
        seen.append(trainer.iteration)
        step(trainer)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Trainer, "step", once)
        loop.train(again, CPU)
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "step", lambda trainer: seen.append(trainer.iteration) or step(trainer))
        loop.train(again, CPU)
    assert seen == [0, 1]
    weights, resumed = (load_file(each.folder / "last.safetensors") for each in (job, again))
    assert all(np.array_equal(resumed[name], weights[name]) for name in weights)
    assert json.loads((again.folder / "run.json").read_text())["files"] == record["files"]

    size = SIZES[run.network.name]
    start = dict(loop.first_model(job, TrainStep(**job.settings), (3, size, size)).named_parameters())
    moved = {name for name in start if not np.array_equal(weights[name], start[name].detach())}
    still = {"network.head.bias"} if run.objective == "max_likelihood" else set()  # f's level cancels in Eq. 2
    assert moved == set(start) - still, "a weight that f depends on was not trained"
