"""Algorithms 1 and 2: binary adversarial training."""

import csv
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from ..attacks.pgd import pgd
from ..data.loader import augment, batch_indices, load, to_float
from ..energy import Energy
from ..errors import ResultError, StoppedError
from ..files import atomic
from ..job import Job
from ..progress import progress
from . import schedule
from .checkpoint import load_state, save_state, save_weights
from .interrupt import signals
from .monitor import Monitor
from .objectives import auc, binary_at_loss, r1

LOG_EVERY = 20  # iterations; but for auc_advance, the only times at which the host waits for the device
DATA, CONTRASTIVE = 1, 2  # names of the two random streams


@dataclass
class State:
    """All that changes during training, and all that a checkpoint holds."""

    model: Energy
    average: AveragedModel | None
    optimizer: torch.optim.Optimizer
    at: schedule.Progress
    iteration: int = 0  # done
    gradient_steps: int = 0  # steps of the attacks on p_0 so far, each of one batch
    log: list[dict[str, Any]] = field(default_factory=list)
    checks: list[dict[str, Any]] = field(default_factory=list)
    best: dict[str, Any] | None = None  # the check selected so far, and its weights

    @property
    def result(self) -> Energy:
        """What the run has learnt so far: the averaged weights where they are averaged."""
        return cast(Energy, self.average.module) if self.average is not None else self.model


def train(job: Job, device: torch.device) -> None:
    """Train the run of a spec, resuming where an interrupted one stopped, and write its folder.

    Leaves best.safetensors (lowest distance on validation sources, from iteration monitor.start on), last.safetensors,
    log.csv and monitor.csv. Raises ResultError when loss or logits are no longer finite, and StoppedError, with
    the state saved, after SIGTERM or Ctrl-C.
    """
    run, seed = job.settings, job.settings["seed"]
    p_data, p_0 = load(job.parent("p_data"), device), load(job.parent("p_0"), device)
    monitor = Monitor(job, p_data, device)
    torch.manual_seed(seed)  # the initial weights
    model = Energy(run["network"], p_data.shape[1:]).on(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=run["optimizer"]["lr"], betas=run["optimizer"]["betas"])
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(run["average"])) if run["average"] else None
    state = State(model, average, optimizer, schedule.Progress(run["schedule"]["K_start"]))
    restore(state, load_state(job.checkpoints / "state.pt", device))

    total, what = run["schedule"]["iterations"], f"train {job.spec['name']} seed {seed}"
    with signals() as received, progress(what, total, state.iteration) as report:
        while state.iteration < total:
            if received:
                save_state(snapshot(state), job.checkpoints / "state.pt")
                raise StoppedError(f"{what}: stopped at iteration {state.iteration}; run it again to go on.", *received)
            row = iterate(state, run, p_data, p_0)
            if row:
                report(state.iteration, f"K {row['K']}  loss {row['loss']:.3f}")
            if state.iteration % run["monitor"]["every"] == 0 or state.iteration == total:
                check(state, monitor, run)
                save_state(snapshot(state), job.checkpoints / "state.pt")
    finish(job, state, p_data.shape[1:])


