"""One seeded classifier of a set's labels: a run's pre-training (Sec. 4.4, regularization), or a stand-in extractor.

As an extractor it takes the place of Inception, whose weights are not at hand at small scales: its features give
distances that rank images of its set; they are not FID, and comparable only among runs scored by the very same
classifier.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ..data.index import is_index
from ..data.stored import Stored
from ..data.stream import Stream, iterate_set, watched
from ..device.select import device_name
from ..evaluation.features import extract, of_classifier
from ..models.energy import Classifier
from ..models.released import adopt
from ..models.tensors import load_tensors
from ..models.weights import save_weights, size_of
from ..pipeline.job import Job, record_of
from ..utils.errors import ResultError, StoppedError
from ..utils.files import bytes_in, room
from ..utils.progress import progress
from .batches import batches, load_labels
from .checkpoint import STATES, finite, load_state, save_state
from .distributed import ALONE, Group
from .loop import SAVE_EVERY
from .signals import signals, stops

STREAM = 0  # of random numbers; training has others


class Fit:
    """A classifier in training, with all that changes on the way; a checkpoint holds the same."""

    def __init__(
        self, settings: dict[str, Any], shape: tuple[int, ...], classes: int, total: int, device: torch.device
    ):
        torch.manual_seed(settings["seed"])
        self.model = Classifier(settings["network"], shape, classes).on(device)
        self.optimizer = torch.optim.Adam(self.model.parameters())
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(self.optimizer, settings["lr"], total_steps=total)
        self.iteration, self.total = 0, total

    def step(self, x: Tensor, labels: Tensor, group: Group) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        F.cross_entropy(self.model(x), labels).backward()
        group.average_gradients(self.model.parameters())
        self.optimizer.step()
        self.schedule.step()
        self.iteration += 1

    def snapshot(self) -> dict[str, Any]:
        parts = {name: getattr(self, name).state_dict() for name in ("model", "optimizer", "schedule")}
        return parts | {"iteration": self.iteration}

    def restore(self, saved: dict[str, Any] | None) -> None:
        if saved:
            self.iteration = saved["iteration"]
            for name in ("model", "optimizer", "schedule"):
                getattr(self, name).load_state_dict(saved[name])


def train_classifier(job: Job, device: torch.device, group: Group = ALONE) -> None:
    """Train on p_data's labels, assert the accuracy on held-out labels, and write the step's folder.

    Resumes where an interrupted one stopped. Every process of `group` calls this; the first one writes. Raises
    DataError where the disk has no room for its states, ResultError when numbers are no longer finite or the held-out
    accuracy is below min_accuracy, and StoppedError, with the state saved, after SIGTERM or Ctrl-C.
    """
    settings, what = job.settings, f"{job.spec['kind']} {job.spec['name']}"
    if "weights" in settings:
        if group.leads:
            finish_with_released(job)
        return
    classes, shape = record_of(job.parent("p_data"))["classes"], shape_of(job)
    key = (settings["seed"], STREAM)
    with (
        signals() as received,
        batches(job.parent("p_data"), settings["augment"], settings["batch_size"], key, device, group, shape) as images,
    ):
        fit = Fit(settings, shape, len(classes), settings["epochs"] * (len(images) // settings["batch_size"]), device)
        fit.restore(load_state(job.checkpoints, device))
        with space(fit, job) if group.leads else nullcontext():
            go_on(fit, job, images, received, group)
    accuracy = held_out_accuracy(fit.model, job, shape[1], device)
    print(f"held-out accuracy {accuracy:.4f}")
    if not accuracy >= settings["min_accuracy"]:
        raise ResultError(
            f"{what} reaches {accuracy:.3f} on held-out labels, below its min_accuracy {settings['min_accuracy']}: "
            "raise its epochs."
        )
    if group.leads:
        save_weights(fit.model.state_dict(), job.folder / "model.safetensors")
        job.finish(
            {
                job.spec["kind"]: job.spec["name"],
                "kind": "classifier",
                "network": settings["network"],
                "shape": list(shape),
                "classes": classes,
                "accuracy": accuracy,
                "device": device_name(device),
            }
        )


def go_on(fit: Fit, job: Job, images: Stream, received: list[int], group: Group) -> None:
    """Train to the end, but for a signal, which raises StoppedError once the state is saved."""
    what, labels = f"{job.spec['kind']} {job.spec['name']}", load_labels(job.parent("p_data")).to(fit.model.mean.device)
    with progress(what, fit.total, fit.iteration, not group.leads) as report:
        while fit.iteration < fit.total:
            stopping = stops(fit.iteration, received, group)
            if stopping or (fit.iteration and fit.iteration % SAVE_EVERY == 0):
                assure_finite(fit, what)
                if group.leads:
                    save_state(fit.snapshot(), job.checkpoints)
            if stopping:
                raise StoppedError(f"{what}: stopped at iteration {fit.iteration}; run it again to go on.", received[0])
            x, indices = images.batch(fit.iteration)
            fit.step(x, labels[indices], group)
            report(fit.iteration)
    assure_finite(fit, what)


def assure_finite(fit: Fit, what: str) -> None:
    """Raise ResultError where weights, or what the optimiser keeps of them, are no longer finite."""
    if not finite(fit.snapshot()):
        raise ResultError(f"{what} diverged by iteration {fit.iteration}: weights are not finite. Lower its lr.")


def space(fit: Fit, job: Job) -> AbstractContextManager[None]:
    """Room for its states, of the weights and two numbers of Adam's for each, and for the weights of its end."""
    size = (3 * STATES + 1) * size_of(fit.model)
    return room(job.folder / "model.safetensors", size, "It goes on from what was saved.", bytes_in(job.checkpoints))


def shape_of(job: Job) -> tuple[int, ...]:
    """(C, H, W) that the classifier sees: the array's, or of an index, whose images have all sizes, `size` pixels."""
    folder = job.parent("p_data")
    return (3, job.settings["size"], job.settings["size"]) if is_index(folder) else Stored(folder).shape


def finish_with_released(job: Job) -> None:
    """Write the folder of a pre-training that the authors did; of its logits, import-weights has kept the first."""
    weights, record = adopt(job)
    save_weights(load_tensors(weights), job.folder / "model.safetensors")
    job.finish({"pretrain": job.spec["name"], **{key: record[key] for key in ("network", "shape", "file", "sha256")}})


def held_out_accuracy(model: Classifier, job: Job, size: int, device: torch.device) -> float:
    """Share of the held-out images whose label the classifier finds; image files are squashed to `size` pixels."""
    extractor = of_classifier(model.eval())
    with watched():
        logits = extract(extractor, iterate_set(job.parent("held_out"), device, extractor.batch, size))[1]
    return float((logits.argmax(1) == load_labels(job.parent("held_out")).numpy()).mean())
