"""The training engine: exact resume, selection, divergence, and the extractor's assertion."""

import csv
import json
import shutil
import sys
import types
from contextlib import nullcontext

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import job_of, planned, write_specs
from safetensors.torch import load_file

from atebm.config.training import TrainStep
from atebm.data import stream as streams
from atebm.data.stored import batch_indices
from atebm.device import cuda_graph
from atebm.device.precision import set_precision
from atebm.device.select import pick_device
from atebm.evaluation import features
from atebm.evaluation.features import write_features
from atebm.evaluation.frechet import Gaussian, frechet_distance
from atebm.models.energy import Classifier, Confidence, Energy
from atebm.models.weights import save_weights
from atebm.pipeline.job import Job, record_of
from atebm.pipeline.kinds import FILES
from atebm.sampling.gather import gather
from atebm.sampling.sample import sample_shard
from atebm.training import loop, trainer
from atebm.training import monitor as monitoring
from atebm.training.classifier import ClassifierTrainer, train_classifier
from atebm.training.distributed import Group
from atebm.training.resumable import Resumable
from atebm.training.trainer import Trainer
from atebm.utils.errors import ConfigError, DataError, ResultError
from atebm.utils.hashing import canonical
from atebm.utils.random import generator

CPU = torch.device("cpu")
CUDA = pytest.param(torch.device("cuda"), marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here"))
PLAIN = {"average": None}


def contents(job: Job) -> dict[str, bytes]:
    return {name: (job.folder / name).read_bytes() for name in FILES[job.spec["kind"]]}


def forget(job: Job) -> None:
    for path in (*job.folder.glob("*"), *job.checkpoints.glob("*")):
        path.unlink()


SGD = {"name": "sgd", "lr": 0.01, "momentum": 0.9, "betas": None}
CUTOUT = {"name": "autoaugment_cutout", "fill": [0.3]}
VARIANTS = {
    "Algorithm 1": PLAIN | {"schedule": {"K_start": 2}},
    "Algorithm 2": PLAIN,
    "early advance and attack on p_data": {
        "augment": {"p_data": {"name": "crop_flip"}, "p_0": {"name": "crop_flip"}},
        "in_attack": {"steps": 1, "step_size": 0.1, "eps": None},
        "schedule": {"auc_advance": 0.5},
    },
    "length by epochs": PLAIN | {"schedule": {"epochs_per_K": 0.28, "iterations": None}},
    "SGD": PLAIN | {"optimizer": SGD},
    "in- and out-of-distribution": PLAIN
    | {"optimizer": SGD, "eps": 0.5, "in_attack": {"steps": 2, "step_size": 0.1, "eps": 0.25}, "r1": 0}
    | {"augment": {"p_data": CUTOUT, "p_0": CUTOUT}, "schedule": {"K_start": 2}},
    "Langevin dynamics": PLAIN | {"langevin": {"step_size": 0.01}, "schedule": {"K_start": 2}},
    "replay buffer": {"objective": "max_likelihood", "r1": 0, "schedule": {"K_start": 2}}
    | {"langevin": {"step_size": 2, "noise": 0.01, "buffer": 40, "reinitialise": 0.3, "energy_l2": 1}}
    | {"monitor": {"noise": 0.01, "step_size": 2}},
    "maximum likelihood": PLAIN | {"objective": "max_likelihood", "optimizer": {"lr": 1e-6}},
    "outlier exposure": PLAIN | {"objective": "outlier_exposure", "schedule": {"K_start": 0, "K_max": 0}},
    "RATIO": PLAIN
    | {"objective": "outlier_exposure", "eps": 0.5, "in_attack": {"steps": 2, "step_size": 0.1, "eps": 0.25}, "r1": 0},
    "bfloat16": PLAIN | {"precision": "bf16"},
}


@pytest.mark.parametrize("device", [CPU, CUDA], ids=str)
@pytest.mark.parametrize("changes", VARIANTS.values(), ids=list(VARIANTS))
def test_interrupted_and_resumed_equals_uninterrupted(smoke, changes, device, monkeypatch):
    job = job_of(smoke, **changes)
    loop.train(job, device)
    whole = contents(job)
    forget(job)

    class KilledError(Exception):
        pass

    step = Trainer.step

    def until_31(training):
        if training.iteration == 31:
            raise KilledError
        step(training)

    with monkeypatch.context() as patch, pytest.raises(KilledError):
        patch.setattr(Trainer, "step", until_31)
        loop.train(job, device)
    assert not list(job.folder.glob("*.safetensors")) and list(job.checkpoints.iterdir())
    seen = []
    monkeypatch.setattr(Trainer, "step", lambda training: seen.append(training.iteration) or step(training))
    loop.train(job, device)
    total = record_of(job.folder)["iterations"]
    assert 40 <= total <= 42 and seen == list(range(20, total)), "the run did not resume from its checkpoint"
    assert contents(job) == whole


@pytest.mark.parametrize("device", [CUDA])
@pytest.mark.parametrize("changes", VARIANTS.values(), ids=list(VARIANTS))
def test_a_captured_iteration_does_what_its_kernels_do_one_by_one(smoke, changes, device, monkeypatch):
    """K grows on the way, and a graph that were not made anew would go on with the old one."""
    job = job_of(smoke, **changes)
    forget(job)
    modes = captures(monkeypatch)
    loop.train(job, device)
    whole = contents(job)
    assert bool(modes) == ("langevin" not in changes)
    forget(job)
    monkeypatch.setattr(trainer, "Captured", lambda work: work)
    loop.train(job, device)
    assert contents(job) == whole


def captures(monkeypatch) -> list[str]:
    """A list that gets the mode of every capture of a CUDA graph that torch begins."""
    modes, graph = [], torch.cuda.graph
    monkeypatch.setattr(
        torch.cuda,
        "graph",
        lambda *arguments, **how: modes.append(how["capture_error_mode"]) or graph(*arguments, **how),
    )
    return modes


@pytest.mark.parametrize("device", [CUDA])
def test_graphs_are_captured_while_a_thread_pins_the_next_batches(smoke, device, monkeypatch, capfd):
    """As of sets that are too large for the GPU. Each capture empties the cache of pinned memory first, so that the
    thread must ask CUDA for new memory meanwhile, which ends a capture in the mode "global"."""
    monkeypatch.setattr(streams, "fits", lambda *_: False)
    monkeypatch.setattr(streams, "workers_of", lambda _: 2)
    job = job_of(smoke, average=None, monitor=None, schedule={"K_max": 9, "epochs_per_K": 0.08, "iterations": None})
    forget(job)
    modes = captures(monkeypatch)
    loop.train(job, device)
    whole = contents(job)
    assert record_of(job.folder)["iterations"] == 40 and modes == ["thread_local"] * 10, "4 iterations of each K"
    assert "warning" not in "".join(capfd.readouterr()), "a capture failed"
    forget(job)
    monkeypatch.setattr(trainer, "Captured", lambda work: work)
    loop.train(job, device)
    assert contents(job) == whole


class Replayed:
    """Stands in for a CUDA graph: does its work at each replay, as that does its kernels."""

    def __init__(self, work):
        self.work, self.outputs = work, []

    def replay(self):
        self.outputs[:] = self.work()


@pytest.mark.parametrize("refused", [(), (1,), (0, 1, 2)], ids=["none", "one", "all"])
@pytest.mark.parametrize("changes", [{}, {"optimizer": SGD}], ids=["Adam", "SGD"])
def test_where_a_capture_fails_each_iteration_is_done_once_all_the_same(smoke, changes, refused, monkeypatch, capsys):
    """A capture that fails leaves gradients that no kernel has filled; each K is tried once, and the first is told."""
    job = job_of(smoke, average=None, schedule={"epochs_per_K": 0.28}, **changes)
    forget(job)
    loop.train(job, CPU)
    whole = contents(job)
    forget(job)
    asked, now = [], {}

    def record(work):
        asked.append(now["trainer"].at.K)
        if asked[-1] not in refused:
            graph = Replayed(work)
            return graph, graph.outputs
        for parameter in now["trainer"].model.parameters():
            parameter.grad = torch.full_like(parameter, torch.nan)
        try:
            raise RuntimeError("CUDA error: operation not permitted when stream is capturing\nCUDA kernel errors might")
        finally:
            raise RuntimeError("CUDA error: operation failed due to a previous error during capture")

    def captured(work):
        now["trainer"] = work.__self__
        return cuda_graph.Captured(work)

    monkeypatch.setattr(cuda_graph, "record", record)
    monkeypatch.setattr(Trainer, "capturable", True)
    monkeypatch.setattr(trainer, "Captured", captured)
    loop.train(job, CPU)
    assert contents(job) == whole
    assert asked == [0, 1, 2]
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("warning")]
    assert len(told) == min(len(refused), 1)
    assert all(f"at K = {refused[0]} (CUDA error: operation not permitted when stream is capturing)" in t for t in told)