def iterate(state: State, run: dict[str, Any], p_data: Tensor, p_0: Tensor) -> dict[str, Any] | None:
    """One iteration of Algorithm 2 (lines 3 to 5); returns the row it logged, every LOG_EVERY iterations."""
    model, K = state.model, state.at.K
    positive = draw(p_data, run, state.iteration, DATA)
    negative = draw(p_0, run, state.iteration, CONTRASTIVE)
    if run["in_attack"]:
        positive = pgd(model, positive, run["in_attack"]["steps"], -run["in_attack"]["step_size"])
    negative = pgd(model, negative, K, run["step_size"])

    f_data, f_contrastive = model(positive), model(negative)
    loss = binary_at_loss(f_data, f_contrastive)
    penalty = r1(model, positive) if run["r1"] else loss.new_zeros(())
    state.optimizer.zero_grad(set_to_none=True)
    (loss + run["r1"] * penalty).backward()
    state.optimizer.step()
    if state.average is not None:
        state.average.update_parameters(model)

    state.iteration += 1
    state.gradient_steps += K
    per_K = math.ceil(run["schedule"]["epochs_per_K"] * (len(p_data) // run["batch_size"]))
    threshold = run["schedule"]["auc_advance"]
    batch_auc = auc(f_data.detach(), f_contrastive.detach()).item() if threshold is not None else math.nan
    state.at = schedule.advance(state.at, run["schedule"]["K_max"], per_K, threshold, batch_auc)
    if state.iteration % LOG_EVERY:
        return None
    return log(state, K, loss, penalty, f_data, f_contrastive)


def draw(images: Tensor, run: dict[str, Any], iteration: int, stream: int) -> Tensor:
    """The batch of one iteration, augmented, as floats in [0, 1]."""
    indices = batch_indices(len(images), run["batch_size"], iteration, run["seed"], stream).to(images.device)
    batch = to_float(images[indices])
    return augment(batch, run["augment"], run["seed"], stream, iteration)


def log(state: State, K: int, loss: Tensor, penalty: Tensor, f_data: Tensor, f_contrastive: Tensor) -> dict[str, Any]:
    """Append one row to the log. Raises ResultError when a number of it is not finite."""
    values = torch.stack([loss, penalty, f_data.mean(), f_contrastive.mean(), auc(f_data, f_contrastive)]).tolist()
    names = ("loss", "r1", "logit_data", "logit_contrastive", "auc")
    row = {"iteration": state.iteration, "K": K, "gradient_steps": state.gradient_steps}
    row |= dict(zip(names, values, strict=True))
    if not all(math.isfinite(value) for value in values):
        raise ResultError(
            f"training diverged by iteration {state.iteration} (K {K}): {row}. Lower optimizer.lr or raise r1."
        )
    state.log.append(row)
    return row


def check(state: State, monitor: Monitor, run: dict[str, Any]) -> None:
    """Score the present weights on validation sources; keep them if they are the best from monitor.start on."""
    if state.iteration < run["monitor"]["start"] and state.iteration < run["schedule"]["iterations"]:
        return
    rows = [{"iteration": state.iteration, **row} for row in monitor.distances(state.result)]
    state.checks += rows
    winner = min(rows, key=lambda row: row["distance"])
    if state.best is None or winner["distance"] < state.best["check"]["distance"]:
        weights = {name: tensor.clone() for name, tensor in state.result.state_dict().items()}
        state.best = {"check": winner, "weights": weights}


def snapshot(state: State) -> dict[str, Any]:
    parts = {name: getattr(state, name) for name in ("iteration", "gradient_steps", "log", "checks", "best")}
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
    state.optimizer.load_state_dict(saved["optimizer"])
    state.at = schedule.Progress(**saved["at"])
    for name in ("iteration", "gradient_steps", "log", "checks", "best"):
        setattr(state, name, saved[name])


def finish(job: Job, state: State, shape: Iterable[int]) -> None:
    """Write the run's folder; `shape` is that of one image, (C, H, W)."""
    assert state.best is not None  # the last iteration is always checked
    last = min((row for row in state.checks if row["iteration"] == state.iteration), key=lambda row: row["distance"])
    save_weights(state.best["weights"], job.folder / "best.safetensors")
    save_weights(state.result.state_dict(), job.folder / "last.safetensors")
    write_csv(job.folder / "log.csv", state.log)
    write_csv(job.folder / "monitor.csv", state.checks)
    parameters = sum(parameter.numel() for parameter in state.model.parameters())
    job.finish(
        {
            "run": job.spec["name"],
            "seed": job.settings["seed"],
            "iterations": state.iteration,
            "gradient_steps": state.gradient_steps,
            "network": job.settings["network"],
            "shape": list(shape),
            "parameters": parameters,
            "best": state.best["check"],
            "last": last,
            "device": device_name(next(state.model.parameters()).device),
        }
    )


def write_csv(path: Path, rows: list[dict[str, Any]]) -> None:
    with atomic(path) as temporary, temporary.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0] if rows else ["iteration"])
        writer.writeheader()
        writer.writerows(rows)


def device_name(device: torch.device) -> str:
    """What the numbers were computed on: "cpu", or the GPU's name."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
