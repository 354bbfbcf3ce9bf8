"""The stand-in extractor: one seeded classifier of a set's labels, since Inception's weights are not at hand.

Its features give distances that rank images of this set; they are not FID, and comparable only among runs scored by
the very same classifier.
"""

import numpy as np
import torch
import torch.nn.functional as F

from ..data.loader import batch_indices, load, to_float
from ..energy import Classifier
from ..errors import ResultError
from ..job import Job, record_of
from ..metrics.features import extract
from ..progress import progress
from .checkpoint import save_weights
from .loop import device_name


def train_classifier(job: Job, device: torch.device) -> None:
    """Train on p_data's labels, assert the accuracy on held-out labels, and write the extractor's folder.

    Raises ResultError when the held-out accuracy is below min_accuracy.
    """
    settings = job.settings
    p_data = job.parent("p_data")
    images, labels = load(p_data, device), torch.from_numpy(np.load(p_data / "labels.npy")).to(device)
    classes = record_of(p_data)["classes"]
    torch.manual_seed(settings["seed"])
    model = Classifier(settings["network"], images.shape[1:], len(classes)).on(device)
    iterations = settings["epochs"] * (len(images) // settings["batch_size"])
    optimizer = torch.optim.Adam(model.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, settings["lr"], total_steps=iterations)
    with progress(f"extractor {job.spec['name']}", iterations) as report:
        for iteration in range(iterations):
            indices = batch_indices(len(images), settings["batch_size"], iteration, settings["seed"], stream=0)
            loss = F.cross_entropy(model(to_float(images[indices.to(device)])), labels[indices.to(device)])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
            report(iteration + 1)

    accuracy = held_out_accuracy(model, job, device)
    print(f"held-out accuracy {accuracy:.4f}")
    if not accuracy >= settings["min_accuracy"]:
        raise ResultError(
            f"extractor {job.spec['name']} reaches {accuracy:.3f} on held-out labels, below its min_accuracy "
            f"{settings['min_accuracy']}: raise extractors.{job.spec['name']}.epochs."
        )
    save_weights(model.state_dict(), job.folder / "model.safetensors")
    job.finish(
        {
            "extractor": job.spec["name"],
            "kind": settings["kind"],
            "network": settings["network"],
            "shape": list(images.shape[1:]),
            "classes": classes,
            "accuracy": accuracy,
            "device": device_name(device),
        }
    )


def held_out_accuracy(model: Classifier, job: Job, device: torch.device) -> float:
    """Share of the held-out images whose label the classifier finds."""
    logits = extract(model.eval(), load(job.parent("held_out"), device))[1]
    return float((logits.argmax(1) == np.load(job.parent("held_out") / "labels.npy")).mean())
