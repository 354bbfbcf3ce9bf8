"""How fast this device is: at what a plan's networks do, and at a large product of matrices, the floor beside it.

Where a library computes 3x3 convolutions by fewer multiplications than they are counted with (Winograd's algorithm, on
CPUs), networks can be faster than that product.
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

# Floating point operations of one call that is timed: of larger batches, fewer images are. Few keep a CPU busy; but for
# fewer than 17 images of 32 pixels, PyTorch computes 1x1 convolutions otherwise if it has one thread.
AT_ONCE, AT_ONCE_ON_CPU = 3e12, 90e9
SIDE, SIDE_ON_CPU = 8192, 2048  # of the matrices that are multiplied
MEASURED = "measured"  # the source of a speed that is none of another device
WARM_UP, REPEATS = 2, 5  # calls; at the second one, a CUDA graph is made
LONG = 0.5  # seconds of a call, of which one warms up and two are timed


class Timed(NamedTuple):
    """What is timed; ways that differ only in how large a batch is share it where both are too large."""

    network: Network
    what: str
    batch: int
    precision: str
    captured: bool
    compiled: bool = False


class Throughput:
    """Floating point operations a second on a device, each measured when it is first asked for."""

    def __init__(self, device: torch.device):
        self.device, self.name, self.version = device, name_hardware(device), torch.__version__
        self.gpu = device.type != "cpu"
        self.models: dict[tuple[Network, bool], nn.Module] = {}
        self.sources: dict[Timed, str] = {}  # of speeds that were not measured here
        self.found: dict[Timed, float] = {}
        self.floors: dict[str, float] = {}

    def of(self, way: Way, what: str) -> float:
        """Return the speed of the networks' convolutions and products."""
        timed = self.timed(way, what)
        if timed not in self.found:
            self.found[timed] = self.measured(timed)
        return self.found[timed]

    def timed(self, way: Way, what: str) -> Timed:
        """Return what is timed instead: the network with one output, for heads take no time that shows; on a CPU, where
        it takes seconds, PGD steps alone, since a network's passes have about the same speed there."""
        kind, network = self.device.type, replace(way.network, outputs=1)
        if kind == "cpu" and not looks_only(network):
            what = BY_IMAGE
        most = (AT_ONCE_ON_CPU if kind == "cpu" else AT_ONCE) // facts(network).flops[what]
        captured = way.captured and kind == "cuda"
        return Timed(network, what, max(1, min(way.batch, int(most))), way.precision, captured, way.compiled)

    def measured(self, timed: Timed) -> float:
        """Return the speed of a batch, or of half of one that memory does not hold, as attacks and samplers halve it.

        Raises ResultError where one image is too much.
        """
        for halved in range(timed.batch.bit_length()):
            batch = timed.batch >> halved
            with suppress(torch.OutOfMemoryError):
                return batch * facts(timed.network).flops[timed.what] / self.seconds(timed, batch)
        raise ResultError(f"not even one image before {timed.network} fits into this device's memory.")

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
        """Return the speed of one large product of square matrices: what this device multiplies fastest."""
        if precision not in self.floors:
            set_precision(precision)
            side = SIDE_ON_CPU if self.device.type == "cpu" else SIDE
            dtype = torch.bfloat16 if precision == "bf16" else torch.float32
            a, b = (torch.randn(side, side, device=self.device, dtype=dtype) for _ in range(2))
            self.floors[precision] = 2 * side**3 / median_seconds(lambda: torch.mm(a, b))
        return self.floors[precision]


def median_seconds(work: Callable[[], Tensor]) -> float:
    """Return the median seconds of one call. The clock waits for the device, by looking at a number of what it made."""

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
