"""The `extractor` step: the network whose features give FID and IS, or a stand-in that is trained here."""

import torch

from ..evaluation.inception import write_inception
from ..pipeline.job import Job
from .classifier import train_classifier


def write_extractor(job: Job, device: torch.device) -> None:
    """Take Inception's weights from their archive, or train a classifier, as the settings say."""
    if job.settings["kind"] == "inception":
        write_inception(job)
    else:
        train_classifier(job, device)
