"""The tables of theory, each line with the numbers behind it."""

import json
from typing import Any

import numpy as np
import pandas as pd

from .drawn import Drawn
from .needs import Needs
from .published import published


def table1(needs: Needs) -> Drawn:
    """Return Table 1 with the check behind each line, in words and in full."""
    check = needs["check"].record
    frame = published("table1").add_prefix("published_")
    frame["check"] = [gradient_line(check), contrastive_line(check), p_0_line(check, needs)]
    frame["numbers"] = [json.dumps(check[part]) for part in ("gradient", "contrastive_data", "p_0")]
    caption = (
        f"Table 1 with the check behind each line, at scale {needs.scale}: on a small network with random weights in "
        f"double precision, {check['images']} images of p_data and as many of p_0, an attack of K = {check['K']} steps "
        f"of λ = {check['step_size']:g}. {needs.introduction('cifar10')}"
    )
    shown = frame.drop(columns="numbers")
    formulas = (slice(0, 1), ["published_ebms", "published_binary_at"])
    shown.loc[formulas] = "`" + shown.loc[formulas] + "`"
    shown = shown.set_axis(["", "EBMs, published", "binary AT, published", "checked here"], axis=1)
    gradient = check["gradient"]
    headline = (
        f"Eq. 11's gradient is Eq. 14 to {gradient['eq14_difference']:.0e}, Eq. 2's to {gradient['eq2_difference']:.0e}"
    )
    return Drawn(frame, caption, headline, "theory", shown=shown)


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


def p_0_line(check: dict[str, Any], needs: Needs) -> str:
    spread, p_0, p_data = check["p_0"], needs.p_0("cifar10"), needs.data("cifar10")
    return (
        f"Here p_0 is: {p_0}. Mean L2 distance of two of its images {spread['between_p_0']:.2f}, of two images of "
        f"p_data ({p_data}) {spread['between_p_data']:.2f}, of an image of p_0 to the nearest of p_data "
        f"{spread['to_nearest_p_data']:.2f}."
    )


# Line of Table S1, what is measured of it, its column, digits. A game that has no such column leaves its cells empty.
MEASURED = (
    (0, "energy distance of the particles to p_data, first / last", "fall", ".4g"),
    (0, "p-value, particles against p_data", "p_value", ".3f"),
    (0, "D(x*), computed from U", "d_star", ".4f"),
    (1, "mean D on Supp(p_data)", "d_on_support", ".4f"),
    (1, "greatest D outside", "d_off_support_max", ".4f"),
    (1, "share of the outside where D > 1/2", "d_above_half", ".2f"),
    (2, "U", "u", ".4f"),
)
P_0 = ("uniform", "corner")


def tableS1(needs: Needs) -> Drawn:
    """Return Table S1: what the two games end in, by the theory and in 2D.

    A row per measure; cells hold median, least and greatest value over seeds.
    """
    minimax = needs["minimax"].table("minimax.csv")
    maximin = needs["maximin"].table("toy.csv").query("state == 'final'")
    games = {
        "minimax": minimax.assign(fall=minimax["energy_initial"] / minimax["energy_final"]),
        # U = E log D(x) + E log(1 - D(x*)), Eq. 12, with D as if constant on each
        "maximin": maximin.assign(d_star=1 - np.exp(maximin["u"]) / maximin["d_on_support"]),
    }
    lines = published("tableS1").add_suffix("_theory").iloc[[line for line, *_ in MEASURED]].reset_index(drop=True)
    frame = lines.assign(measured=[name for _, name, *_ in MEASURED])
    for game, values in games.items():
        for p_0 in P_0:
            of_p_0 = values[values["setting"] == p_0]
            frame[f"{game}_{p_0}"] = [over_seeds(of_p_0, column, digits) for *_, column, digits in MEASURED]
    u = frame.set_index("measured").loc["U"]
    return Drawn(
        frame,
        tableS1_caption(needs, games),
        f"median [range], uniform p_0: minimax {u['minimax_uniform']}, maximin {u['maximin_uniform']}",
        "U = -log 4 = -1.3863",
        shown=tableS1_shown(frame),
    )


def over_seeds(frame: pd.DataFrame, column: str, digits: str) -> str:
    """Return median, least and greatest value of a column; empty where there is none."""
    if column not in frame:
        return ""
    median, least, greatest = frame[column].quantile([0.5, 0, 1])
    return f"{median:{digits}} [{least:{digits}}, {greatest:{digits}}]"


def tableS1_shown(frame: pd.DataFrame) -> pd.DataFrame:
    """Return table S1 for a page: a line's theory stands beside the first of its measures only."""
    lines = frame[["quantity_theory", "minimax_theory", "maximin_theory"]]
    shown = frame.assign(**("`" + lines + "`").where(~lines["quantity_theory"].duplicated(), ""))
    games = [f"{game}, {p_0} p_0" for game in ("minimax", "maximin") for p_0 in P_0]
    return shown.set_axis(["", "minimax (GANs), theory", "maximin (ours), theory", "measured", *games], axis=1)


def tableS1_caption(needs: Needs, games: dict[str, pd.DataFrame]) -> str:
    """Say which games were played, and what the cells hold."""
    record = needs["minimax"].record
    minimax, maximin = (games[game]["seed"].nunique() for game in ("minimax", "maximin"))
    return (
        f"Table S1 and the simulation in 2D at scale {needs.scale}: Algorithm 3 plays the minimax game ({minimax} "
        f"seeds), Algorithm 1 the maximin ({maximin} seeds), both with {record['activation']} networks. Measured: the "
        "median and, in brackets, the least and greatest over seeds; a two-sample test would reject at p <= "
        f"{record['level']:g}. D(x*) follows from U and the mean D on Supp(p_data), as if D were constant on each. "
        "-log(4) is -1.3863."
    )
