"""Algorithms 1 and 2: binary adversarial training."""

import csv
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from ..attacks.langevin import langevin
from ..attacks.pgd import Logit, pgd
from ..data.stored import Stored
from ..data.stream import Stream
from ..device.cuda_graph import Captured
from ..device.precision import autocast, set_precision
from ..device.select import device_name, way
from ..models.energy import Confidence, Detector, Energy, confidence, load_logit_0, model_of
from ..models.folding import frozen
from ..models.released import adopt
from ..models.tensors import load_tensors
from ..models.weights import save_weights, size_of
from ..pipeline.job import Job, record_of
from ..utils.errors import ConfigError, ResultError, StoppedError
from ..utils.files import atomic, bytes_in, room
from ..utils.progress import progress
from ..utils.random import generator
from . import schedule
from .batches import batches, load_labels
from .checkpoint import FORMER, STATE, STATES, finite, load_state, save_state
from .distributed import ALONE, Group
from .losses import (
    auc,
    binary_at_loss,
    distance_to_uniform,
    log_likelihood,
    max_likelihood_loss,
    outlier_exposure_loss,
    r1,
)
from .monitor import Monitor
from .signals import signals, stops

LOG_EVERY = 20  # iterations; but for auc_advance, the only times at which the host waits for the device
SAVE_EVERY = 500  # iterations, of runs without a monitor
STREAMS = {"p_data": 1, "p_0": 2}  # of random numbers, by the images that they draw
NOISE = 3  # the stream of Langevin dynamics
OBJECTIVES = {"binary_at": binary_at_loss, "max_likelihood": max_likelihood_loss}
Update = Callable[..., tuple[Tensor, ...]]  # see `updating`
OF_DEVICE = {"fused", "capturable"}  # options of optimisers
MOMENTS = {"adam": 2, "sgd": 1}  # that an optimiser keeps of each weight
ROW = 200  # bytes of a line of the log
PLAIN = ("iteration", "gradient_steps", "diverged", "log", "checks", "best")  # of the state, saved as they are


@dataclass
class State:
    """All that changes during training, and all that a checkpoint holds."""

    model: Detector
    average: AveragedModel | None
    optimizer: torch.optim.Optimizer
    at: schedule.Progress
    labels: Tensor | None  # of p_data, where what is learnt is a classifier
    iteration: int = 0  # done
    gradient_steps: int = 0  # of all attacks so far, each of one batch
    diverged: bool = False
    log: list[dict[str, Any]] = field(default_factory=list)
    checks: list[dict[str, Any]] = field(default_factory=list)
    best: dict[str, Any] | None = None  # the check selected so far, and its weights

    @property
    def result(self) -> Detector:
        """What the run has learnt so far: the averaged weights where they are averaged."""
        return cast(Detector, self.average.module) if self.average is not None else self.model


def train(job: Job, device: torch.device, group: Group = ALONE, tensorboard: Path | None = None) -> None:
    """Train the run of a spec, resuming where an interrupted one stopped, and write its folder.

    Leaves best.safetensors (lowest distance on validation sources, from iteration monitor.start on; the last weights
    without a monitor), last.safetensors, log.csv and monitor.csv. Every process of `group` calls this; the first one
    writes. Raises DataError where the disk has no room for all that, ResultError when loss, logits or weights are no
    longer finite, and StoppedError, with the state saved, after SIGTERM or Ctrl-C.
    """
    if "weights" in job.settings:
        if group.leads:
            finish_with_released(job)
        return
    run = job.settings
    set_precision(run["precision"])
    monitor = Monitor(job, device, group) if run["monitor"] else None
    reals = Stored(job.parent("p_data"))
    state = initial(job, reals.shape, device)
    restore(state, load_state(job.checkpoints, device))
    per_K = schedule.iterations_per_K(run["schedule"]["epochs_per_K"], len(reals), run["batch_size"])
    update = updating(state, run, group)
    total, every = schedule.total_iterations(run["schedule"], per_K), run["monitor"]["every"] if monitor else SAVE_EVERY

    what = f"train {job.spec['name']} seed {run['seed']}"
    with (
        space(state, job, total) if group.leads else nullcontext(),
        signals() as received,
        streams(job, reals.shape, device, group) as (p_data, p_0),
        progress(what, total, state.iteration, not group.leads) as report,
        curves(tensorboard, job) as watch,
    ):
        if group.leads:
            print(f"{what}, {way(device, run['precision'], run['compile'])}", flush=True)
        while state.iteration < total and not state.diverged:
            if stops(state.iteration, received, group):
                save(state, job, group)
                said = f"{what}: stopped at iteration {state.iteration}; run it again to go on."
                raise StoppedError(said, received[0])
            row = iterate(state, run, p_data, p_0, per_K, group, update)
            if state.diverged and run["objective"] != "max_likelihood":  # with it, that is what there is to show
                raise divergence(state, job, str(row))
            if row:
                report(state.iteration, f"K {row['K']}  loss {row['loss']:.3f}")
                watch(row)
            if not state.diverged and (state.iteration % every == 0 or state.iteration == total):
                check(state, monitor, run, total)
                save(state, job, group)
    if group.leads:
        finish(job, state, reals.shape)