@pytest.mark.parametrize("device", [CUDA])
def test_after_a_capture_that_cuda_refuses_work_goes_on_where_it_was(device, capsys):
    """On the stream that was the current one, once a call, and the next K has a graph."""

    def work(K, x):
        total.add_(x.sum())
        if K == 1:
            total.item()  # which waits for the device, as no capture may
        return (2 * x,)

    total, stream = torch.zeros((), device=device), torch.cuda.current_stream()
    update = cuda_graph.Captured(work)
    for K in (1, 1, 1, 2, 2, 2):
        assert update(K, torch.ones(4, device=device))[0].tolist() == [2, 2, 2, 2]
        assert torch.cuda.current_stream() == stream and (update.graph is None or K == 2)
    assert update.graph is not None and total.item() == 6 * 4
    assert "could be captured at K = 1" in capsys.readouterr().err


def test_a_mistake_in_the_work_is_raised_though_a_capture_fails_at_it_first():
    def work(K, x):
        if len(seen.append(K) or seen) > 1:
            raise RuntimeError("shapes do not fit")
        return (x,)

    seen, update = [], cuda_graph.Captured(work)
    update(3, torch.zeros(1))
    with pytest.MonkeyPatch.context() as patch, pytest.raises(RuntimeError, match="shapes do not fit"):
        patch.setattr(cuda_graph, "record", lambda work: work())
        update(3, torch.zeros(1))
    assert seen == [3, 3, 3]


