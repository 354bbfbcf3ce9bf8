"""Speeds of a device that is not here, as a file states them: each measured there, or assumed from what was."""

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
    """Floating point operations a second, of `rates` in a file.

    Each has a network, what is done with its images, a precision, a batch, whether it is compiled and captured, and its
    `source`: "measured", or what it is assumed from. Of several that fit, the one of the nearest batch counts.
    """

    def __init__(self, path: Path):
        super().__init__(torch.device("cpu"))
        contents = mapping(str(path), text_of(path))
        self.gpu, self.name, self.version = True, contents["device"], contents["torch"]
        self.rows: list[dict[str, Any]] = contents["rates"]
        self.floors = {name: 1e12 * tflops for name, tflops in contents["tflops_of_product"].items()}
        self.path = path

    def of(self, way: Way, what: str) -> float:
        """Return the speed that the file has, or the slowest of other networks."""
        timed = self.timed(way, what)
        if timed not in self.found:
            row = self.nearest(timed)
            self.found[timed], self.sources[timed] = 1e12 * row["tflops"], row["source"]
        return self.found[timed]

    def timed(self, way: Way, what: str) -> Timed:
        network = replace(way.network, outputs=1)
        return Timed(network, what, way.batch, way.precision, way.captured, way.compiled)

    def nearest(self, timed: Timed) -> dict[str, Any]:
        """Return the row of a file that is most like what is asked for; batch, then capture, decides among several."""
        wanted = (str(timed.network), timed.what, timed.precision)
        fitting = [row for row in self.rows if (row["network"], row["what"], row["precision"]) == wanted]
        if not fitting:
            return self.slowest(timed)

        def unlike(row: dict[str, Any]) -> tuple[bool, float, bool]:
            ratio = max(row["batch"], timed.batch) / min(row["batch"], timed.batch)
            return row.get("compiled", False) != timed.compiled, ratio, row["captured"] != timed.captured

        return min(fitting, key=unlike)

    def slowest(self, timed: Timed) -> dict[str, Any]:
        """Return a row that stands in for one that the file lacks. Raises ConfigError where no network has such."""
        others = [row for row in self.rows if (row["what"], row["precision"]) == (timed.what, timed.precision)]
        if not others:
            raise ConfigError(
                f"{self.path}: there is no speed of {timed.what} in {timed.precision}: state one, and what it is "
                "assumed from."
            )
        row = min(others, key=lambda row: row["tflops"])
        return row | {"source": f"assumed: the slowest that the file has, that of {row['network']}"}

    def floor(self, precision: str) -> float:
        if precision not in self.floors:
            raise ConfigError(f"{self.path}: tflops_of_product has no {precision}.")
        return self.floors[precision]
