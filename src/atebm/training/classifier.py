"""Train a seeded classifier of a set's labels: a run's pre-training (Sec. 4.4, regularization) or a stand-in extractor.

As an extractor it stands in for Inception, which small scales do not download. Distances by its features rank images of
its set; they are not FID, and comparable only among runs scored by the very same classifier.
"""

import math
from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from ..archives.tensors import load_tensors
from ..config.training import Pretraining
from ..data.index import is_index
from ..data.stored import Stored
from ..data.stream import Stream, iterate_set, watched
from ..device.precision import autocast, set_precision
from ..device.select import device_name
from ..evaluation.features import extract, of_classifier
from ..models.energy import Classifier
from ..models.released import adopt
from ..models.weights import save_weights
from ..pipeline.job import Job, record_of
from ..utils.errors import ResultError
from ..utils.files import atomic
from .batches import batches, load_labels
from .distributed import ALONE, Group
from .resumable import Resumable, complete

STREAM = 0  # stream of random numbers; other trainings use others


class ClassifierTrainer(Resumable):
    """A classifier in training, with Adam and one cycle of the learning rate. Set `images` before the first step."""

    STATEFUL = ("model", "optimizer", "schedule")
    remedy = "Lower its lr"
    copies = 3  # the weights, and Adam's two numbers per weight
    model: Classifier
    images: Stream

    def __init__(
        self,
        what: str,
        run: Pretraining,
        model: Classifier,
        labels: Tensor,
        group: Group,
        micro_batch: int | None = None,  # images of a batch that are in memory at once; None: all
    ):
        self.what, self.run, self.model, self.labels, self.group = what, run, model, labels, group
        if run.compile:
            model.compile()
        self.epoch = len(labels) // run.batch_size
        self.total = run.epochs * self.epoch
        self.micro_batch = micro_batch or run.batch_size
        self.losses: list[Tensor] = []  # of this epoch, on the device
        self.accuracy: Callable[[], float] = lambda: math.nan  # on held-out images; measured after each long epoch
        self.said = ""
        self.optimizer = torch.optim.Adam(model.parameters())
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(self.optimizer, run.lr, total_steps=self.total)

    def step(self) -> None:
        """Do one iteration: a batch of images, and one step of Adam on the cross-entropy of their labels."""
        x, indices = self.images.batch(self.iteration)
        self.optimizer.zero_grad(set_to_none=True)
        loss = sum(self.add_gradients(*part, len(x)) for part in self.parts(x, self.labels[indices]))
        self.losses.append(torch.as_tensor(loss))
        self.group.average_gradients(self.model.parameters())
        self.optimizer.step()
        self.schedule.step()
        self.iteration += 1
        if self.iteration % self.epoch == 0:
            self.end_epoch()

    def parts(self, x: Tensor, labels: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield a batch in parts of `micro_batch` images; their gradients add up to that of the whole batch."""
        return zip(x.split(self.micro_batch), labels.split(self.micro_batch), strict=True)

    def add_gradients(self, x: Tensor, labels: Tensor, whole: int) -> Tensor:
        """Add the share of some images, of `whole` in all, to the gradient; return their share of the loss."""
        with autocast(self.run.precision, x.device):
            loss = F.cross_entropy(self.model(x), labels)
        if len(x) < whole:
            loss = loss * (len(x) / whole)
        loss.backward()
        return loss.detach()

    def end_epoch(self) -> None:
        """Note the epoch's mean loss and, if an epoch is longer than the interval between states, the accuracy."""
        self.said = f"epoch {self.iteration // self.epoch}: loss {torch.stack(self.losses).mean():.3f}"
        if self.epoch >= self.every and self.iteration < self.total:
            self.said += f", held-out accuracy {self.accuracy():.4f}"
            if self.group.leads:
                print(f"{self.what}, {self.said}", flush=True)
        self.losses = []

    @property
    def note(self) -> str:
        """Return the loss, and the accuracy if measured, at the end of the last epoch."""
        return self.said


def train_classifier(job: Job, device: torch.device, group: Group = ALONE, micro_batch: int | None = None) -> None:
    """Train on p_data's labels, check the accuracy on held-out labels, and write the step's folder.

    An interrupted training resumes. Every process of `group` calls this; the first one writes. Raises the errors of
    `complete`, and ResultError if the held-out accuracy is below min_accuracy.
    """
    if "weights" in job.settings:
        if group.leads:
            finish_with_released(job)
        return
    # an extractor has the settings of a pre-training and, in addition, its kind
    run = Pretraining(**{key: value for key, value in job.settings.items() if key != "kind"})
    what, folder, shape = f"{job.spec['kind']} {job.spec['name']}", job.parent("p_data"), shape_of(job, run)
    classes, network = record_of(folder)["classes"], run.network.model_dump(mode="json")
    torch.manual_seed(run.seed)
    set_precision(run.precision)
    model = Classifier(network, shape, len(classes)).on(device, run.precision)
    training = ClassifierTrainer(what, run, model, load_labels(folder).to(device), group, micro_batch)
    training.accuracy = lambda: held_out_accuracy(model, job, shape[1], device)
    with batches(folder, run.augment, run.batch_size, (run.seed, STREAM), device, group, shape) as training.images:
        complete(training, job, device, group)
    accuracy = held_out_accuracy(model, job, shape[1], device)
    print(f"held-out accuracy {accuracy:.4f}")
    if not accuracy >= run.min_accuracy:
        said = f"{what} reaches an accuracy of {accuracy:.3f} on held-out labels, below its min_accuracy"
        more = keep(model, job) if group.leads else ""
        raise ResultError(f"{said} {run.min_accuracy}: raise its epochs.{more}")
    if group.leads:
        save_weights(model.state_dict(), job.folder / "model.safetensors")
        job.finish(
            {
                job.spec["kind"]: job.spec["name"],
                "kind": "classifier",
                "network": network,
                "shape": list(shape),
                "classes": classes,
                "accuracy": accuracy,
                "device": device_name(device),
            }
        )


def keep(model: Classifier, job: Job) -> str:
    """Keep weights that failed the check, since they may have taken days, and say how a pre-training can use them."""
    path = job.checkpoints / "model.pth"
    with atomic(path) as temporary:
        torch.save(model.network.state_dict(), temporary)
    use = f"`atebm import-weights {path} --task {job.spec['name']}` shows how to use them anyway."
    return f" Its weights are kept: {use}" if job.spec["kind"] == "pretrain" else ""


def shape_of(job: Job, run: Pretraining) -> tuple[int, ...]:
    """Return the classifier's input shape (C, H, W): that of an array; for an index of images of all sizes, `size`."""
    folder = job.parent("p_data")
    return (3, run.size, run.size) if run.size and is_index(folder) else Stored(folder).shape


def finish_with_released(job: Job) -> None:
    """Write the folder of a pre-training by the authors; import-weights has kept only the first of its logits."""
    weights, record = adopt(job)
    save_weights(load_tensors(weights), job.folder / "model.safetensors")
    job.finish({"pretrain": job.spec["name"], **{key: record[key] for key in ("network", "shape", "file", "sha256")}})


def held_out_accuracy(model: Classifier, job: Job, size: int, device: torch.device) -> float:
    """Return the share of held-out images that are classified correctly; image files are squashed to `size` pixels."""
    extractor = of_classifier(model.eval())
    with watched():
        logits = extract(extractor, iterate_set(job.parent("held_out"), device, extractor.batch, size))[1]
    return float((logits.argmax(1) == load_labels(job.parent("held_out")).numpy()).mean())
