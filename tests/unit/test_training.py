"""The training engine: exact resume, selection, divergence, and the extractor's assertion."""

import csv
import json

import numpy as np
import pytest
import torch
from conftest import planned, write_specs
from safetensors.torch import load_file

from atebm.data.prepare import write_set
from atebm.energy import Energy
from atebm.errors import ConfigError, ResultError
from atebm.job import Job, record_of
from atebm.kinds import FILES
from atebm.metrics.features import write_features
from atebm.metrics.frechet import Gaussian, frechet_distance
from atebm.sampling.gather import gather
from atebm.sampling.generate import sample_shard
from atebm.training import loop
from atebm.training.classifier import train_classifier

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    """(root, plan): scale smoke's data and extractor, made once for all tests of this file."""
    root, plan = tmp_path_factory.mktemp("smoke"), planned("smoke")
    train = plan.train("cifar10", 0)
    write_specs(root, train, plan.sample("cifar10", 0, "best"))
    for step in plan.sample("cifar10", 0, "best").ancestry():
        if step.kind == "data":
            write_set(Job(root / step.spec_file))
    train_classifier(Job(root / plan.extractor().spec_file), CPU)
    return root, plan


PLAIN = {"average": None}


def job_of(smoke, **changes) -> Job:
    """A train job beside the module's data, with some settings changed."""
    root, _ = smoke
    step = planned("smoke", runs={"cifar10": changes}).train("cifar10", 0)
    write_specs(root, step)
    return Job(root / step.spec_file)


def contents(job: Job) -> dict[str, bytes]:
    return {name: (job.folder / name).read_bytes() for name in FILES[job.spec["kind"]]}


@pytest.mark.parametrize(
    "changes",
    [PLAIN, {"augment": "crop_flip", "in_attack": {"steps": 1, "step_size": 0.1}, "schedule": {"auc_advance": 0.5}}],
    ids=["plain", "all options"],
)
def test_interrupted_and_resumed_equals_uninterrupted(smoke, changes, monkeypatch):
    job = job_of(smoke, **changes)
    loop.train(job, CPU)
    whole = contents(job)
    for path in (*job.folder.iterdir(), *job.checkpoints.iterdir()):
        path.unlink()

    class KilledError(Exception):
        pass

    iterate = loop.iterate

    def until_31(state, *rest):
        if state.iteration == 31:
            raise KilledError
        return iterate(state, *rest)

    with monkeypatch.context() as patch, pytest.raises(KilledError):
        patch.setattr(loop, "iterate", until_31)
        loop.train(job, CPU)
    assert not list(job.folder.glob("*.safetensors")) and list(job.checkpoints.iterdir())
    seen = []
    monkeypatch.setattr(loop, "iterate", lambda state, *rest: seen.append(state.iteration) or iterate(state, *rest))
    loop.train(job, CPU)
    assert seen == list(range(20, 40)), "the run did not resume from its checkpoint"
    assert contents(job) == whole


def test_first_iteration_is_algorithm_2_written_out(smoke):
    """One iteration with K = 2 and R1 against the same mathematics in plain torch."""
    job = job_of(smoke, schedule={"K_start": 2, "iterations": 1}, r1=0.5, average=None)
    loop.train(job, CPU)
    run, folder = job.settings, job.folder
    torch.manual_seed(run["seed"])
    model = Energy(run["network"], (1, 8, 8))
    images = [
        torch.from_numpy(np.load(job.parent(role) / "images.npy")).permute(0, 3, 1, 2).float() / 255
        for role in ("p_data", "p_0")
    ]
    x, z = (
        batch[loop.batch_indices(len(batch), 16, 0, 0, stream)]
        for batch, stream in zip(images, (loop.DATA, loop.CONTRASTIVE), strict=True)
    )
    for _ in range(2):
        z = z.detach().requires_grad_()
        gradient = torch.autograd.grad(model(z).sum(), z)[0]
        z = (z.detach() + 0.5 * gradient / gradient.flatten(1).norm(dim=1).view(-1, 1, 1, 1)).clamp(0, 1)
    x.requires_grad_()
    f_x, f_z = model(x), model(z)
    loss = -(torch.sigmoid(f_x).log().mean() + torch.sigmoid(-f_z).log().mean()) / 2
    gradient = torch.autograd.grad(f_x.sum(), x, create_graph=True)[0]
    (loss + 0.5 * 0.5 * gradient.square().sum((1, 2, 3)).mean()).backward()
    torch.optim.Adam(model.parameters(), lr=5e-4, betas=(0.0, 0.99)).step()
    trained = load_file(folder / "last.safetensors")
    for name, tensor in model.state_dict().items():
        torch.testing.assert_close(trained[name], tensor.detach(), rtol=1e-4, atol=2e-6)


