"""Run every training so that an interrupted one resumes and gives the same bytes as an uninterrupted one."""

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

ROW = 200  # bytes of a table's line
OF_DEVICE = {"fused", "capturable"}  # options of optimisers that depend on the device


class Resumable(ABC):
    """A training in progress, with everything that changes during it; a checkpoint holds the same.

    Random numbers are functions of the iteration, so a checkpoint needs no state of generators.
    """

    PLAIN: ClassVar[tuple[str, ...]] = ("iteration",)  # attributes that a checkpoint holds unchanged
    STATEFUL: ClassVar[tuple[str, ...]] = ("model", "optimizer")  # attributes stored as state_dict; None stays None

    what: str  # such as "train cifar10 seed 0"
    remedy: str  # advice for numbers that are no longer finite
    model: nn.Module
    optimizer: torch.optim.Optimizer
    copies: int  # copies of the weights in a checkpoint, including the optimiser's numbers per weight
    rows = 0.0  # lines of the tables at the end
    total: int  # iterations
    every = 500  # iterations between two states
    iteration = 0  # iterations done
    diverged = False
    may_diverge = False  # whether divergence is a result and not an error
    log: list[dict[str, Any]]  # a row now and then; the training has diverged if a number in it is not finite

    @property
    def note(self) -> str:
        """Return the text beside the iteration in progress lines and in the error of a divergence."""
        return ""

    @abstractmethod
    def step(self) -> None:
        """Do one iteration and count it."""

    @property
    def ended(self) -> bool:
        """Return whether no iteration is left to do."""
        return self.diverged or self.iteration >= self.total

    @property
    def due(self) -> bool:
        """Return whether to save a state after this iteration."""
        return not self.diverged and (self.iteration % self.every == 0 or self.ended)

    def snapshot(self) -> dict[str, Any]:
        """Return the state from which the training can resume, as tensors and plain containers."""
        parts = {name: getattr(self, name) for name in self.STATEFUL}
        states = {name: None if part is None else part.state_dict() for name, part in parts.items()}
        return {name: getattr(self, name) for name in self.PLAIN} | states

    def restore(self, saved: dict[str, Any]) -> None:
        """Set a fresh training to the state of a snapshot, which may come from another device."""
        options = [{key: group[key] for key in group.keys() & OF_DEVICE} for group in self.optimizer.param_groups]
        for name in self.STATEFUL:
            if getattr(self, name) is not None:
                getattr(self, name).load_state_dict(saved[name])
        for group, of_device in zip(self.optimizer.param_groups, options, strict=True):
            group.update(of_device)
        for name in self.PLAIN:
            setattr(self, name, saved[name])


def complete(training: Resumable, job: Job, device: torch.device, group: Group) -> None:
    """Run a training to its end, resuming from a saved state if there is one.

    Every process of `group` calls this; the first one writes. Raises DataError if the disk has no room, ResultError
    when numbers are no longer finite, and StoppedError, with the state saved, after SIGTERM or Ctrl-C.
    """
    if saved := load_state(job.checkpoints, device):
        training.restore(saved)
    # the states, each with the tables; then the final weights, at most two, and the tables
    size = (STATES * training.copies + 2) * size_of(training.model) + int((STATES + 1) * training.rows * ROW)
    space = room(job.folder, size, "Training will resume from the last saved state.", bytes_in(job.checkpoints))
    with (
        space if group.leads else nullcontext(),
        signals() as received,
        progress(training.what, training.total, training.iteration, not group.leads) as report,
    ):
        while not training.ended:
            if stops(training.iteration, received, group):
                save(training, job, group)
                said = f"{training.what}: stopped at iteration {training.iteration}; run it again to resume."
                raise StoppedError(said, received[0])
            training.step()
            if training.diverged and not training.may_diverge:
                raise divergence(training, job, str(training.log[-1]))
            report(training.iteration, training.note)
            if training.due:
                save(training, job, group)


def save(training: Resumable, job: Job, group: Group) -> None:
    """Save the state from which the training can resume, unless it has numbers that are not finite.

    Such numbers raise ResultError; if the training may diverge, the state is just not saved.
    """
    if not group.leads:
        return
    state = training.snapshot()
    if finite(state):
        save_state(state, job.checkpoints)
    elif not training.may_diverge:
        raise divergence(training, job, "weights or the optimiser's numbers are not finite")


def divergence(training: Resumable, job: Job, shows: str) -> ResultError:
    """Make the error for a training whose numbers are no longer finite; `shows` says where this was found."""
    kept = any((job.checkpoints / name).exists() for name in (STATE, FORMER))
    again = f"resumes from the last good state, in {job.checkpoints}" if kept else "starts from scratch"
    note = f" ({training.note})" if training.note else ""
    return ResultError(
        f"{training.what} diverged by iteration {training.iteration}{note}: {shows}. "
        f"{training.remedy}, which makes it another {job.spec['kind']} step; the same command {again}."
    )