@contextmanager
def streams(job: Job, shape: tuple[int, ...], device: torch.device, group: Group) -> Iterator[list[Stream]]:
    """Batches of p_data and of p_0, whose image files are brought to `shape`, (C, H, W)."""
    run = job.settings
    with ExitStack() as stack:
        opened = []
        for role, number in STREAMS.items():
            how, key = run["augment"][role], (run["seed"], number)
            opening = batches(job.parent(role), how, run["batch_size"], key, device, group, shape)
            opened.append(stack.enter_context(opening))
        yield opened


def initial(job: Job, shape: Sequence[int], device: torch.device) -> State:
    """The state before the first iteration: fresh weights, or those of the pre-trained classifier (its logit 0)."""
    run, classes = job.settings, None
    labels = load_labels(job.parent("p_data")).to(device) if run["objective"] == "outlier_exposure" else None
    if labels is not None:
        classes = len(record_of(job.parent("p_data"))["classes"])
    torch.manual_seed(run["seed"])
    model = model_of({"network": run["network"], "shape": shape, "classes": classes})
    if isinstance(model, Energy) and "init" in job.spec["parents"]:
        load_logit_0(model, load_tensors(job.parent("init") / "model.safetensors"))
    model = model.on(device, run["precision"])
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(run["average"])) if run["average"] else None
    if run["compile"]:
        model.compile()
    at = schedule.Progress(run["schedule"]["K_start"])
    return State(model, average, optimizer_of(run["optimizer"], model), at, labels)


def optimizer_of(settings: dict[str, Any], model: nn.Module) -> torch.optim.Optimizer:
    """Of a run's settings; on a GPU in few kernels, and without looking at numbers that are there."""
    parameters, cuda = list(model.parameters()), next(model.parameters()).is_cuda
    if settings["name"] == "adam":
        options = {"fused": True, "capturable": True} if cuda else {}
        return torch.optim.Adam(parameters, lr=settings["lr"], betas=settings["betas"], **options)
    options = {"fused": True} if cuda else {}
    return torch.optim.SGD(parameters, lr=settings["lr"], momentum=settings["momentum"], nesterov=True, **options)


def iterate(
    state: State, run: dict[str, Any], p_data: Stream, p_0: Stream, per_K: int, group: Group, update: Update
) -> dict[str, Any] | None:
    """One iteration of Algorithm 2 (lines 3 to 5); returns the row it logged, every LOG_EVERY iterations."""
    K, attack = state.at.K, run["in_attack"]
    (positive, indices), (negative, _) = (stream.batch(state.iteration) for stream in (p_data, p_0))
    labels = [state.labels[indices]] if state.labels is not None else []
    loss, penalty, f_data, f_contrastive = update(K, positive, negative, *labels)
    if state.average is not None:
        state.average.update_parameters(state.model)

    state.iteration += 1
    state.gradient_steps += K + (attack["steps"] if attack else 0)
    f_data, f_contrastive = group.gather(f_data), group.gather(f_contrastive)
    threshold = run["schedule"]["auc_advance"]
    batch_auc = auc(f_data, f_contrastive).item() if threshold is not None else math.nan
    state.at = schedule.advance(state.at, run["schedule"]["K_max"], per_K, threshold, batch_auc)
    if state.iteration % LOG_EVERY:
        return None
    loss, penalty = (group.gather(part.view(1)).mean() for part in (loss, penalty))
    return log(state, K, loss, penalty, f_data, f_contrastive)


def updating(state: State, run: dict[str, Any], group: Group) -> Update:
    """What changes the weights once: `update_weights`, on a GPU that no other process helps as a CUDA graph."""
    work = partial(update_weights, state, run, group)
    captured = state.model.mean.device.type == "cuda" and group.size == 1 and not run["langevin"]
    return Captured(work) if captured else work