@pytest.mark.usefixtures("double_precision")
@pytest.mark.parametrize("in_attack", [None, {"steps": 2, "step_size": 0.3, "eps": None}], ids=["clean", "in-attack"])
def test_first_iteration_is_algorithm_2_written_out(smoke, in_attack):
    """One iteration with K = 2 and R1, and with data attacked downhill, against the same mathematics in plain torch."""
    job = job_of(smoke, schedule={"K_start": 2, "iterations": 1}, r1=0.5, average=None, in_attack=in_attack)
    loop.train(job, CPU)
    run, folder = job.settings, job.folder
    torch.manual_seed(run["seed"])
    model = Energy(run["network"], (1, 8, 8))
    images = [
        torch.from_numpy(np.load(job.parent(role) / "images.npy")).permute(0, 3, 1, 2).double() / 255
        for role in ("p_data", "p_0")
    ]
    x, z = (
        batch[batch_indices(len(batch), 16, 0, 0, stream)]
        for batch, stream in zip(images, loop.STREAMS.values(), strict=True)
    )

    def climbed(x: torch.Tensor, step_size: float) -> torch.Tensor:
        x = x.detach().requires_grad_()
        gradient = torch.autograd.grad(model(x).sum(), x)[0]
        return (x.detach() + step_size * gradient / gradient.flatten(1).norm(dim=1).view(-1, 1, 1, 1)).clamp(0, 1)

    for _ in range(2):
        z = climbed(z, 0.5)
        x = climbed(x, -0.3) if in_attack else x
    x.requires_grad_()
    f_x, f_z = model(x), model(z)
    loss = -(torch.sigmoid(f_x).log().mean() + torch.sigmoid(-f_z).log().mean()) / 2
    gradient = torch.autograd.grad(f_x.sum(), x, create_graph=True)[0]
    (loss + 0.5 * 0.5 * gradient.square().sum((1, 2, 3)).mean()).backward()
    torch.optim.Adam(model.parameters(), lr=5e-4, betas=(0.0, 0.99)).step()
    trained = load_file(folder / "last.safetensors")
    for name, tensor in model.state_dict().items():
        torch.testing.assert_close(trained[name], tensor.detach(), rtol=1e-9, atol=1e-12)


@pytest.mark.usefixtures("double_precision")
def test_iterations_with_a_replay_buffer_are_written_out(smoke):
    """Four iterations of an energy-based model as Du and Mordatch (2019) train it, in plain torch.

    A buffer of 20 for batches of 16, so that chains go on from the third iteration at the latest.
    """
    how = {"step_size": 2, "noise": 0.02, "buffer": 20, "reinitialise": 0.25, "energy_l2": 0.5}
    changes = {"objective": "max_likelihood", "r1": 0, "average": None, "in_attack": None, "monitor": None}
    job = job_of(smoke, langevin=how, schedule={"K_start": 2, "iterations": 4}, **changes)
    loop.train(job, CPU)
    run, folder = job.settings, job.folder
    torch.manual_seed(run["seed"])
    model = Energy(run["network"], (1, 8, 8))
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-4, betas=(0.0, 0.99))
    images = {
        role: torch.from_numpy(np.load(job.parent(role) / "images.npy")).permute(0, 3, 1, 2).double() / 255
        for role in ("p_data", "p_0")
    }
    buffer: dict[int, torch.Tensor] = {}
    went_on = 0
    for iteration in range(4):
        x, z = (
            images[role][batch_indices(len(images[role]), 16, iteration, 0, stream)]
            for role, stream in loop.STREAMS.items()
        )
        drawn = generator(0, trainer.CHAINS, iteration, 0)
        places = torch.randperm(20, generator=drawn)[:16].tolist()
        anew = (torch.rand(16, generator=drawn) < 0.25).tolist()
        starts = [z[i] if anew[i] or place not in buffer else buffer[place] for i, place in enumerate(places)]
        went_on += sum(not anew[i] and place in buffer for i, place in enumerate(places))
        noise = generator(0, trainer.NOISE, iteration, 0)
        samples = torch.stack(starts)
        for _ in range(2):  # x + step_size / 2 * gradient + 0.02 * noise, in [0, 1]
            samples.requires_grad_()
            gradient = torch.autograd.grad(model(samples).sum(), samples)[0]
            samples = (samples.detach() + gradient + 0.02 * torch.randn(samples.shape, generator=noise)).clamp(0, 1)
        buffer |= dict(zip(places, samples, strict=True))
        f_x, f_samples = model(x), model(samples)
        loss = f_samples.mean() - f_x.mean() + 0.5 * ((f_x**2).mean() + (f_samples**2).mean())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert went_on > 16
    trained = load_file(folder / "last.safetensors")
    for name, tensor in model.state_dict().items():
        torch.testing.assert_close(trained[name], tensor.detach(), rtol=1e-9, atol=1e-12)


