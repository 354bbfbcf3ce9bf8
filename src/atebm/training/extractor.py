"""Compute the `extractor` step: the network whose features give FID, IS and KID, or a stand-in for it."""

import torch

from ..evaluation.efficientnet import write_efficientnet
from ..evaluation.embedded import write_embedded
from ..evaluation.inception import write_inception
from ..pipeline.job import Job
from .classifier import train_classifier

GIVEN = {"inception": write_inception, "embedded": write_embedded, "efficientnet_lite0": write_efficientnet}


def write_extractor(job: Job, device: torch.device) -> None:
    """Take existing weights or train a classifier, as the settings say."""
    if job.settings["kind"] in GIVEN:
        GIVEN[job.settings["kind"]](job)
    else:
        train_classifier(job, device)