def update_weights(
    state: State,
    run: dict[str, Any],
    group: Group,
    K: int,
    positive: Tensor,
    negative: Tensor,
    labels: Tensor | None = None,
) -> tuple[Tensor, ...]:
    """Lines 4 and 5 of Algorithm 2 on images of p_data, with their labels where a classifier is learnt, and of p_0.

    Returns loss and R1, (), and f of the attacked images of p_data and of the contrastive samples, (B,).
    """
    model = state.model
    with autocast(run["precision"], model.mean.device):
        positive, negative = contrast(state, run, group, K, positive, negative, labels)
        positive = positive.detach().requires_grad_(run["r1"] > 0)
        if labels is not None and isinstance(model, Confidence):
            logits, logits_contrastive = model.logits(positive), model.logits(negative)
            f_data, f_contrastive = confidence(logits), confidence(logits_contrastive)
            loss = outlier_exposure_loss(logits, labels, logits_contrastive)
        else:
            f = model.forward if run["r1"] else model  # not the compiled one, which can be differentiated only once
            f_data, f_contrastive = f(positive), model(negative)
            loss = OBJECTIVES[run["objective"]](f_data, f_contrastive)
        penalty = r1(f_data, positive) if run["r1"] else loss.new_zeros(())
    state.optimizer.zero_grad(set_to_none=True)
    (loss + run["r1"] * penalty).backward(inputs=list(model.parameters()))
    group.average_gradients(model.parameters())
    state.optimizer.step()
    return loss.detach(), penalty.detach(), f_data.detach(), f_contrastive.detach()


