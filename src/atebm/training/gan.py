"""Compute the `gan` step: a small GAN on a task's images, a generative rival in Table 2.

Its discriminator is a run's network; its loss is the non-saturating one (Goodfellow et al. 2014) with R1 on p_data
(Mescheder et al. 2018). Both players move at once, and samples come from the generator's averaged weights.
"""

from itertools import pairwise
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from ..config.training import GanStep
from ..data.stored import Stored, cuts, to_bytes
from ..data.stream import Stream
from ..device.select import device_name
from ..models.energy import Energy
from ..models.weights import save_weights
from ..pipeline.job import Job
from ..utils import npy
from ..utils.files import atomic
from ..utils.random import generator
from .batches import batches
from .distributed import ALONE
from .losses import r1
from .resumable import Resumable, complete
from .tables import write_csv

P_DATA, LATENT, SAMPLES = 1, 2, 3  # streams of random numbers
LOG_EVERY = 20  # iterations


class Generator(nn.Module):
    """Map latents (B, latent) to pixels (B, C, size, size) in [0, 1], doubling 4x4 maps: DCGAN without BatchNorm.

    `size` is a power of two, at least 8. The generator mirrors the small network, with `width` channels at full size.
    """

    def __init__(self, latent: int, width: int, shape: tuple[int, ...]):
        super().__init__()
        channels, size = shape[0], shape[1]
        doublings = size.bit_length() - 3  # from 4 pixels a side
        widths = [width * 2**level for level in range(doublings, -1, -1)]
        layers: list[nn.Module] = [nn.Linear(latent, 16 * widths[0]), nn.Unflatten(1, (widths[0], 4, 4)), nn.ReLU()]
        for wide, narrow in pairwise(widths):
            layers += [nn.Upsample(scale_factor=2), nn.Conv2d(wide, narrow, 3, padding=1), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Conv2d(width, channels, 3, padding=1), nn.Sigmoid())

    def forward(self, z: Tensor) -> Tensor:
        return self.layers(z)


class GanTrainer(Resumable):
    """A GAN in training: both networks, one Adam over both. Set `p_data` before the first step."""

    PLAIN = ("iteration", "diverged", "log")
    STATEFUL = ("model", "average", "optimizer")
    remedy = "Lower its lr or raise r1"
    copies = 4  # the weights, Adam's two numbers per weight, and the generator's average
    p_data: Stream

    def __init__(self, name: str, run: GanStep, shape: tuple[int, ...], device: torch.device):
        self.what, self.run, self.total, self.device = f"gan {name} seed {run.seed}", run, run.iterations, device
        torch.manual_seed(run.seed)
        self.discriminator = Energy(run.network.model_dump(mode="json"), shape).on(device)
        self.generator = Generator(run.latent, run.width, shape).to(device)
        self.model = nn.ModuleList([self.discriminator, self.generator])
        self.average = AveragedModel(self.generator, multi_avg_fn=get_ema_multi_avg_fn(run.average))
        self.optimizer = torch.optim.Adam(self.model.parameters(), run.lr, run.betas)
        self.rows = self.total / LOG_EVERY
        self.log: list[dict[str, Any]] = []

    def step(self) -> None:
        """Do one iteration: the gradients of both players on the same batch, and one step of Adam on both."""
        x, _ = self.p_data.batch(self.iteration)
        made = self.generator(latents(self.run, LATENT, self.iteration, len(x)).to(self.device))
        x.requires_grad_()
        f_x, f_made = self.discriminator(x), self.discriminator(made.detach())
        loss = F.softplus(-f_x).mean() + F.softplus(f_made).mean()
        penalty = r1(f_x, x)
        wins = F.softplus(-self.discriminator(made)).mean()
        self.optimizer.zero_grad(set_to_none=True)
        (loss + self.run.r1 * penalty).backward(inputs=list(self.discriminator.parameters()))
        wins.backward(inputs=list(self.generator.parameters()))
        self.optimizer.step()
        self.average.update_parameters(self.generator)
        self.iteration += 1
        if self.iteration % LOG_EVERY == 0:
            values = torch.stack([loss, wins, penalty, f_x.mean(), f_made.mean()]).detach()
            names = ("loss", "generator_loss", "r1", "logit_data", "logit_generated")
            self.log.append({"iteration": self.iteration} | dict(zip(names, values.tolist(), strict=True)))
            self.diverged = not bool(values.isfinite().all())


def latents(run: GanStep, stream: int, number: int, n: int) -> Tensor:
    """Return the standard normal latents (n, latent) of an iteration, or of a batch of samples."""
    return torch.randn(n, run.latent, generator=generator(run.seed, stream, number))


def write_gan(job: Job, device: torch.device) -> None:
    """Train a GAN on p_data, or resume an interrupted training, and write its samples.

    Writes images.npy (n, H, W, C), uint8, from the averaged generator, its weights, and log.csv. Raises the errors of
    `complete`.
    """
    run, reals = GanStep(**job.settings), Stored(job.parent("p_data"))
    training = GanTrainer(job.spec["name"], run, reals.shape, device)
    key = (run.seed, P_DATA)
    with batches(job.parent("p_data"), run.augment, run.batch_size, key, device, ALONE) as training.p_data:
        complete(training, job, device, ALONE)
    best = cast(Generator, training.average.module)
    with atomic(job.folder / "images.npy") as temporary, temporary.open("wb") as file, torch.inference_mode():
        channels, height, width = reals.shape
        npy.begin_npy(file, "uint8", (run.n, height, width, channels))
        for number, rows in enumerate(cuts(run.n, run.batch_size)):
            made = best(latents(run, SAMPLES, number, rows.stop - rows.start).to(device))
            npy.append(file, to_bytes(made).permute(0, 2, 3, 1).cpu().numpy())
    save_weights(best.state_dict(), job.folder / "generator.safetensors")
    write_csv(job.folder / "log.csv", training.log)
    parameters = [sum(p.numel() for p in part.parameters()) for part in (training.discriminator, best)]
    job.finish(
        {
            "gan": job.spec["name"],
            "seed": run.seed,
            "iterations": training.iteration,
            "parameters": dict(zip(("discriminator", "generator"), parameters, strict=True)),
            "shape": list(reals.shape),
            "n": run.n,
            "device": device_name(device),
        }
    )
