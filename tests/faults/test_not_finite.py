"""NaN and infinities: no checkpoint ever holds them, and a sentence says where they came up and what to do."""

import io
import os
import signal
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from conftest import job_of, planned, write_specs

from atebm.evaluation import features
from atebm.pipeline.job import Job
from atebm.pipeline.kinds import FILES
from atebm.training import checkpoint, classifier, loop, resumable
from atebm.training.checkpoint import DIGEST, FORMER, STATE, finite
from atebm.training.classifier import ClassifierTrainer
from atebm.training.resumable import Resumable
from atebm.training.trainer import Trainer
from atebm.utils.errors import ResultError

CPU = torch.device("cpu")
NAN, INFINITY = float("nan"), float("inf")
CHANGES = {"schedule": {"iterations": 60}, "monitor": {"every": 20}, "optimizer": {"lr": 1e-3}}
GOES_ON = (
    r"train cifar10 seed 0 diverged by iteration {} .* Lower optimizer.lr or raise r1.* resumes from the last good"
)


@pytest.fixture(scope="module")
def undisturbed(smoke) -> dict[str, bytes]:
    """What the training of `job` leaves."""
    torch.set_num_threads(1)  # as in all tests, which is later than this
    loop.train(job_of(smoke, **CHANGES), CPU)
    return contents(job_of(smoke, **CHANGES))


@pytest.fixture
def job(smoke, undisturbed) -> Job:
    """A training that saves its state at each 20th of 60 iterations; nothing of it is there."""
    job = job_of(smoke, **CHANGES)
    for path in (*job.folder.glob("*"), *job.checkpoints.glob("*")):
        path.unlink()
    return job


def saved(job: Job, name: str) -> dict:
    return torch.load(io.BytesIO((job.checkpoints / name).read_bytes()[DIGEST:]), weights_only=True)


def poison_image(state, p_data) -> None:
    p_data[0, 0, 0, 0] = NAN


def poison_weights(state, p_data) -> None:
    with torch.no_grad():
        next(state.model.parameters()).view(-1)[0] = INFINITY


def poison_optimizer(state, p_data) -> None:
    """What Adam keeps of a gradient that overflowed: its weight would never move again, which no loss shows."""
    moments = next(iter(state.optimizer.state.values()))
    moments["exp_avg_sq"].view(-1)[0] = INFINITY


@pytest.mark.parametrize(
    ("poison", "during", "noticed"),
    [(poison_image, 25, 40), (poison_weights, 25, 40), (poison_weights, 40, 40), (poison_optimizer, 25, 40)],
    ids=["an image", "weights", "weights, after the last look at the loss", "the optimiser"],
)
def test_a_run_that_is_no_longer_finite_stops_and_keeps_its_last_good_state(
    job, undisturbed, poison, during, noticed, monkeypatch
):
    update, iteration = Trainer.attack_and_update, [0]

    def poisoned(state, K, positive, *rest):
        iteration[0] += 1
        if iteration[0] == during and poison is poison_image:
            positive = positive.clone()
            poison(state, positive)
        found = update(state, K, positive, *rest)
        if iteration[0] == during and poison is not poison_image:
            poison(state, positive)  # of what this iteration computed, all that is logged is still finite
        return found

    with monkeypatch.context() as patch, pytest.raises(ResultError, match=GOES_ON.format(noticed)) as raised:
        patch.setattr(Trainer, "attack_and_update", poisoned)
        loop.train(job, CPU)
    assert "\n" not in str(raised.value)
    assert [path.name for path in job.checkpoints.iterdir()] == [STATE]
    assert saved(job, STATE)["iteration"] == 20 and finite(saved(job, STATE))
    assert not list(job.folder.glob("*"))
    if poison is poison_image:  # a fault of the machine's, and not of the settings: the same command goes on
        loop.train(job, CPU)
        assert contents(job) == undisturbed