def contrast(
    state: State,
    run: dict[str, Any],
    group: Group,
    K: int,
    positive: Tensor,
    negative: Tensor,
    labels: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """Of images of p_data and of p_0: those, attacked where the run says so, and the contrastive samples x* of line 4
    (by Langevin dynamics where the run says so)."""
    attack = run["in_attack"]
    f, f_0 = attacked(state.model, labels)
    with frozen(state.model):
        if attack:
            positive = pgd(f, positive, attack["steps"], -attack["step_size"], eps=attack["eps"])
        if run["langevin"]:
            noise = generator(run["seed"], NOISE, state.iteration, group.rank)  # each process has its own
            return positive, langevin(f_0, negative, K, run["langevin"]["step_size"], noise)
        return positive, pgd(f_0, negative, K, run["step_size"], eps=run["eps"])


def attacked(model: Detector, labels: Tensor | None) -> tuple[Logit, Logit]:
    """What attacks on images of p_data descend, and those on images of p_0 ascend: f; of a classifier, the likelihood
    of the labels, and the distance of the class probabilities from equal ones."""
    if labels is not None and isinstance(model, Confidence):
        return (lambda x: log_likelihood(model.logits(x), labels)), (lambda x: distance_to_uniform(model.logits(x)))
    return model, model


def log(state: State, K: int, loss: Tensor, penalty: Tensor, f_data: Tensor, f_contrastive: Tensor) -> dict[str, Any]:
    """Append one row on the whole batch to the log; where a number is not finite, the run has diverged."""
    values = torch.stack([loss, penalty, f_data.mean(), f_contrastive.mean(), auc(f_data, f_contrastive)]).tolist()
    names = ("loss", "r1", "logit_data", "logit_contrastive", "auc")
    row = {"iteration": state.iteration, "K": K, "gradient_steps": state.gradient_steps}
    row |= dict(zip(names, values, strict=True))
    state.log.append(row)
    state.diverged = not all(math.isfinite(value) for value in values)
    return row


def divergence(state: State, job: Job, shows: str) -> ResultError:
    """What to say of a run whose numbers are no longer finite, and what shows it."""
    kept = [name for name in (STATE, FORMER) if (job.checkpoints / name).exists()]
    again = f"goes on from the last good state, in {job.checkpoints}" if kept else "begins anew"
    return ResultError(
        f"train {job.spec['name']} seed {job.settings['seed']} diverged by iteration {state.iteration} "
        f"(K {state.at.K}): {shows}. Lower optimizer.lr or raise r1, which makes it another run; the same command "
        f"{again}."
    )


def space(state: State, job: Job, total: int) -> AbstractContextManager[None]:
    """Room for what the run has on the disk at most: its states, each with the log, the weights of its end, the log."""
    run, weights = job.settings, size_of(state.model)
    copies = 1 + MOMENTS[run["optimizer"]["name"]] + (state.average is not None) + (run["monitor"] is not None)
    rows = total / LOG_EVERY + (total / run["monitor"]["every"] * len(run["monitor"]["steps"]) if run["monitor"] else 0)
    size = STATES * copies * weights + 2 * weights + int((STATES + 1) * rows * ROW)
    return room(job.folder, size, "It goes on from what was saved.", bytes_in(job.checkpoints))


@contextmanager
def curves(folder: Path | None, job: Job) -> Iterator[Callable[[dict[str, Any]], None]]:
    """What shows a row of the log in TensorBoard, under `folder`; nothing without one."""
    if folder is None:
        yield lambda row: None
        return
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise ConfigError("TensorBoard is not installed: pip install tensorboard, or tensorboard: false.") from None
    with SummaryWriter(folder / job.spec_file.stem) as writer:

        def show(row: dict[str, Any]) -> None:
            for name in row.keys() - {"iteration"}:
                writer.add_scalar(name, row[name], row["iteration"])

        yield show


def save(state: State, job: Job, group: Group) -> None:
    """Keep what the run goes on from, never with numbers that are not finite: those raise ResultError.

    With max_likelihood such a state is only not kept.
    """
    if not group.leads:
        return
    saved = snapshot(state)
    if finite(saved):
        save_state(saved, job.checkpoints)
    elif job.settings["objective"] != "max_likelihood":
        raise divergence(state, job, "weights, or what the optimiser keeps of them, are not finite")


def check(state: State, monitor: Monitor | None, run: dict[str, Any], total: int) -> None:
    """Score the present weights on validation sources; keep them if they are the best from monitor.start on."""
    if monitor is None:
        return
    at = {"iteration": state.iteration, "gradient_steps": state.gradient_steps}
    rows = [at | row for row in monitor.distances(state.result)]
    state.checks += rows
    if state.iteration < min(run["monitor"]["start"], total):
        return
    winner = min(rows, key=lambda row: row["distance"])
    best = state.best["check"]["distance"] if state.best is not None else math.nan
    if winner["distance"] < best or not math.isfinite(best):  # a distance that is not finite never stays
        weights = {name: tensor.clone() for name, tensor in state.result.state_dict().items()}
        state.best = {"check": winner, "weights": weights}


def snapshot(state: State) -> dict[str, Any]:
    parts = {name: getattr(state, name) for name in PLAIN}
    return parts | {
        "model": state.model.state_dict(),
        "average": state.average.state_dict() if state.average is not None else None,
        "optimizer": state.optimizer.state_dict(),
        "at": asdict(state.at),
    }


def restore(state: State, saved: dict[str, Any] | None) -> None:
    """Bring a fresh state to where a checkpoint stands; randomness is a function of the iteration, so needs none."""
    if saved is None:
        return
    state.model.load_state_dict(saved["model"])
    if state.average is not None:
        state.average.load_state_dict(saved["average"])
    own = [{key: group[key] for key in group.keys() & OF_DEVICE} for group in state.optimizer.param_groups]
    state.optimizer.load_state_dict(saved["optimizer"])
    for group, options in zip(state.optimizer.param_groups, own, strict=True):
        group.update(options)  # what is saved may be of another device
    state.at = schedule.Progress(**saved["at"])
    for name in PLAIN:
        setattr(state, name, saved[name])


def finish(job: Job, state: State, shape: Iterable[int]) -> None:
    """Write the run's folder; `shape` is that of one image, (C, H, W)."""
    final = [row for row in state.checks if row["iteration"] == state.iteration]
    last = min(final, key=lambda row: row["distance"]) if final else None
    best = state.best or {"check": None, "weights": state.result.state_dict()}
    save_weights(best["weights"], job.folder / "best.safetensors")
    save_weights(state.result.state_dict(), job.folder / "last.safetensors")
    write_csv(job.folder / "log.csv", state.log)
    write_csv(job.folder / "monitor.csv", state.checks)
    model, parameters = state.model, sum(parameter.numel() for parameter in state.model.parameters())
    job.finish(
        {
            "run": job.spec["name"],
            "seed": job.settings["seed"],
            "iterations": state.iteration,
            "gradient_steps": state.gradient_steps,
            "network": job.settings["network"],
            "shape": list(shape),
            **({"classes": model.classes} if isinstance(model, Confidence) else {}),
            "parameters": parameters,
            "diverged": state.diverged or not finite(state.result.state_dict()),
            "best": best["check"],
            "last": last,
            "device": device_name(next(state.model.parameters()).device),
        }
    )


def finish_with_released(job: Job) -> None:
    """Write the folder of a run that was not trained here but by the authors: there are no curves and no checks."""
    path, record = adopt(job)
    weights = load_tensors(path)
    for name in ("best.safetensors", "last.safetensors"):
        save_weights(weights, job.folder / name)
    for name in ("log.csv", "monitor.csv"):
        write_csv(job.folder / name, [])
    released = {key: record[key] for key in ("file", "sha256", "verified")}
    same = {key: record[key] for key in ("network", "shape", "parameters")}
    nothing = dict.fromkeys(("iterations", "gradient_steps", "best", "last", "device"))
    run = {"run": job.spec["name"], "seed": job.settings["seed"]}
    job.finish({**run, **same, **nothing, "diverged": False, "released": released})


def write_csv(path: Path, rows: list[dict[str, Any]]) -> None:
    with atomic(path) as temporary, temporary.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0] if rows else ["iteration"])
        writer.writeheader()
        writer.writerows(rows)