def test_a_buffer_wants_a_place_for_each_chain_and_one_process():
    langevin = {"step_size": 2, "buffer": 8}
    with pytest.raises(ConfigError, match=r"langevin.buffer = 8 is less than batch_size = 16"):
        planned("smoke", runs={"cifar10": {"langevin": langevin}})
    step = planned("smoke", runs={"cifar10": {"langevin": langevin | {"buffer": 16}}}).train("cifar10", 0)
    model, run = Energy(step.settings["network"], (1, 8, 8)), TrainStep(**step.settings)
    with pytest.raises(ConfigError, match="gpus_per_run: 1"):
        Trainer("ebm", run, model, 100, Group(0, 2), shape=(1, 8, 8))


def test_a_run_stops_at_the_gap_that_it_names(smoke):
    """At the first row of the log beyond it, with its weights kept; without the key it goes on."""
    changes = {"objective": "max_likelihood", "optimizer": {"lr": 0.1}, "monitor": None, "r1": 0, "average": None}
    jobs = [job_of(smoke, schedule={"iterations": 60}, **changes, **stop) for stop in ({}, {"stop_at_gap": 1000})]
    for job in jobs:
        loop.train(job, CPU)
    (whole, stopped), records = (
        (pd.read_csv(job.folder / "log.csv") for job in jobs),
        [record_of(j.folder) for j in jobs],
    )
    gaps = whole["logit_data"] - whole["logit_contrastive"]
    assert records[0]["iterations"] == 60 and gaps.iloc[-1] > 1000, "the test wants a gap"
    assert records[1]["iterations"] == whole["iteration"][gaps > 1000].iloc[0] < 60
    pd.testing.assert_frame_equal(stopped, whole[: len(stopped)])


def test_a_classifiers_record_has_its_accuracy_on_held_out_labels(smoke):
    root, _ = smoke
    changes = {
        "objective": "outlier_exposure",
        "monitor": None,
        "r1": 0,
        "outlier_weight": 0,
        "optimizer": {"lr": 5e-3},
    }
    job = job_of(smoke, **changes, schedule={"K_start": 0, "K_max": 0, "iterations": 200})
    write_specs(root, planned("smoke").data("fashion_held_out"))
    loop.train(job, CPU)
    record, weights = record_of(job.folder), load_file(job.folder / "last.safetensors")
    model = Confidence(job.settings["network"], (1, 8, 8), 10)
    model.load_state_dict(weights)
    folder = job.parent("held_out")
    images = torch.from_numpy(np.load(folder / "images.npy")).permute(0, 3, 1, 2).float() / 255
    right = model.logits(images).argmax(1).numpy() == np.load(folder / "labels.npy")
    assert record["accuracy"] == pytest.approx(right.mean()) and record["accuracy"] > 0.3
    assert "held_out" not in planned("smoke").train("cifar10", 0).parents


def test_keys_that_a_run_leaves_alone_move_no_digest():
    """They came later: a run that says what they say by default is the one that says nothing."""
    defaults = {"outlier_weight": 1, "stop_at_gap": None, "monitor": {"noise": None}}
    langevin = {"step_size": 0.01}
    said = langevin | {"noise": None, "buffer": None, "reinitialise": 0.05, "energy_l2": 0}
    for plain, spelt in ({}, defaults), ({"langevin": langevin}, {"langevin": said}):
        steps = [planned("smoke", runs={"cifar10": changes}).train("cifar10", 0) for changes in (plain, spelt)]
        assert steps[0].id == steps[1].id
    changed = planned("smoke", runs={"cifar10": {"langevin": langevin | {"noise": 0.1}}}).train("cifar10", 0)
    assert changed.id != steps[0].id


@pytest.mark.usefixtures("double_precision")
def test_averaged_weights_are_the_exponential_average_of_the_iterations(smoke, monkeypatch):
    weights = []
    step = Trainer.step

    def recorded(training):
        step(training)
        weights.append({name: tensor.clone() for name, tensor in training.model.state_dict().items()})

    monkeypatch.setattr(Trainer, "step", recorded)
    job = job_of(smoke, schedule={"iterations": 4}, average=0.7)
    loop.train(job, CPU)
    saved = load_file(job.folder / "last.safetensors")
    for name in saved:
        average = weights[0][name]  # the average starts at the first iteration's weights
        for later in weights[1:]:
            average = 0.7 * average + 0.3 * later[name]
        torch.testing.assert_close(saved[name], average, rtol=1e-12, atol=1e-15)


