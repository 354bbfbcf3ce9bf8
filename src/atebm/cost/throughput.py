"""The speed of this device: for the work of a plan's networks, and for a large matrix product as a reference.

Networks can be faster than that product if a library computes 3x3 convolutions with fewer multiplications than are
counted (Winograd's algorithm, on CPUs).
"""

import statistics
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..device.cuda_graph import Captured
from ..device.precision import autocast, set_precision
from ..device.select import name_hardware
from ..models.energy import Classifier
from ..utils.errors import ResultError
from .flops import WORK, built, constants, facts, looks_only, with_r1_forward
from .passes import BY_IMAGE, WITH_R1, Network, Way

# The most floating point operations in one timed call: larger batches are timed with fewer images. A few images keep a
# CPU busy, but below 17 images of 32 pixels, PyTorch with one thread uses another algorithm for 1x1 convolutions.
AT_ONCE, AT_ONCE_ON_CPU = 3e12, 90e9
SIDE, SIDE_ON_CPU = 8192, 2048  # side of the multiplied matrices
MEASURED = "measured"  # the source of a speed measured on this device
WARM_UP, REPEATS = 2, 5  # calls; the second call makes a CUDA graph
LONG = 0.5  # seconds from which on a call counts as long: then one call warms up and two are timed


class Timed(NamedTuple):
    """A measurement; ways with different batch sizes share one if both batches are too large to be timed."""

    network: Network
    what: str
    batch: int
    precision: str
    captured: bool
    compiled: bool = False


class Throughput:
    """The floating point operations per second of a device, each measured on first use."""

    def __init__(self, device: torch.device):
        self.device, self.name, self.version = device, name_hardware(device), torch.__version__
        self.gpu = device.type != "cpu"
        self.models: dict[tuple[Network, bool], nn.Module] = {}
        self.sources: dict[Timed, str] = {}  # sources of speeds that were not measured here
        self.found: dict[Timed, float] = {}
        self.floors: dict[str, float] = {}

    def of(self, way: Way, what: str) -> float:
        """Return the speed of a network's convolutions and matrix products."""
        timed = self.timed(way, what)
        if timed not in self.found:
            self.found[timed] = self.measured(timed)
        return self.found[timed]

    def timed(self, way: Way, what: str) -> Timed:
        """Return the measurement for a way: the network with one output, since the head takes negligible time.

        On a CPU, where timing takes seconds, only PGD steps are timed: all kinds of work are about equally fast there.
        """
        kind, network = self.device.type, replace(way.network, outputs=1)
        if kind == "cpu" and not looks_only(network):
            what = BY_IMAGE
        most = (AT_ONCE_ON_CPU if kind == "cpu" else AT_ONCE) // facts(network).flops[what]
        captured = way.captured and kind == "cuda"
        return Timed(network, what, max(1, min(way.batch, int(most))), way.precision, captured, way.compiled)

    def measured(self, timed: Timed) -> float:
        """Return the speed for a batch, halved until it fits into memory, as attacks and samplers halve it.

        Raises ResultError if even one image does not fit.
        """
        for halved in range(timed.batch.bit_length()):
            batch = timed.batch >> halved
            with suppress(torch.OutOfMemoryError):
                return batch * facts(timed.network).flops[timed.what] / self.seconds(timed, batch)
        raise ResultError(f"this device's memory is too small for {timed.network}, even with one image at a time.")

    def seconds(self, timed: Timed, batch: int) -> float:
        set_precision(timed.precision)
        key = (timed.network, timed.compiled)
        if key not in self.models:
            self.models[key] = built(timed.network).to(self.device)
            if timed.compiled:
                self.models[key].compile(dynamic=False)
        model = self.models[key]
        if isinstance(model, Classifier):
            model.on(self.device, timed.precision)
        x = torch.rand(batch, *timed.network.shape, device=self.device)
        with autocast(timed.precision, self.device), constants(model, timed.what):
            forward = timed.what == WITH_R1 and self.device.type == "cuda"  # as in training
            work = with_r1_forward if forward else WORK[timed.what]
            once = partial(work, model)
            if timed.captured:
                once = partial(Captured(lambda _, x: work(model, x)), 0)
            return median_seconds(lambda: once(x)[0])

    def floor(self, precision: str) -> float:
        """Return the speed of one large product of square matrices, which this device multiplies fastest."""
        if precision not in self.floors:
            set_precision(precision)
            side = SIDE_ON_CPU if self.device.type == "cpu" else SIDE
            dtype = torch.bfloat16 if precision == "bf16" else torch.float32
            a, b = (torch.randn(side, side, device=self.device, dtype=dtype) for _ in range(2))
            self.floors[precision] = 2 * side**3 / median_seconds(lambda: torch.mm(a, b))
        return self.floors[precision]


def median_seconds(work: Callable[[], Tensor]) -> float:
    """Return the median seconds of one call. Each call reads one number of the result, which waits for the device."""

    def once() -> float:
        start = time.perf_counter()
        work().flatten()[0].item()
        return time.perf_counter() - start

    first = once()
    if first > LONG:
        return min(once(), once())
    for _ in range(WARM_UP - 1):
        once()
    return statistics.median(once() for _ in range(REPEATS))
