"""The GAN that stands beside ours: its update, its resume, and that its samples are scored as others are."""

import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from conftest import planned, write_specs
from safetensors.torch import load_file

from atebm.config.training import GanStep
from atebm.data.stored import batch_indices
from atebm.models.energy import Energy
from atebm.pipeline.job import Job, record_of
from atebm.pipeline.kinds import FILES
from atebm.training import gan
from atebm.training.gan import GanTrainer, Generator, write_gan
from atebm.training.resumable import Resumable
from atebm.utils.random import generator

CPU = torch.device("cpu")


def gan_job(smoke, **changes) -> Job:
    root, _ = smoke
    step = planned("smoke", gans={"cifar10_gan": changes}).gan("cifar10_gan", 0)
    write_specs(root, step)
    return Job(root / step.spec_file)


@pytest.mark.usefixtures("double_precision")
def test_the_first_iteration_is_written_out(smoke):
    """Both gradients at the first weights, then one step of Adam; the average starts at what that gives."""
    job = gan_job(smoke, iterations=1, r1=0.5)
    write_gan(job, CPU)
    run = GanStep(**job.settings)
    torch.manual_seed(run.seed)
    D = Energy(job.settings["network"], (1, 8, 8))
    G = Generator(run.latent, run.width, (1, 8, 8))
    x = torch.from_numpy(np.load(job.parent("p_data") / "images.npy")).permute(0, 3, 1, 2).double() / 255
    x = x[batch_indices(len(x), 16, 0, 0, gan.P_DATA)].requires_grad_()
    made = G(torch.randn(16, run.latent, generator=generator(0, gan.LATENT, 0)))
    f_x = D(x)
    gradient = torch.autograd.grad(f_x.sum(), x, create_graph=True)[0]
    loss = -torch.sigmoid(f_x).log().mean() - torch.sigmoid(-D(made.detach())).log().mean()
    wins = torch.autograd.grad(F.softplus(-D(made)).mean(), list(G.parameters()))
    (loss + 0.25 * gradient.square().sum((1, 2, 3)).mean()).backward()
    for parameter, own in zip(G.parameters(), wins, strict=True):
        parameter.grad = own
    torch.optim.Adam([*D.parameters(), *G.parameters()], run.lr, run.betas).step()
    for name, tensor in load_file(job.folder / "generator.safetensors").items():
        torch.testing.assert_close(tensor, G.state_dict()[name], rtol=1e-9, atol=1e-12)


def test_an_interrupted_one_goes_on_to_the_same_bytes(smoke, monkeypatch):
    job = gan_job(smoke)
    write_gan(job, CPU)
    whole = {name: (job.folder / name).read_bytes() for name in FILES["gan"]}
    for path in (*job.folder.iterdir(), *job.checkpoints.glob("*")):
        path.unlink()
    monkeypatch.setattr(Resumable, "every", 10)
    step, done = GanTrainer.step, []

    def killed_at_25(training):
        if training.iteration == 25:
            raise KeyboardInterrupt
        step(training)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(GanTrainer, "step", killed_at_25)
        write_gan(job, CPU)
    monkeypatch.setattr(GanTrainer, "step", lambda training: done.append(training.iteration) or step(training))
    write_gan(job, CPU)
    assert done[0] == 20
    assert {name: (job.folder / name).read_bytes() for name in FILES["gan"]} == whole


def test_samples_are_scored_as_those_of_a_run(smoke):
    job = gan_job(smoke)
    write_gan(job, CPU)
    images, record = np.load(job.folder / "images.npy"), record_of(job.folder)
    assert images.shape == (100, 8, 8, 1) and images.dtype == np.uint8 and record["n"] == 100
    assert json.loads((job.folder / "gan.json").read_text())["parameters"]["generator"] > 0
    plan = planned("smoke")
    metric = plan.metric("frechet", plan.gan("cifar10_gan", 0), "fashion")
    assert metric.settings["n"] == 100 and metric.parents["features"].parents["images"].kind == "gan"


@pytest.mark.parametrize(("size", "channels"), [(8, 1), (16, 1), (32, 3)])
def test_a_generator_makes_pixels_of_each_size(size, channels):
    made = Generator(5, 4, (channels, size, size))(torch.randn(2, 5))
    assert made.shape == (2, channels, size, size) and 0 <= made.min() <= made.max() <= 1