def test_best_is_the_lowest_check_and_its_weights_give_that_distance(smoke):
    root, plan = smoke
    job = job_of(smoke)
    loop.train(job, CPU)
    record = record_of(job.folder)
    checks = list(csv.DictReader((job.folder / "monitor.csv").open()))
    assert record["best"]["distance"] == min(float(row["distance"]) for row in checks)
    assert {row["iteration"] for row in checks} == {"20", "40"} and record["last"]["iteration"] == 40

    # Sampling the best checkpoint from the validation sources must find the very distance that selected it. The batch
    # is the monitor's, since another one may be rounded differently, which can turn a byte into its neighbour.
    sources = plan.data(plan.task("cifar10").validation_sources)
    sample = plan.sample("cifar10", 0, "best")
    settings = sample.settings | {"n": 60, "batch_size": 60}
    step = type(sample)("sample", "check", settings, sample.parents | {"sources": sources})
    features = [plan.features(step), plan.features(plan.data("fashion"))]
    write_specs(root, step, *features)
    sampling = Job(root / step.spec_file)
    sample_shard(sampling, "0-of-1", root / "shard.npz", CPU)
    gather(sampling, [root / "shard.npz"])
    for needed in features:
        write_features(Job(root / needed.spec_file), CPU)
    gaussians = [Gaussian.of(np.load(root / needed.folder / "features.npy")) for needed in features]
    assert frechet_distance(*gaussians) == pytest.approx(record["best"]["distance"], rel=1e-9)


def test_scored_from_the_beginning_and_selected_from_the_start_on(smoke):
    """Curves begin with the run; only what comes at monitor.start or after it can be kept."""
    job = job_of(smoke, monitor={"every": 8, "start": 24}, optimizer={"lr": 0.01})
    loop.train(job, CPU)
    checks = pd.read_csv(job.folder / "monitor.csv")
    assert list(checks["iteration"].unique()) == [8, 16, 24, 32, 40]
    best = checks[checks["iteration"] >= 24].sort_values("distance").iloc[0]
    assert record_of(job.folder)["best"]["iteration"] == best["iteration"]
    # the settings are such that a lower distance comes before, which must not be taken
    assert checks["distance"].min() < best["distance"]
    log = pd.read_csv(job.folder / "log.csv").set_index("iteration")["gradient_steps"]
    assert set(checks.set_index("iteration").loc[40, "gradient_steps"]) == {log[40]}


def test_langevin_dynamics_make_the_contrastive_samples(smoke, monkeypatch):
    """From the batch of p_0, with the run's K and step size, other noise in each iteration; PGD does not run."""
    calls = []

    def recorded(f, x, steps, step_size, generator, noise):
        calls.append((x.clone(), steps, step_size, generator.initial_seed()))
        return x + 1

    monkeypatch.setattr(trainer, "langevin", recorded)
    monkeypatch.setattr(trainer, "pgd", lambda *_, **__: pytest.fail("PGD ran"))
    changes = {"langevin": {"step_size": 0.02}, "schedule": {"K_start": 2, "iterations": 3}, "monitor": None}
    job = job_of(smoke, **changes)
    loop.train(job, CPU)
    assert [call[1:3] for call in calls] == [(2, 0.02)] * 3 and len({call[3] for call in calls}) == 3
    p_0 = torch.from_numpy(np.load(job.parent("p_0") / "images.npy")).permute(0, 3, 1, 2).float() / 255
    torch.testing.assert_close(calls[0][0], p_0[batch_indices(len(p_0), 16, 0, 0, loop.STREAMS["p_0"])])
    assert record_of(job.folder)["gradient_steps"] == 6


def test_the_number_of_shards_changes_no_byte(smoke):
    root, plan = smoke
    loop.train(job_of(smoke), CPU)
    job = Job(root / plan.sample("cifar10", 0, "best").spec_file)
    results = []
    for count in (1, 3, 7):  # of 4 batches: 7 leaves empty shards
        shards = [root / f"{index}-of-{count}.npz" for index in range(count)]
        for shard in shards:
            sample_shard(job, shard.stem, shard, CPU)
        gather(job, shards)
        results.append(contents(job))
    assert results[0] == results[1] == results[2]


def test_divergence_is_one_sentence(smoke):
    job = job_of(smoke, optimizer={"lr": 1e30})
    with pytest.raises(ResultError, match=r"diverged by iteration 20 .* Lower optimizer.lr"):
        loop.train(job, CPU)
    assert not (job.folder / "run.json").exists()


def test_with_max_likelihood_divergence_is_the_result(smoke):
    """Sec. 5.3: the run ends where numbers overflow, and says so, instead of failing."""
    changes = {"objective": "max_likelihood", "optimizer": {"lr": 1e30}, "monitor": None, "r1": 0}
    job = job_of(smoke, **changes)
    loop.train(job, CPU)
    record, rows = record_of(job.folder), list(csv.DictReader((job.folder / "log.csv").open()))
    assert record["diverged"] and record["iterations"] == 20 and record["best"] is record["last"] is None
    assert not np.isfinite(float(rows[-1]["loss"]))


