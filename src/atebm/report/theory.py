"""The tables of theory, each line with the numbers behind it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..job import record_of
from .needs import Needs
from .published import published
from .settings import in_words
from .tabulating import write_table


def table1(plan: str, out: str) -> pd.DataFrame:
    """Table 1 with the check behind each line, in words and in full. Writes `out` (.csv) and .md; returns the frame."""
    needs = Needs.read(plan)
    (check,) = needs.records("check")
    frame, task = published("table1"), needs.task("cifar10")
    frame["check"] = [gradient_line(check), contrastive_line(check), p_0_line(check, needs.settings)]
    frame["numbers"] = [json.dumps(check[part]) for part in ("gradient", "contrastive_data", "p_0")]
    caption = (
        f"Table 1 with the check behind each line, at scale {needs.scale}: on a small network with random weights in "
        f"double precision, {check['images']} images of p_data and as many of p_0 of {task['title']} (played by: "
        f"{task['played_by']}), an attack of K = {check['K']} steps of λ = {check['step_size']:g}."
    )
    shown = frame.drop(columns="numbers")
    formulas = (slice(0, 1), ["ebms", "binary_at"])
    shown.loc[formulas] = "`" + shown.loc[formulas] + "`"
    shown = shown.set_axis(["", "EBMs", "binary AT", "checked here"], axis=1)
    write_table(frame, shown, Path(out), caption)
    return frame


def gradient_line(check: dict[str, Any]) -> str:
    gradient = check["gradient"]
    return (
        f"Largest difference over {gradient['parameters']:,} derivatives, relative to the largest: Eq. 11 by autograd "
        f"against binary AT's means over images {gradient['eq14_difference']:.1e}, Eq. 2 against EBMs' "
        f"{gradient['eq2_difference']:.1e}. Mean weight of an image in binary AT's: {gradient['weight_p_data']:.3f} of "
        f"p_data, {gradient['weight_contrastive']:.3f} of contrastive data."
    )


def contrastive_line(check: dict[str, Any]) -> str:
    steps = check["contrastive_data"]
    return (
        f"Under {steps['steeper_by']:g} f instead of f, a step of PGD is {steps['pgd_steeper']:.3f} times as long, the "
        f"gradient term of Langevin's {steps['langevin_steeper']:.3f} times. PGD moves an image by λ in each step (to "
        f"{steps['pgd_step_error']:.1e}) and by at most {steps['pgd_reach']:.3f} λK in all; where pixels are cut to "
        f"[0, 1], by at most {steps['pgd_reach_clamped']:.3f} λK. Langevin's noise moves it by "
        f"{steps['langevin_noise']:.3f} √(λ pixels) in a step."
    )


def p_0_line(check: dict[str, Any], sets: dict[str, Any]) -> str:
    spread, p_0, p_data = check["p_0"], in_words(sets["p_0"]), in_words(sets["p_data"])
    return (
        f"Here p_0 is: {p_0}. Mean L2 distance of two of its images {spread['between_p_0']:.2f}, of two images of "
        f"p_data ({p_data}) {spread['between_p_data']:.2f}, of an image of p_0 to the nearest of p_data "
        f"{spread['to_nearest_p_data']:.2f}."
    )


def tableS1(plan: str, out: str) -> pd.DataFrame:
    """Table S1: what the two games end in, by the theory and in 2D. Writes `out` (.csv) and .md; returns the frame.

    Measured cells hold median, least and greatest value over seeds, by p_0.
    """
    needs = Needs.read(plan)
    (played,), (toy,) = needs.folder("minimax"), needs.folder("toy")
    minimax, maximin = pd.read_csv(played / "minimax.csv"), pd.read_csv(toy / "toy.csv")
    maximin = maximin[maximin["state"] == "final"]
    frame = published("tableS1")
    frame.insert(2, "minimax_measured", minimax_cells(minimax, record_of(played)))
    frame["maximin_measured"] = maximin_cells(maximin)
    theory = frame[["minimax", "maximin"]]
    shown = frame.assign(**("`" + theory + "`")).set_axis(
        ["", "minimax (GANs), theory", "minimax, measured", "maximin (ours), theory", "maximin, measured"], axis=1
    )
    caption = (
        f"Table S1 and the simulation in 2D at scale {needs.scale}: Algorithm 3 plays the minimax game "
        f"({minimax['seed'].nunique()} seeds), Algorithm 1 the maximin ({maximin['seed'].nunique()} seeds), both with "
        f"{record_of(played)['activation']} networks. Measured: the median, and in brackets the least and greatest, "
        "over seeds. figS1.csv has each of them."
    )
    write_table(frame, shown, Path(out), caption)
    return frame


def minimax_cells(frame: pd.DataFrame, record: dict[str, Any]) -> list[str]:
    """What Algorithm 3 ended in, a cell for each row of Table S1."""
    frame = frame.assign(fall=frame["energy_initial"] / frame["energy_final"])
    p_values = frame.groupby("setting")["p_value"]
    tests = ", ".join(
        f"{setting} p_0 {(values <= record['level']).sum()} of {len(values)} seeds"
        for setting, values in reversed(list(p_values))
    )
    return [
        f"energy distance of the particles to p_data falls by a factor of {by_p_0(frame, 'fall', '.4g')}; a two-sample "
        f"test at {record['level']:g} rejects that they are p_data in: {tests}",
        f"mean D on Supp(p_data): {by_p_0(frame, 'd_on_support', '.4f')}; greatest D outside: "
        f"{by_p_0(frame, 'd_off_support_max', '.4f')}; share of the square outside with D > 1/2: "
        f"{by_p_0(frame, 'd_above_half', '.2f')}",
        by_p_0(frame, "u", ".4f"),
    ]


def maximin_cells(frame: pd.DataFrame) -> list[str]:
    """What Algorithm 1 ended in, likewise. U = E log D(x) + E log(1 - D(x*)) leaves D(x*) where D(x) is known."""
    frame = frame.assign(d_star=1 - np.exp(frame["u"]) / frame["d_on_support"])
    return [
        f"D(x*), from U and the mean D on Supp(p_data) as if D were constant on each: {by_p_0(frame, 'd_star', '.4f')}",
        f"mean D on Supp(p_data): {by_p_0(frame, 'd_on_support', '.4f')}; greatest D outside: "
        f"{by_p_0(frame, 'd_off_support_max', '.4f')}",
        by_p_0(frame, "u", ".4f"),
    ]


def by_p_0(frame: pd.DataFrame, column: str, digits: str) -> str:
    """Median, least and greatest value over seeds, uniform p_0 first."""
    values = frame.groupby("setting")[column].agg(["median", "min", "max"]).sort_index(ascending=False)
    return ", ".join(
        f"{setting} p_0 {row['median']:{digits}} [{row['min']:{digits}}, {row['max']:{digits}}]"
        for setting, row in values.iterrows()
    )
