"""Speeds of another device, read from a file: each was measured on that device, or is assumed from a measurement."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from ..utils.documents import mapping
from ..utils.errors import ConfigError
from ..utils.files import text_of
from .passes import Way
from .throughput import Throughput, Timed


class Rates(Throughput):
    """The floating point operations per second in `rates` of a file.

    Each row has a network, a kind of work, a precision, a batch size, whether the work is compiled and captured, and
    its `source`: "measured", or what it is assumed from. If several rows fit, the one with the nearest batch size
    counts.
    """

    def __init__(self, path: Path):
        super().__init__(torch.device("cpu"))
        contents = mapping(str(path), text_of(path))
        self.gpu, self.name, self.version = True, contents["device"], contents["torch"]
        self.rows: list[dict[str, Any]] = contents["rates"]
        self.floors = {name: 1e12 * tflops for name, tflops in contents["tflops_of_product"].items()}
        self.path = path

    def of(self, way: Way, what: str) -> float:
        """Return the speed in the file, or else that of the slowest other network."""
        timed = self.timed(way, what)
        if timed not in self.found:
            row = self.nearest(timed)
            self.found[timed], self.sources[timed] = 1e12 * row["tflops"], row["source"]
        return self.found[timed]

    def timed(self, way: Way, what: str) -> Timed:
        network = replace(way.network, outputs=1)
        return Timed(network, what, way.batch, way.precision, way.captured, way.compiled)

    def nearest(self, timed: Timed) -> dict[str, Any]:
        """Return the row that fits best; compilation, then batch size, then capture, decides among several."""
        needed = (str(timed.network), timed.what, timed.precision)
        fitting = [row for row in self.rows if (row["network"], row["what"], row["precision"]) == needed]
        if not fitting:
            return self.slowest(timed)

        def unlike(row: dict[str, Any]) -> tuple[bool, float, bool]:
            ratio = max(row["batch"], timed.batch) / min(row["batch"], timed.batch)
            return row.get("compiled", False) != timed.compiled, ratio, row["captured"] != timed.captured

        return min(fitting, key=unlike)

    def slowest(self, timed: Timed) -> dict[str, Any]:
        """Return the slowest network's row in place of a missing one. Raises ConfigError if no network has a row."""
        others = [row for row in self.rows if (row["what"], row["precision"]) == (timed.what, timed.precision)]
        if not others:
            raise ConfigError(
                f"{self.path} has no speed for {timed.what} in {timed.precision}: add one, and state its source."
            )
        row = min(others, key=lambda row: row["tflops"])
        return row | {"source": f"assumed: the slowest network in the file, {row['network']}"}

    def floor(self, precision: str) -> float:
        if precision not in self.floors:
            raise ConfigError(f"{self.path}: tflops_of_product has no entry {precision}: add it.")
        return self.floors[precision]
