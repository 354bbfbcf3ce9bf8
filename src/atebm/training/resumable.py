"""The shell of every training: an interrupted one goes on where it stopped, to the bytes of an uninterrupted one."""

from abc import ABC, abstractmethod
from contextlib import nullcontext
from typing import Any, ClassVar

import torch
from torch import nn

from ..models.weights import size_of
from ..pipeline.job import Job
from ..utils.errors import ResultError, StoppedError
from ..utils.files import bytes_in, room
from ..utils.progress import progress
from .checkpoint import FORMER, STATE, STATES, finite, load_state, save_state
from .distributed import Group
from .signals import signals, stops

ROW = 200  # bytes of a line of a table
OF_DEVICE = {"fused", "capturable"}  # options of optimisers


class Resumable(ABC):
    """A training under way, with all that changes during it; a checkpoint holds the same.

    Random numbers are functions of the iteration, so that a checkpoint needs none.
    """

    PLAIN: ClassVar[tuple[str, ...]] = ("iteration",)  # attributes that a checkpoint holds as they are
    STATEFUL: ClassVar[tuple[str, ...]] = ("model", "optimizer")  # those it holds the state_dict of; None stays None

    what: str  # such as "train cifar10 seed 0"
    remedy: str  # what the user may change where numbers are no longer finite
    model: nn.Module
    optimizer: torch.optim.Optimizer
    copies: int  # of the weights that a checkpoint holds, counting what the optimiser keeps of each
    rows = 0.0  # of tables, at the end
    total: int  # iterations
    every = 500  # iterations between two states
    iteration = 0  # the number done
    diverged = False
    may_diverge = False  # whether divergence is a result, and no error
    log: list[dict[str, Any]]  # a row at times; where it has a number that is not finite, the training has diverged

    @property
    def note(self) -> str:
        """Return what is said beside the iteration: in the line of progress, and of a divergence."""
        return ""

    @abstractmethod
    def step(self) -> None:
        """Do one iteration, and count it."""

    @property
    def ended(self) -> bool:
        """Tell whether there is no iteration left to do."""
        return self.diverged or self.iteration >= self.total

    @property
    def due(self) -> bool:
        """Tell whether a state is to be saved after this iteration."""
        return not self.diverged and (self.iteration % self.every == 0 or self.ended)

    def snapshot(self) -> dict[str, Any]:
        """Return all that the training goes on from, as tensors and plain containers."""
        parts = {name: getattr(self, name) for name in self.STATEFUL}
        states = {name: None if part is None else part.state_dict() for name, part in parts.items()}
        return {name: getattr(self, name) for name in self.PLAIN} | states

    def restore(self, saved: dict[str, Any]) -> None:
        """Bring a fresh training to where a snapshot stands, which may come from another device."""
        options = [{key: group[key] for key in group.keys() & OF_DEVICE} for group in self.optimizer.param_groups]
        for name in self.STATEFUL:
            if getattr(self, name) is not None:
                getattr(self, name).load_state_dict(saved[name])
        for group, of_device in zip(self.optimizer.param_groups, options, strict=True):
            group.update(of_device)
        for name in self.PLAIN:
            setattr(self, name, saved[name])


def complete(training: Resumable, job: Job, device: torch.device, group: Group) -> None:
    """Take a training to its end, from the state of an interrupted one where there is one.

    Every process of `group` calls this; the first one writes. Raises DataError where the disk has no room,
    ResultError when numbers are no longer finite, and StoppedError, with the state saved, after SIGTERM or Ctrl-C.
    """
    if saved := load_state(job.checkpoints, device):
        training.restore(saved)
    # checkpoints, each with the tables; then the weights, of two iterations at most, and the tables
    size = (STATES * training.copies + 2) * size_of(training.model) + int((STATES + 1) * training.rows * ROW)
    space = room(job.folder, size, "It goes on from what was saved.", bytes_in(job.checkpoints))
    with (
        space if group.leads else nullcontext(),
        signals() as received,
        progress(training.what, training.total, training.iteration, not group.leads) as report,
    ):
        while not training.ended:
            if stops(training.iteration, received, group):
                save(training, job, group)
                said = f"{training.what}: stopped at iteration {training.iteration}; run it again to go on."
                raise StoppedError(said, received[0])
            training.step()
            if training.diverged and not training.may_diverge:
                raise divergence(training, job, str(training.log[-1]))
            report(training.iteration, training.note)
            if training.due:
                save(training, job, group)


def save(training: Resumable, job: Job, group: Group) -> None:
    """Keep what the training goes on from, never with numbers that are not finite.

    Those raise ResultError; where the training may diverge, such a state is only not kept.
    """
    if not group.leads:
        return
    state = training.snapshot()
    if finite(state):
        save_state(state, job.checkpoints)
    elif not training.may_diverge:
        raise divergence(training, job, "weights, or what the optimiser keeps of them, are not finite")


def divergence(training: Resumable, job: Job, shows: str) -> ResultError:
    """Make the error for a training whose numbers are no longer finite; `shows` is where that was seen."""
    kept = any((job.checkpoints / name).exists() for name in (STATE, FORMER))
    again = f"goes on from the last good state, in {job.checkpoints}" if kept else "begins anew"
    note = f" ({training.note})" if training.note else ""
    return ResultError(
        f"{training.what} diverged by iteration {training.iteration}{note}: {shows}. "
        f"{training.remedy}, which makes it another {job.spec['kind']} step; the same command {again}."
    )
