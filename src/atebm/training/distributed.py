"""Train one run in several processes (torchrun): each takes its rows of every batch, and all keep the same weights.

This does not use DistributedDataParallel: the K steps of the attack need no communication, its hooks do not support the
double differentiation of R1, and only one gradient per iteration must be shared.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from ..utils.errors import ConfigError

T = TypeVar("T")


@dataclass(frozen=True)
class Group:
    """The processes of a run. With one process, the default, all methods cost nothing."""

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Return whether this process is the one that writes files."""
        return self.rank == 0

    def rows(self, total: int) -> range:
        """Return this process's rows of a batch of `total`. Raises ConfigError unless it can be divided evenly."""
        if total % self.size:
            raise ConfigError(
                f"a batch of {total} cannot be divided evenly among {self.size} processes: change gpus_per_run."
            )
        each = total // self.size
        return range(self.rank * each, (self.rank + 1) * each)

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Average the gradients over processes, which gives that of the whole batch: all have equally many rows."""
        if self.size == 1:
            return
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        together = torch.cat([gradient.flatten() for gradient in gradients])  # one message
        dist.all_reduce(together)
        together /= self.size
        for gradient, mean in zip(gradients, together.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(mean.view_as(gradient))

    def gather(self, rows: Tensor) -> Tensor:
        """Return all processes' (b, ...) rows as (b * size, ...), in the order of the batch."""
        if self.size == 1:
            return rows
        parts = [torch.empty_like(rows) for _ in range(self.size)]
        dist.all_gather(parts, rows.contiguous())
        return torch.cat(parts)

    def collect(self, part: T) -> list[T]:
        """Return every process's `part`, by rank; use it for small or rare data."""
        if self.size == 1:
            return [part]
        parts: list[T] = [part] * self.size
        dist.all_gather_object(parts, part)
        return parts


ALONE = Group()


@contextmanager
def processes(device: torch.device) -> Iterator[tuple[Group, torch.device]]:
    """Give the group that torchrun started this process in, and its device; without torchrun, a group of one."""
    size, rank = int(os.environ.get("WORLD_SIZE", 1)), int(os.environ.get("RANK", 0))
    if size == 1:
        yield ALONE, device
        return
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]) % torch.cuda.device_count())
        torch.cuda.set_device(device)
    # torchrun ends all processes when one fails, so none waits in vain; the leader may wait hours for a lock
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=timedelta(days=1))
    try:
        yield Group(rank, size), device
    finally:
        dist.destroy_process_group()