def test_without_a_monitor_the_last_weights_are_kept(smoke):
    job = job_of(smoke, monitor=None)
    assert set(job.spec["parents"]) == {"p_data", "p_0"}
    loop.train(job, CPU)
    assert (job.folder / "best.safetensors").read_bytes() == (job.folder / "last.safetensors").read_bytes()


def test_training_starts_from_a_pretrained_classifier(smoke):
    """f starts as the logit of the classifier's first class: which photograph a crop came from."""
    root, _ = smoke
    plan = planned("smoke", runs={"cifar10": {"init": "imagenet", "schedule": {"iterations": 1}, "average": None}})
    step = plan.train("cifar10", 0)
    write_specs(root, step)
    pretraining = Job(root / step.parents["init"].spec_file)
    train_classifier(pretraining, CPU)
    assert record_of(pretraining.folder)["classes"] == ["astronaut", "camera", "china"]
    model = loop.first_model(Job(root / step.spec_file), TrainStep(**step.settings), (1, 8, 8))
    whole = Classifier(step.settings["network"], (1, 8, 8), 3)
    whole.load_state_dict(load_file(pretraining.folder / "model.safetensors"))
    x = torch.rand(3, 1, 8, 8, dtype=torch.float64)
    torch.testing.assert_close(model.double()(x), whole.double()(x)[:, 0], rtol=1e-9, atol=1e-12)


def test_a_pretraining_that_was_interrupted_goes_on(smoke, monkeypatch):
    root, _ = smoke
    step = planned("smoke").pretrain("imagenet")
    write_specs(root, step)
    job = Job(root / step.spec_file)
    train_classifier(job, CPU)
    whole = contents(job)
    for path in (*job.folder.iterdir(), *job.checkpoints.glob("*")):
        path.unlink()
    monkeypatch.setattr(Resumable, "every", 5)
    step_, done = ClassifierTrainer.step, []

    def killed_after_12(training):
        if len(done) == 12:
            raise KeyboardInterrupt
        done.append(training.iteration)
        step_(training)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(ClassifierTrainer, "step", killed_after_12)
        train_classifier(job, CPU)
    again = []
    monkeypatch.setattr(ClassifierTrainer, "step", lambda fit: again.append(fit.iteration) or step_(fit))
    train_classifier(job, CPU)
    assert done == list(range(12)) and again[0] == 10 and contents(job) == whole


def test_an_inaccurate_extractor_is_refused(smoke):
    root, _ = smoke
    step = planned("smoke", extractors={"classifier": {"min_accuracy": 0.999}}).extractor()
    write_specs(root, step)
    with pytest.raises(ResultError, match=r"below its min_accuracy 0\.999"):
        train_classifier(Job(root / step.spec_file), CPU)
    assert not (root / step.folder / "extractor.json").exists()


def test_a_pretraining_is_judged_last_and_keeps_its_weights(smoke, monkeypatch, capsys):
    """Epochs that are longer than the time between two states end in a line, with the held-out accuracy."""
    root, _ = smoke
    step = planned("smoke", pretrainings={"imagenet": {"epochs": 3, "min_accuracy": 0.999}}).pretrain("imagenet")
    write_specs(root, step)
    job = Job(root / step.spec_file)
    monkeypatch.setattr(Resumable, "every", 2)
    with pytest.raises(ResultError, match=r"below its min_accuracy 0\.999.*weights are kept.*import-weights") as caught:
        train_classifier(job, CPU)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("pretrain imagenet, epoch")]
    assert [line.split(":")[0].rpartition(" ")[2] for line in lines] == ["1", "2"] and "held-out accuracy" in lines[1]
    assert "loss" in lines[0] and str(job.checkpoints / "model.pth") in str(caught.value)
    kept = torch.load(job.checkpoints / "model.pth", weights_only=True)
    assert {name.partition(".")[0] for name in kept} == {"stem", "blocks", "last", "head"}


@pytest.mark.parametrize("changes", [{"precision": "bf16"}, {}], ids=["bf16", "in parts"])
def test_a_pretraining_in_bfloat16_or_in_parts_is_that_in_float32(smoke, changes):
    """Up to rounding; in bfloat16 that is coarse, and the accuracy is still found."""
    root, _ = smoke
    weights = []
    for how, micro_batch in (({}, None), (changes, None if changes else 7)):
        step = planned("smoke", pretrainings={"imagenet": {"epochs": 1, "min_accuracy": 0, **how}}).pretrain("imagenet")
        write_specs(root, step)
        forget(Job(root / step.spec_file))
        train_classifier(Job(root / step.spec_file), CPU, micro_batch=micro_batch)
        weights.append(load_file(root / step.folder / "model.safetensors"))
    one, other = (torch.cat([weights[i][name].flatten() for name in weights[0]]) for i in (0, 1))
    apart = float((one - other).norm() / one.norm())
    assert 0 < apart < (0.1 if changes else 1e-3)


