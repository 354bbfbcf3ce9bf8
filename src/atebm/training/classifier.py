"""One seeded classifier of a set's labels: a run's pre-training (Sec. 4.4, regularization), or a stand-in extractor.

As an extractor it takes the place of Inception, whose weights are not at hand at small scales: its features give
distances that rank images of its set; they are not FID, and comparable only among runs scored by the very same
classifier.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from ..config.training import Pretraining
from ..data.index import is_index
from ..data.stored import Stored
from ..data.stream import Stream, iterate_set, watched
from ..device.select import device_name
from ..evaluation.features import extract, of_classifier
from ..models.energy import Classifier
from ..models.released import adopt
from ..models.tensors import load_tensors
from ..models.weights import save_weights
from ..pipeline.job import Job, record_of
from ..utils.errors import ResultError
from .batches import batches, load_labels
from .distributed import ALONE, Group
from .resumable import Resumable, complete

STREAM = 0  # of random numbers; training has others


class ClassifierTrainer(Resumable):
    """A classifier in training, by Adam and one cycle of the learning rate. Set `images` before the first step."""

    STATEFUL = ("model", "optimizer", "schedule")
    remedy = "Lower its lr"
    copies = 3  # Adam keeps two numbers of each weight
    model: Classifier
    images: Stream

    def __init__(self, what: str, run: Pretraining, model: Classifier, labels: Tensor, group: Group):
        self.what, self.model, self.labels, self.group = what, model, labels, group
        self.total = run.epochs * (len(labels) // run.batch_size)
        self.optimizer = torch.optim.Adam(model.parameters())
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(self.optimizer, run.lr, total_steps=self.total)

    def step(self) -> None:
        """Do one iteration: a batch of images, and one step of Adam on the cross-entropy of their labels."""
        x, indices = self.images.batch(self.iteration)
        self.optimizer.zero_grad(set_to_none=True)
        F.cross_entropy(self.model(x), self.labels[indices]).backward()
        self.group.average_gradients(self.model.parameters())
        self.optimizer.step()
        self.schedule.step()
        self.iteration += 1


def train_classifier(job: Job, device: torch.device, group: Group = ALONE) -> None:
    """Train on p_data's labels, assert the accuracy on held-out labels, and write the step's folder.

    Resumes where an interrupted one stopped. Every process of `group` calls this; the first one writes. Raises as
    `complete`, and ResultError where the held-out accuracy is below min_accuracy.
    """
    if "weights" in job.settings:
        if group.leads:
            finish_with_released(job)
        return
    # an extractor has the settings of a pre-training, and says beside them what kind of extractor it is
    run = Pretraining(**{key: value for key, value in job.settings.items() if key != "kind"})
    what, folder, shape = f"{job.spec['kind']} {job.spec['name']}", job.parent("p_data"), shape_of(job, run)
    classes, network = record_of(folder)["classes"], run.network.model_dump(mode="json")
    torch.manual_seed(run.seed)
    model = Classifier(network, shape, len(classes)).on(device)
    training = ClassifierTrainer(what, run, model, load_labels(folder).to(device), group)
    with batches(folder, run.augment, run.batch_size, (run.seed, STREAM), device, group, shape) as training.images:
        complete(training, job, device, group)
    accuracy = held_out_accuracy(model, job, shape[1], device)
    print(f"held-out accuracy {accuracy:.4f}")
    if not accuracy >= run.min_accuracy:
        raise ResultError(
            f"{what} reaches {accuracy:.3f} on held-out labels, below its min_accuracy {run.min_accuracy}: "
            "raise its epochs."
        )
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


def shape_of(job: Job, run: Pretraining) -> tuple[int, ...]:
    """Return (C, H, W) that the classifier sees: an array's, or of an index, whose images have all sizes, `size`."""
    folder = job.parent("p_data")
    return (3, run.size, run.size) if run.size and is_index(folder) else Stored(folder).shape


def finish_with_released(job: Job) -> None:
    """Write the folder of a pre-training that the authors did; of its logits, import-weights has kept the first."""
    weights, record = adopt(job)
    save_weights(load_tensors(weights), job.folder / "model.safetensors")
    job.finish({"pretrain": job.spec["name"], **{key: record[key] for key in ("network", "shape", "file", "sha256")}})


def held_out_accuracy(model: Classifier, job: Job, size: int, device: torch.device) -> float:
    """Return the share of the held-out images whose label is found; image files are squashed to `size` pixels."""
    extractor = of_classifier(model.eval())
    with watched():
        logits = extract(extractor, iterate_set(job.parent("held_out"), device, extractor.batch, size))[1]
    return float((logits.argmax(1) == load_labels(job.parent("held_out")).numpy()).mean())
