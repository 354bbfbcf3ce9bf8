"""What all benchmarks share: peers that take turns, medians and quartiles, verdicts, and what is kept of them as JSON.

Peers take turns within each round, so that a busy machine moves their ratios less than their times.
"""

import argparse
import json
import os
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch

from atebm.device.select import cpu_facts, name_hardware
from atebm.utils.files import write_text

Times = dict[str, list[float]]  # by peer, seconds of each round
MET, NOT_MET, NOT_MEASURED = "met", "not met", "not measured"
PEERS = ("torchattacks", "adversarial-robustness-toolbox", "foolbox", "pyautoattack", "torch-fidelity")


def in_turns(clocks: dict[str, Callable[[], float]], rounds: int) -> Times:
    """What each peer's clock says in each round; every second round has the peers in reverse."""
    found: Times = {name: [] for name in clocks}
    for number in range(rounds):
        for name in list(clocks)[:: -1 if number % 2 else 1]:
            found[name].append(clocks[name]())
    return found


def quartiles(values: Sequence[float], form: str) -> str:
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return f"{form % middle} ({form % low} to {form % high})"


def ratios(times: Times, slower: str, faster: str) -> list[float]:
    return [a / b for a, b in zip(times[slower], times[faster], strict=True)]


def fastest(times: Times, names: Sequence[str]) -> str | None:
    """Of those names that were measured, the one of the least median."""
    return min((name for name in names if name in times), key=lambda name: statistics.median(times[name]), default=None)


def exponent(x: Sequence[float], seconds: Sequence[float]) -> float:
    """b of the power law seconds = a x^b, by least squares of their logarithms."""
    log_x, log_s = np.log(x), np.log(seconds)
    centred = log_x - log_x.mean()
    return float(centred @ log_s / (centred @ centred))


# --- verdicts -----------------------------------------------------------------------------------------------------


def judged(values: Sequence[float], least: float | None = None, most: float | None = None) -> str:
    """Whether the median keeps a bound; no values were not measured."""
    if not values:
        return NOT_MEASURED
    median = statistics.median(values)
    return MET if (least is None or median >= least) and (most is None or median <= most) else NOT_MET


@dataclass
class Findings:
    """What a script found: lines that it prints, and the same as data, for the suite."""

    times: dict[str, dict[str, Any]] = field(
        default_factory=dict
    )  # by what was timed: peers' seconds, and which is ours
    growth: dict[str, dict[str, Any]] = field(default_factory=dict)  # by what grows: x, and seconds of each round
    verdicts: list[dict[str, Any]] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)  # single numbers, by what they say

    def keep(self, what: str, times: Times, ours: str) -> Times:
        self.times[what] = {"ours": ours, "seconds": times}
        return times

    def at_least(self, what: str, times: Times, slower: str | Sequence[str], faster: str, least: float) -> None:
        """Judge whether one is so many times as fast as another, or as the fastest of others, and print a line."""
        names = [slower] if isinstance(slower, str) else list(slower)
        other = fastest(times, names)
        values = ratios(times, other, faster) if other and faster in times else []
        compared = names[0]
        if len(names) > 1:
            compared = f"the fastest of {'; '.join(names)}" + (f" (it was {other})" if other else "")
            missing = [name for name in names if name not in times]
            compared += f" (without {'; '.join(missing)}: not measured)" if other and missing else ""
        target = f"{what}: {faster} at least {least:g} times as fast as {compared}"
        mark = {"of": what, "peer": other, "ours": faster, "least": least}
        self._judge(target, values, judged(values, least=least), "%.2f", mark)

    def at_most(self, what: str, values: Sequence[float], most: float, form: str) -> None:
        """Judge whether something, in the median of its values, is at most so much, and print a line."""
        self._judge(f"{what}: at most {most:g}", list(values), judged(values, most=most), form)

    def holds(self, what: str, true: bool) -> None:
        self._judge(what, [], MET if true else NOT_MET, "")

    def _judge(
        self, target: str, values: list[float], said: str, form: str, mark: dict[str, Any] | None = None
    ) -> None:
        found = "" if not values else quartiles(values, form) if len(values) > 1 else form % values[0]
        self.verdicts.append({"target": target, "said": said, "found": found, "values": values, "mark": mark})
        print(f"- {target}: {said} {found}".rstrip(), flush=True)

    def write(self, path: Path | None) -> None:
        if path is not None:
            contents = {"machine": machine(), "figures": self.figures, "times": self.times, "growth": self.growth}
            write_text(path, json.dumps(contents | {"verdicts": self.verdicts}, indent=1) + "\n")


# --- the machine, and options -------------------------------------------------------------------------------------


def processor() -> tuple[str, list[str]]:
    """The CPU's name, and its instructions that matter here."""
    facts = cpu_facts()
    flags = set(facts.get("flags", facts.get("Features", "")).split())
    wanted = ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "amx_tile", "asimd", "sve", "bf16")
    return name_hardware(torch.device("cpu")), [f for f in wanted if f in flags]


def processor_line() -> str:
    name, flags = processor()
    return f"CPU: {name} ({', '.join(flags)}), {os.cpu_count()} cores"


def machine() -> dict[str, Any]:
    name, flags = processor()
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {"cpu": name, "instructions": flags, "cores": os.cpu_count(), "gpu": gpu, "versions": versions()}


def versions() -> dict[str, str]:
    """Of torch and of the peers that are installed."""
    found = {"torch": torch.__version__}
    for name in PEERS:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def preamble(device: torch.device) -> None:
    """Print the lines with which every script begins."""
    print(f"- {processor_line()}, {torch.get_num_threads()} thread(s) used")
    print(f"- GPU: {torch.cuda.get_device_name(device)}" if device.type == "cuda" else "- cuda: not measured")
    print(f"- {', '.join(f'{name} {version}' for name, version in versions().items())}")


def options_of(what: str, rounds: int) -> argparse.ArgumentParser:
    """The options that every script has; `what` is its docstring."""
    parser = argparse.ArgumentParser(description=what.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--json", type=Path, help="file for what was found, as data")
    return parser


def on_device(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """The options, `device` among them, of a script that may run on a GPU; on a CPU it has one thread."""
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args()
    options.device = torch.device(options.device)
    if options.device.type == "cuda" and not torch.cuda.is_available():
        raise SystemExit("cuda: not measured (no GPU here)")
    if options.device.type == "cpu":
        torch.set_num_threads(1)
    torch.manual_seed(0)
    return options