def test_records_chain_back_to_the_data(smoke):
    from atebm.utils.hashing import sha256

    root, plan = smoke
    record = json.loads((root / plan.extractor().folder / "extractor.json").read_text())
    data = root / plan.data("fashion").folder
    assert record["parents"]["p_data"]["sha256"] == sha256(data / "set.json")
    assert json.loads((data / "set.json").read_text())["files"]["images.npy"] == sha256(data / "images.npy")


def test_networks_that_are_not_built_are_named():
    with pytest.raises(ConfigError, match="network vgg does not exist in this version, which has: small, resnet50"):
        Energy({"name": "vgg", "mean": [0] * 3, "std": [1] * 3}, (3, 32, 32))


def test_the_small_network_has_its_documented_size():
    model = Energy({"name": "small", "width": 16, "mean": [0.3], "std": [0.35]}, (1, 16, 16))
    assert sum(parameter.numel() for parameter in model.parameters()) == 103_089
    assert model(torch.rand(3, 1, 16, 16)).shape == (3,)


def test_released_weights_take_the_place_of_a_training(smoke, tmp_path):
    """The step names the file by its sha256, has no parents, and its record says whose weights these are."""
    root, _ = smoke
    digest = "ab" * 32
    plan = planned("smoke", runs={"cifar10": {"weights": digest}}, samplers={"cifar10": {"steps": 3}})
    step = plan.sample("cifar10", 0, "best")
    train = step.parents["model"]
    assert not train.parents and train.settings["weights"] == digest
    write_specs(root, step)
    job = Job(root / train.spec_file)
    with pytest.raises(DataError, match=r"cifar10 needs released weights: python -m atebm import-weights FILE"):
        loop.train(job, CPU)
    weights = root / "data/weights/cifar10.safetensors"
    model = Energy(train.settings["network"], (1, 8, 8))
    save_weights(model.state_dict(), weights)
    record = {"file": "model.pth", "verified": False, "parameters": 1, "network": train.settings["network"]}
    for named, error in (("cd" * 32, DataError), (digest, None)):
        text = canonical(record | {"sha256": named, "shape": [1, 8, 8]})
        weights.with_suffix(".json").write_text(text)
        with pytest.raises(error, match="import the file with that sha256") if error else nullcontext():
            loop.train(job, CPU)
    assert record_of(job.folder)["released"] == {"file": "model.pth", "sha256": digest, "verified": False}
    sampling, shard = Job(root / step.spec_file), tmp_path / "0-of-1.npz"
    sample_shard(sampling, "0-of-1", shard, CPU)
    gather(sampling, [shard])
    assert record_of(sampling.folder)["iteration"] is None
    sources = torch.from_numpy(np.load(sampling.parent("sources") / "images.npy")).permute(0, 3, 1, 2).float() / 255
    logits = pd.read_csv(sampling.folder / "paths.csv")["logit_source"]
    np.testing.assert_allclose(logits, model(sources).detach(), rtol=1e-4, atol=1e-5)


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile wants a C++ compiler, and there is no g++ here")
def test_compiled_training_is_eager_training_up_to_rounding(smoke):
    logs = []
    for compiled in (False, True):
        changes = {"compile": compiled, "schedule": {"K_start": 1, "iterations": 20}, "monitor": None, "r1": 0.1}
        job = job_of(smoke, **changes)
        loop.train(job, CPU)
        logs.append(pd.read_csv(job.folder / "log.csv"))
    pd.testing.assert_frame_equal(*logs, rtol=1e-4)


UPDATES = {
    "binary_at": {},
    "maximum likelihood": VARIANTS["replay buffer"] | {"r1": 0.1},
    "outlier exposure": VARIANTS["outlier exposure"],
}


@pytest.mark.parametrize("changes", UPDATES.values(), ids=list(UPDATES))
def test_an_update_with_r1_is_one_graph_that_moves_weights_as_two_backward_passes_do(
    smoke, changes, monkeypatch, double_precision
):
    """`fullgraph` raises where torch.compile cannot take it whole; what it makes of the graph is tested above."""
    asked, compiled = [], torch.compile

    def traced(work, **how):
        asked.append(how)
        return compiled(work, **how, backend="eager")

    monkeypatch.setattr(torch, "compile", traced)
    monkeypatch.setattr(torch.nn.Module, "compile", lambda module, **how: None)
    short = {"schedule": {"K_start": 1, "K_max": 1, "iterations": 3}, "monitor": None}
    first_model, made = loop.first_model, []
    monkeypatch.setattr(loop, "first_model", lambda *about: made.append(first_model(*about)) or made[-1])
    for compiling in (False, True):
        loop.train(job_of(smoke, **{"r1": 0.1} | changes | short | {"compile": compiling}), CPU)
    assert asked == [{"fullgraph": True}]
    for twice, once in zip(*(model.parameters() for model in made), strict=True):
        torch.testing.assert_close(once, twice, rtol=0, atol=1e-9)


