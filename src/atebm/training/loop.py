"""Compute the `train` step: a run of binary adversarial training, or the authors' weights in its place."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import torch

from ..archives.tensors import load_tensors
from ..config.augment import Augment
from ..config.training import TrainStep
from ..data.stored import Stored
from ..data.stream import Stream
from ..device.precision import set_precision
from ..device.select import device_name, way
from ..models.energy import Confidence, Detector, Energy, load_logit_0, model_of
from ..models.released import adopt
from ..models.weights import save_weights
from ..pipeline.job import Job, record_of
from ..utils.errors import ConfigError
from .batches import batches, load_labels
from .checkpoint import finite
from .classifier import held_out_accuracy
from .distributed import ALONE, Group
from .monitor import Monitor
from .resumable import complete
from .tables import write_csv
from .trainer import Trainer

STREAMS = {"p_data": 1, "p_0": 2}  # streams of random numbers, by the images that they draw


def train(
    job: Job,
    device: torch.device,
    group: Group = ALONE,
    tensorboard: Path | None = None,
    micro_batch: int | None = None,
) -> None:
    """Train the run of a spec, or resume an interrupted training, and write its folder.

    Writes best.safetensors (smallest distance on validation sources, from iteration monitor.start on; without a
    monitor, the last weights), last.safetensors, log.csv and monitor.csv. Every process of `group` calls this; the
    first one writes. Raises the errors of `complete`.
    """
    if "weights" in job.settings:
        if group.leads:
            finish_with_released(job)
        return
    run, reals = TrainStep(**job.settings), Stored(job.parent("p_data"))
    set_precision(run.precision, run.deterministic)
    monitor = Monitor(job, run.monitor, device, group, run.precision) if run.monitor else None
    labels = load_labels(job.parent("p_data")).to(device) if run.objective == "outlier_exposure" else None
    model = first_model(job, run, reals.shape).on(device, run.precision)
    trainer = Trainer(job.spec["name"], run, model, len(reals), group, labels, monitor, reals.shape, micro_batch)

    def stream(role: str, how: Augment) -> AbstractContextManager[Stream]:
        key = (run.seed, STREAMS[role])
        return batches(job.parent(role), how, run.batch_size, key, device, group, reals.shape)

    with (
        stream("p_data", run.augment.p_data) as trainer.p_data,
        stream("p_0", run.augment.p_0) as trainer.p_0,  # image files of p_0 get the shape of p_data's images
        curves(tensorboard, job) as trainer.watch,
    ):
        if group.leads:
            print(f"{trainer.what}, {way(device, run.precision, run.compile)}", flush=True)
        complete(trainer, job, device, group)
    if group.leads:
        finish(job, trainer, reals.shape)


def first_model(job: Job, run: TrainStep, shape: Sequence[int]) -> Detector:
    """Make the model for images of `shape` (C, H, W), with fresh weights or those of a pre-trained classifier."""
    classes = len(record_of(job.parent("p_data"))["classes"]) if run.objective == "outlier_exposure" else None
    torch.manual_seed(run.seed)
    model = model_of({"network": run.network.model_dump(mode="json"), "shape": shape, "classes": classes})
    if isinstance(model, Energy) and "init" in job.spec["parents"]:
        load_logit_0(model, load_tensors(job.parent("init") / "model.safetensors"))
    return model


@contextmanager
def curves(folder: Path | None, job: Job) -> Iterator[Callable[[dict[str, Any]], None]]:
    """Give a function that shows a row of the log in TensorBoard, under `folder`; without `folder` it does nothing."""
    if folder is None:
        yield lambda row: None
        return
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise ConfigError("TensorBoard is not installed: pip install tensorboard, or set tensorboard: false.") from None
    with SummaryWriter(folder / job.spec_file.stem) as writer:

        def show(row: dict[str, Any]) -> None:
            for name in row.keys() - {"iteration"}:
                writer.add_scalar(name, row[name], row["iteration"])

        yield show


def finish(job: Job, trainer: Trainer, shape: Sequence[int]) -> None:
    """Write the run's folder; `shape` is the shape of one image, (C, H, W)."""
    run, model, weights = trainer.run, trainer.model, trainer.result.state_dict()
    final = [row for row in trainer.checks if row["iteration"] == trainer.iteration]
    best = trainer.best or {"check": None, "weights": weights}
    save_weights(best["weights"], job.folder / "best.safetensors")
    save_weights(weights, job.folder / "last.safetensors")
    write_csv(job.folder / "log.csv", trainer.log)
    write_csv(job.folder / "monitor.csv", trainer.checks)
    job.finish(
        {
            "run": job.spec["name"],
            "seed": run.seed,
            "iterations": trainer.iteration,
            "gradient_steps": trainer.gradient_steps,
            "network": run.network.model_dump(mode="json"),
            "shape": list(shape),
            **(classified(job, trainer.result, shape[1]) if isinstance(trainer.result, Confidence) else {}),
            "parameters": sum(parameter.numel() for parameter in model.parameters()),
            "diverged": trainer.diverged or not finite(weights),
            "best": best["check"],
            "last": min(final, key=lambda row: row["distance"], default=None),
            "device": device_name(trainer.device),
        }
    )


def classified(job: Job, model: Confidence, size: int) -> dict[str, Any]:
    """Return a classifier's entries in the record: the number of classes, and the accuracy on held-out labels.

    The accuracy shows whether a baseline learnt anything.
    """
    return {"classes": model.classes, "accuracy": held_out_accuracy(model, job, size, model.mean.device)}


def finish_with_released(job: Job) -> None:
    """Write the folder of a run with the authors' weights, which has no curves and no checks."""
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