def test_averaged_weights_are_the_exponential_average_of_the_iterations(smoke, monkeypatch):
    weights = []
    iterate = loop.iterate

    def recorded(state, *rest):
        row = iterate(state, *rest)
        weights.append({name: tensor.double().clone() for name, tensor in state.model.state_dict().items()})
        return row

    monkeypatch.setattr(loop, "iterate", recorded)
    job = job_of(smoke, schedule={"iterations": 4}, average=0.7)
    loop.train(job, CPU)
    saved = load_file(job.folder / "last.safetensors")
    for name in saved:
        average = weights[0][name]  # the average starts at the first iteration's weights
        for later in weights[1:]:
            average = 0.7 * average + 0.3 * later[name]
        torch.testing.assert_close(saved[name], average.float(), rtol=1e-5, atol=1e-7)


def test_best_is_the_lowest_check_and_its_weights_give_that_distance(smoke):
    root, plan = smoke
    job = job_of(smoke)
    loop.train(job, CPU)
    record = record_of(job.folder)
    checks = list(csv.DictReader((job.folder / "monitor.csv").open()))
    assert record["best"]["distance"] == min(float(row["distance"]) for row in checks)
    assert {row["iteration"] for row in checks} == {"20", "40"} and record["last"]["iteration"] == 40

    # sampling the best checkpoint from the validation sources must find the very distance that selected it
    sources = plan.data(plan.task("cifar10").validation_sources)
    sample = plan.sample("cifar10", 0, "best")
    step = type(sample)("sample", "check", sample.settings | {"n": 60}, sample.parents | {"sources": sources})
    features = [plan.features(step), plan.features(plan.data("fashion"))]
    write_specs(root, step, *features)
    sampling = Job(root / step.spec_file)
    sample_shard(sampling, "0-of-1", root / "shard.npz", CPU)
    gather(sampling, [root / "shard.npz"])
    for needed in features:
        write_features(Job(root / needed.spec_file), CPU)
    gaussians = [Gaussian.of(np.load(root / needed.folder / "features.npy")) for needed in features]
    assert frechet_distance(*gaussians) == pytest.approx(record["best"]["distance"], rel=1e-5)


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


def test_an_inaccurate_extractor_is_refused(smoke):
    root, _ = smoke
    step = planned("smoke", extractors={"classifier": {"min_accuracy": 0.999}}).extractor()
    write_specs(root, step)
    with pytest.raises(ResultError, match=r"below its min_accuracy 0\.999"):
        train_classifier(Job(root / step.spec_file), CPU)
    assert not (root / step.folder / "extractor.json").exists()


def test_records_chain_back_to_the_data(smoke):
    from atebm.files import sha256

    root, plan = smoke
    record = json.loads((root / plan.extractor().folder / "extractor.json").read_text())
    data = root / plan.data("fashion").folder
    assert record["parents"]["p_data"]["sha256"] == sha256(data / "set.json")
    assert json.loads((data / "set.json").read_text())["files"]["images.npy"] == sha256(data / "images.npy")


def test_networks_that_are_not_built_are_named():
    with pytest.raises(ConfigError, match="network vgg is not built in this version, which has: small, resnet50"):
        Energy({"name": "vgg", "mean": [0] * 3, "std": [1] * 3}, (3, 32, 32))


def test_the_small_network_has_its_documented_size():
    model = Energy({"name": "small", "width": 16, "mean": [0.3], "std": [0.35]}, (1, 16, 16))
    assert sum(parameter.numel() for parameter in model.parameters()) == 103_089
    assert model(torch.rand(3, 1, 16, 16)).shape == (3,)