@pytest.mark.parametrize("changes", [{"r1": 0.1}, UPDATES["outlier exposure"]], ids=["R1", "outlier exposure"])
def test_parts_of_a_batch_move_weights_as_the_whole_does(smoke, changes, monkeypatch, double_precision):
    """In float64, with parts that divide no batch; a training that goes on in parts has another digest in no way."""
    first_model, made, seen = loop.first_model, [], []
    monkeypatch.setattr(loop, "first_model", lambda *about: made.append(first_model(*about)) or made[-1])
    add = Trainer.add_gradients
    monkeypatch.setattr(
        Trainer, "add_gradients", lambda self, K, x, *more: seen.append(len(x)) or add(self, K, x, *more)
    )
    short = {"schedule": {"K_start": 1, "K_max": 1, "iterations": 20}, "monitor": None}
    job = job_of(smoke, **changes | short)
    logs = []
    for micro_batch in (None, 5):
        forget(job)
        seen.clear()
        loop.train(job, CPU, micro_batch=micro_batch)
        logs.append(pd.read_csv(job.folder / "log.csv"))
    batch = job.settings["batch_size"]
    assert seen[: -(-batch // 5)] == [5] * (batch // 5) + [batch % 5] * bool(batch % 5)
    pd.testing.assert_frame_equal(*logs, rtol=1e-9)
    for whole, parts in zip(*(model.parameters() for model in made), strict=True):
        torch.testing.assert_close(parts, whole, rtol=0, atol=1e-9)


def test_the_monitor_makes_samples_in_the_precision_of_its_run_and_sees_them_in_float32(smoke, monkeypatch):
    """Or in its own; `fp32` within `bf16` too."""
    seen = []
    look = features.extract

    def extract(*about):
        seen[-1].append(torch.is_autocast_enabled("cpu"))
        return look(*about)

    steps = monitoring.captured_step
    monkeypatch.setattr("atebm.evaluation.along.extract", extract)
    monkeypatch.setattr(
        monitoring, "captured_step", lambda device: seen.append([torch.is_autocast_enabled("cpu")]) or steps(device)
    )
    for run, monitor, expected in (("bf16", None, True), ("bf16", "fp32", False), ("fp32", "bf16", True)):
        changes = {"precision": run, "schedule": {"iterations": 20}, "monitor": {"every": 20, "precision": monitor}}
        loop.train(job_of(smoke, **changes), CPU)
        assert seen.pop() == [expected, *seen_by_extractor(job_of(smoke, **changes))]
        assert not torch.is_autocast_enabled("cpu")


def seen_by_extractor(job: Job) -> list[bool]:
    """Of each number of steps of a monitor of one batch, that the extractor sees it outside of autocast."""
    return [False] * len(job.settings["monitor"]["steps"])


def test_curves_go_to_tensorboard_where_it_is_installed(smoke, tmp_path, monkeypatch):
    shown = []

    class SummaryWriter:
        def __init__(self, folder):
            shown.append(folder)

        def add_scalar(self, name, value, iteration):
            shown.append((name, value, iteration))

        def close(self):
            shown.append("closed")

        def __enter__(self):
            return self

        def __exit__(self, *error):
            self.close()

    stub = types.ModuleType("torch.utils.tensorboard")
    stub.SummaryWriter = SummaryWriter
    job = job_of(smoke, monitor=None, r1=0.2)
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, stub.__name__, stub)
        loop.train(job, CPU, tensorboard=tmp_path)
    row = list(csv.DictReader((job.folder / "log.csv").open()))[1]
    assert shown[0] == tmp_path / job.spec_file.stem and shown[-1] == "closed"
    assert ("auc", float(row["auc"]), 40) in shown and ("K", int(row["K"]), 40) in shown
    monkeypatch.setitem(sys.modules, stub.__name__, None)
    with pytest.raises(ConfigError, match="TensorBoard is not installed: pip install tensorboard"):
        loop.train(job_of(smoke, monitor=None, r1=0.3), CPU, tensorboard=tmp_path)


@pytest.mark.parametrize(("precision", "allowed"), [("fp32", False), ("tf32", True), ("bf16", False)])
def test_tf32_is_used_where_it_is_asked_for(precision, allowed):
    """PyTorch lets cuDNN use it by default; jobs start without, and a run's own precision decides."""
    set_precision(precision)
    assert (torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32) == (allowed, allowed)
    pick_device("cpu")
    assert not torch.backends.cudnn.allow_tf32 and not torch.backends.cuda.matmul.allow_tf32


def test_bf16_computes_in_bfloat16_and_fp32_does_not(smoke):
    """The logs part by bfloat16's rounding (3 digits), and by no more."""
    logs = []
    for precision in ("fp32", "bf16"):
        changes = {"precision": precision, "schedule": {"K_start": 1, "iterations": 20}, "monitor": None}
        job = job_of(smoke, **changes)
        loop.train(job, CPU)
        logs.append(pd.read_csv(job.folder / "log.csv"))
    difference = abs(logs[0]["logit_data"][0] - logs[1]["logit_data"][0])
    assert 1e-5 < difference < 2e-2
