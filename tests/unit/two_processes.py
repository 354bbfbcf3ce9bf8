"""Run by test_distributed.py, with and without torchrun: trains a spec in float64."""

import sys
from pathlib import Path

import torch

from atebm.pipeline.job import Job
from atebm.training import monitor
from atebm.training.distributed import processes
from atebm.training.loop import train

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)
monitor.BATCH = 16  # of 60 sources, so that there are batches to deal out
with processes(torch.device("cpu")) as (group, device):
    train(Job(Path(sys.argv[1])), device, group)
