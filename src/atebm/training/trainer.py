"""Run Algorithms 1 and 2, binary adversarial training: `Trainer.step` is one iteration."""

import math
from collections.abc import Callable
from dataclasses import asdict
from itertools import repeat
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from ..attacks.langevin import langevin
from ..attacks.pgd import Logit, gradient, pgd, pgd_beside
from ..config.training import Langevin, Optimizer, TrainStep
from ..data.stream import Stream
from ..device.cuda_graph import Captured
from ..device.precision import autocast
from ..models.energy import Confidence, Detector, confidence
from ..models.folding import frozen
from ..utils.errors import ConfigError
from ..utils.random import generator
from . import schedule
from .distributed import ALONE, Group
from .losses import (
    OBJECTIVES,
    auc,
    distance_to_uniform,
    energy_l2,
    log_likelihood,
    outlier_exposure_loss,
    r1,
    r1_of,
    with_slope,
)
from .monitor import Monitor
from .replay import Replay
from .resumable import Resumable

LOG_EVERY = 20  # iterations; without auc_advance, the host waits for the device only then
NOISE, CHAINS = 3, 4  # streams of random numbers: noise of Langevin dynamics, and starts of its chains


class Trainer(Resumable):
    """A run in training, with all that Algorithm 2 changes. Set the streams p_data and p_0 before the first step."""

    PLAIN = ("iteration", "gradient_steps", "diverged", "log", "checks", "best")
    STATEFUL = ("model", "average", "optimizer", "replay")
    remedy = "Lower optimizer.lr or raise r1"
    model: Detector
    p_data: Stream
    p_0: Stream

    def __init__(
        self,
        name: str,
        run: TrainStep,
        model: Detector,  # with its first weights, on the device where it is trained
        images: int,  # the number of images of p_data
        group: Group = ALONE,
        labels: Tensor | None = None,  # labels of p_data, (images,), on the device; only for a classifier
        monitor: Monitor | None = None,
        shape: tuple[int, ...] = (),  # of an image, (C, H, W); only for a buffer of samples
        micro_batch: int | None = None,  # images of a batch that are in memory at once; None: all
    ):
        self.what, self.run, self.group = f"train {name} seed {run.seed}", run, group
        self.model, self.device, self.labels, self.monitor = model, model.mean.device, labels, monitor
        self.average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(run.average)) if run.average else None
        self.result = model if self.average is None else cast(Detector, self.average.module)  # the model to keep
        self.replay: Replay | None = None
        if run.langevin and run.langevin.buffer:
            if group.size > 1:
                raise ConfigError(f"{self.what}: a buffer of samples needs a single process: set gpus_per_run: 1.")
            self.replay = Replay(run.langevin, shape, self.device)
        if run.compile:  # once per batch size: one attack, both attacks together, the monitor
            for compiled in {model, self.result}:
                compiled.compile(dynamic=False)
        self.optimizer = optimizer_of(run.optimizer, model)
        self.per_K, self.total = schedule.lengths(run, images)
        self.every = monitor.settings.every if monitor else self.every
        self.copies = {"adam": 3, "sgd": 2}[run.optimizer.name] + bool(self.average) + bool(monitor)
        self.rows = self.total / LOG_EVERY + (self.total / self.every * len(monitor.steps) if monitor else 0)
        self.at = schedule.Progress(run.schedule.K_start)
        self.gradient_steps = 0  # of all attacks so far; one step moves one batch
        self.log: list[dict[str, Any]] = []
        self.checks: list[dict[str, Any]] = []
        self.best: dict[str, Any] | None = None  # the check selected so far, and its weights
        self.watch: Callable[[dict[str, Any]], None] = lambda row: None  # called with each row of the log
        self.may_diverge = run.objective == "max_likelihood"  # Sec. 5.3 shows its divergence
        # benchmarks/r1.py measures the gain. For a small network on a CPU, differentiating twice is faster.
        self.forward_mode = run.r1 > 0 and (run.compile or self.device.type == "cuda")
        whole = run.compile and self.forward_mode
        self.objective = torch.compile(self.minimised, fullgraph=True) if whole else self.minimised
        self.micro_batch = None if run.langevin else micro_batch  # chains and their buffer need whole batches
        # With several processes, the graph ends before they share gradients; else it includes the optimiser's step.
        apart, alone = self.capturable and group.size > 1, self.capturable and group.size == 1
        self.gradients = Captured(self.attacked_gradients) if apart else self.attacked_gradients
        self.update = Captured(self.attack_and_update) if alone else self.attack_and_update

    def step(self) -> None:
        """Do one iteration of Algorithm 2, its lines 3 to 5, at the present K; with a fixed K it is Algorithm 1."""
        K = self.at.K
        # Line 3: draw samples x_i from p_data, and x_i^0 from p_0.
        (x, indices), (x_0, _) = self.p_data.batch(self.iteration), self.p_0.batch(self.iteration)
        labels = [self.labels[indices]] if self.labels is not None else []
        # Lines 4 and 5, on a GPU as a CUDA graph.
        loss, penalty, f_x, f_x_star = self.update(K, x, x_0, *labels)
        if self.average is not None:
            self.average.update_parameters(self.model)
        self.count(K, loss, penalty, f_x, f_x_star)
        if self.monitor and self.due:
            self.check(self.monitor)

    def attack_and_update(self, K: int, x: Tensor, x_0: Tensor, labels: Tensor | None = None) -> tuple[Tensor, ...]:
        """Do lines 4 and 5 of Algorithm 2 on images x of p_data, with labels (B,), and x_0 of p_0, all (B, C, H, W).

        Returns loss and R1, (), and f of the images of p_data and of the contrastive samples, (B,).
        """
        outputs = self.gradients(K, x, x_0, *([] if labels is None else [labels]))
        self.group.average_gradients(self.model.parameters())
        self.optimizer.step()
        return outputs

    def attacked_gradients(self, K: int, x: Tensor, x_0: Tensor, labels: Tensor | None = None) -> tuple[Tensor, ...]:
        """Do line 4 and compute the gradient of line 5; return the same as `attack_and_update`.

        The loss is a mean over a batch, and no network mixes images: so parts of `micro_batch` images, one after
        another, give the gradient of the whole batch, up to rounding.
        """
        self.optimizer.zero_grad(set_to_none=True)
        size, whole = self.micro_batch or len(x), len(x)
        if size >= whole:
            return self.add_gradients(K, x, x_0, labels, 1)
        split = repeat(None) if labels is None else labels.split(size)
        parts = list(zip(x.split(size), x_0.split(size), split, strict=False))
        shares = [len(part[0]) / whole for part in parts]
        found = [self.add_gradients(K, *part, share) for part, share in zip(parts, shares, strict=True)]
        loss, penalty, f_x, f_x_star = zip(*found, strict=True)
        means = (sum(share * part for share, part in zip(shares, of, strict=True)) for of in (loss, penalty))
        return (*means, torch.cat(f_x), torch.cat(f_x_star))

    def add_gradients(
        self, K: int, x: Tensor, x_0: Tensor, labels: Tensor | None, share: float
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Attack some images and add their `share` of the gradient to that of the parameters."""
        run, model = self.run, self.model
        with autocast(run.precision, self.device):
            with frozen(model):
                x, x_star = self.attack(K, x, x_0, labels)
                g = gradient(model, x) if self.forward_mode else None
            # Line 5: D climbs mean log D(x) + mean log(1 - D(x*)), Eq. 11, whose gradient is Eq. 14; and R1 on p_data.
            total, loss, penalty, f_x, f_x_star = self.objective(x.detach(), x_star, labels, g)
        (total if share == 1 else share * total).backward(inputs=list(model.parameters()))
        return loss.detach(), penalty.detach(), f_x.detach(), f_x_star.detach()

    def attack(self, K: int, x: Tensor, x_0: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return the images of p_data that the update sees, and the contrastive samples, (B, C, H, W)."""
        run, inner = self.run, self.run.in_attack
        f, f_0 = self.attacked(labels)
        if inner and f is f_0 and not run.langevin and self.device.type == "cuda":  # a joint batch changes last digits
            steps, sizes = (inner.steps, K), (-inner.step_size, run.step_size)
            x, x_star = pgd_beside(f, (x, x_0), steps, sizes, (inner.eps, run.eps))
            return x, x_star
        if inner:  # descend from x within a ball, as in the authors' script; the paper does not mention it
            x = pgd(f, x, inner.steps, -inner.step_size, eps=inner.eps)
        # Line 4: K steps of the PGD attack, Eq. 8 (with eps: Eq. 7), from x_0 up to x*; or of Eq. 3.
        if run.langevin:
            return x, self.chains(run.langevin, f_0, x_0, K)
        return x, pgd(f_0, x_0, K, run.step_size, eps=run.eps)

    def chains(self, how: Langevin, f_0: Logit, x_0: Tensor, K: int) -> Tensor:
        """Return the ends (B, ...) of chains of Langevin dynamics, from x_0 (B, ...) or from the replay buffer."""
        key = (self.iteration, self.group.rank)  # each process has its own noise
        noise = generator(self.run.seed, NOISE, *key)
        if self.replay is None:
            return langevin(f_0, x_0, K, how.step_size, noise, noise=how.noise)
        start, places = self.replay.draw(x_0, generator(self.run.seed, CHAINS, *key))
        x_star = langevin(f_0, start, K, how.step_size, noise, noise=how.noise, clamp=True)
        self.replay.keep(places, x_star)
        return x_star

    def attacked(self, labels: Tensor | None) -> tuple[Logit, Logit]:
        """Return the function that attacks on p_data descend, and the one that attacks on p_0 ascend: usually f and f.

        For a classifier they are the likelihood of the labels, and the distance of its probabilities from equal ones.
        """
        model = self.model
        if labels is not None and isinstance(model, Confidence):
            return (lambda x: log_likelihood(model.logits(x), labels)), (lambda x: distance_to_uniform(model.logits(x)))
        return model, model

    def minimised(
        self, x: Tensor, x_star: Tensor, labels: Tensor | None, g: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Return the value that an iteration minimises, its loss and R1, (), and f of both kinds of images, (B,).

        With g = grad_x f(x), derivatives of R1 are computed in forward mode, otherwise by differentiating twice.
        """
        run = self.run
        if g is not None:

            def f(x: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
                loss, f_x, f_x_star = self.loss(x, x_star, labels)
                return f_x, (loss, f_x_star)

            f_x, slopes, (loss, f_x_star) = with_slope(f, x, g)
            return loss + run.r1 * slopes.mean(), loss, r1_of(g), f_x, f_x_star
        x.requires_grad_(run.r1 > 0)
        loss, f_x, f_x_star = self.loss(x, x_star, labels)
        penalty = r1(f_x, x) if run.r1 else loss.new_zeros(())
        return loss + run.r1 * penalty, loss, penalty, f_x, f_x_star

    def loss(self, x: Tensor, x_star: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """Return the loss without R1, (), and f of images of p_data and of contrastive samples, (B,)."""
        model = self.model
        if labels is not None and isinstance(model, Confidence):
            logits, logits_star = model.logits(x), model.logits(x_star)
            loss = outlier_exposure_loss(logits, labels, logits_star, self.run.outlier_weight)
            return loss, confidence(logits), confidence(logits_star)
        # A compiled model can be differentiated only once; with R1, `minimised` is compiled as a whole instead.
        f = model.forward if self.run.r1 else model
        f_x, f_x_star = f(x), f(x_star)
        loss = OBJECTIVES[self.run.objective](f_x, f_x_star)
        if self.run.langevin and self.run.langevin.energy_l2:
            loss = loss + self.run.langevin.energy_l2 * energy_l2(f_x, f_x_star)
        return loss, f_x, f_x_star

    def count(self, K: int, loss: Tensor, penalty: Tensor, f_x: Tensor, f_x_star: Tensor) -> None:
        """Count an iteration with this K, let K grow if it is time, and log every LOG_EVERY iterations."""
        run = self.run
        self.iteration += 1
        self.gradient_steps += K + (run.in_attack.steps if run.in_attack else 0)
        f_x, f_x_star = self.group.gather(f_x), self.group.gather(f_x_star)
        threshold = run.schedule.auc_advance
        batch_auc = auc(f_x, f_x_star).item() if threshold is not None else math.nan
        self.at = schedule.advance(self.at, run.schedule.K_max, self.per_K, threshold, batch_auc)
        if self.iteration % LOG_EVERY:
            return
        loss, penalty = (self.group.gather(part.view(1)).mean() for part in (loss, penalty))
        values = torch.stack([loss, penalty, f_x.mean(), f_x_star.mean(), auc(f_x, f_x_star)]).tolist()
        row = {"iteration": self.iteration, "K": K, "gradient_steps": self.gradient_steps}
        row |= dict(zip(("loss", "r1", "logit_data", "logit_contrastive", "auc"), values, strict=True))
        self.log.append(row)
        self.diverged = not all(map(math.isfinite, values))
        self.watch(row)

    def check(self, monitor: Monitor) -> None:
        """Score the present weights on validation sources; keep them if they are the best from monitor.start on."""
        at = {"iteration": self.iteration, "gradient_steps": self.gradient_steps}
        rows = [at | row for row in monitor.distances(self.result)]
        self.checks += rows
        if self.iteration < min(monitor.settings.start, self.total):
            return
        winner = min(rows, key=lambda row: row["distance"])
        best = self.best["check"]["distance"] if self.best is not None else math.nan
        if winner["distance"] < best or not math.isfinite(best):  # replace a distance that is not finite
            weights = {name: tensor.clone() for name, tensor in self.result.state_dict().items()}
            self.best = {"check": winner, "weights": weights}

    @property
    def ended(self) -> bool:
        """Return whether the run is at its end, or beyond the gap of logits at which it should stop (Sec. 5.3)."""
        stop, gap = self.run.stop_at_gap, 0.0
        if stop is not None and self.log:
            gap = self.log[-1]["logit_data"] - self.log[-1]["logit_contrastive"]
        return super().ended or (stop is not None and gap > stop)

    @property
    def note(self) -> str:
        return f"K {self.at.K}" + (f"  loss {self.log[-1]['loss']:.3f}" if self.log else "")

    @property
    def capturable(self) -> bool:
        """Return whether an update runs the same kernels each time on a GPU."""
        return self.device.type == "cuda" and not self.run.langevin

    def snapshot(self) -> dict[str, Any]:
        """Return the snapshot of a `Resumable`, with the state of the schedule."""
        return super().snapshot() | {"at": asdict(self.at)}

    def restore(self, saved: dict[str, Any]) -> None:
        """Set the run and its schedule to the state of a snapshot."""
        super().restore(saved)
        self.at = schedule.Progress(**saved["at"])


def optimizer_of(settings: Optimizer, model: nn.Module) -> torch.optim.Optimizer:
    """Make the optimiser of a run; on a GPU it uses few kernels, and none makes the host wait."""
    parameters, cuda = list(model.parameters()), next(model.parameters()).is_cuda
    fused = True if cuda else None  # None: PyTorch's choice
    if settings.name == "adam":
        return torch.optim.Adam(parameters, settings.lr, settings.betas, fused=fused, capturable=cuda)
    return torch.optim.SGD(parameters, settings.lr, settings.momentum, nesterov=True, fused=fused)
