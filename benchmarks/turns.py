"""Peers that take turns within each round, so that a busy machine moves their ratios less than their times."""

import os
import statistics
from collections.abc import Callable, Sequence

import torch

from atebm.hardware import cpu_facts, described

Times = dict[str, list[float]]  # by peer, seconds of each round


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


def verdict(what: str, times: Times, slower: str, faster: str, least: float) -> str:
    """Whether one is at least so many times as fast as another, in the median over the rounds."""
    found, said = "", "not measured"
    if slower in times and faster in times:
        values = ratios(times, slower, faster)
        found, said = quartiles(values, "%.2f"), "met" if statistics.median(values) >= least else "not met"
    return f"- {what}: {faster} at least {least:g} times as fast as {slower}: {said} {found}".rstrip()


def processor() -> tuple[str, list[str]]:
    """The CPU's name, and its instructions that matter here."""
    facts = cpu_facts()
    flags = set(facts.get("flags", facts.get("Features", "")).split())
    wanted = ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "amx_tile", "asimd", "sve", "bf16")
    return described(torch.device("cpu")), [f for f in wanted if f in flags]


def processor_line() -> str:
    name, flags = processor()
    return f"CPU: {name} ({', '.join(flags)}), {os.cpu_count()} cores"