def contents(job: Job) -> dict[str, bytes]:
    return {name: (job.folder / name).read_bytes() for name in FILES["train"]}


def test_a_signal_saves_no_state_that_is_not_finite(job, monkeypatch):
    step = Trainer.step

    def poisoned(state):
        step(state)
        if state.iteration == 45:
            poison_weights(state, None)
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(Trainer, "step", poisoned)
    with pytest.raises(ResultError, match=GOES_ON.format(45)):
        loop.train(job, CPU)
    assert [saved(job, name)["iteration"] for name in (STATE, FORMER)] == [40, 20]
    assert finite(saved(job, STATE))


def test_the_host_looks_where_it_waits_anyway(job, monkeypatch):
    """Not at each iteration, where it would wait for a GPU: once before each state is saved, and at the end."""
    looked = []
    for module in (loop, resumable):
        monkeypatch.setattr(module, "finite", lambda state: looked.append(1) or finite(state))
    loop.train(job, CPU)
    assert len(looked) == 3 + 1


def test_a_pretraining_that_is_no_longer_finite_stops_and_keeps_its_last_good_state(smoke, monkeypatch):
    root, _ = smoke
    step = planned("smoke", pretrainings={"imagenet": {"seed": 5}}).pretrain("imagenet")
    write_specs(root, step)
    job = Job(root / step.spec_file)
    monkeypatch.setattr(Resumable, "every", 10)
    step_ = ClassifierTrainer.step

    def poisoned(training):
        images = training.images
        if training.iteration == 13:
            x, indices = images.batch(13)
            training.images = SimpleNamespace(batch=lambda _: (x * NAN, indices))
        step_(training)
        training.images = images

    monkeypatch.setattr(ClassifierTrainer, "step", poisoned)
    sentence = r"^pretrain imagenet diverged by iteration 20 \(epoch 1: loss nan, .*\): .* Lower its lr"
    with pytest.raises(ResultError, match=sentence):
        classifier.train_classifier(job, CPU)
    assert saved(job, STATE)["iteration"] == 10 and finite(saved(job, STATE))
    assert not list(job.folder.glob("*"))


def test_features_that_are_not_finite_are_refused(smoke, monkeypatch):
    """Else a distance would be NaN, or a number that means nothing."""
    root, plan = smoke
    job = Job(root / plan.train("cifar10", 0).parents["reference"].spec_file)
    before = {path.name: path.read_bytes() for path in job.folder.iterdir()}
    load = features.load_extractor

    def broken(folder, device):
        see, _ = load(folder, device)
        return features.Extractor(lambda images: tuple(part * torch.tensor(INFINITY) for part in see(images)), 50)

    monkeypatch.setattr(features, "load_extractor", broken)
    with pytest.raises(
        ResultError, match=r"^features of fashion.*: images 0 to 49 have features that are not finite\. .*verify"
    ):
        features.write_features(job, CPU)
    assert {path.name: path.read_bytes() for path in job.folder.iterdir()} == before, "partial files"


def test_a_record_with_a_number_that_is_not_finite_is_not_written(smoke):
    root, plan = smoke
    step = next(step for step in plan.steps.values() if step.kind == "check")
    write_specs(root, step)
    job = Job(root / step.spec_file)
    with pytest.raises(ResultError, match=r"^the record of check/.* has a number that is not finite"):
        job.finish({"value": np.nan})
    assert not job.done


@pytest.mark.parametrize(
    ("state", "is_finite"),
    [
        ({"a": torch.zeros(2), "b": {"c": [torch.ones(3, dtype=torch.bfloat16), 1, None]}}, True),
        ({"a": torch.zeros(2), "b": {"c": [torch.tensor([1.0, NAN])]}}, False),
        ({0: {"exp_avg": torch.tensor([-INFINITY])}}, False),
        ({"count": torch.tensor(3), "none": None, "empty": torch.zeros(0)}, True),
    ],
)
def test_finite(state, is_finite):
    assert checkpoint.finite(state) is is_finite
