"""Draw the tables of theory, Tables 1 and S1, with the numbers behind each line."""

import json
from typing import Any

import numpy as np
import pandas as pd

from .drawn import Drawn
from .needs import Needs
from .published import published


def table1(needs: Needs) -> Drawn:
    """Return Table 1 with a numerical check of each line, in words and as all numbers."""
    check = needs["check"].record
    frame = published("table1").add_prefix("published_")
    frame["check"] = [gradient_line(check), contrastive_line(check), p_0_line(check, needs)]
    frame["numbers"] = [json.dumps(check[part]) for part in ("gradient", "contrastive_data", "p_0")]
    caption = (
        f"Table 1 with a numerical check of each line, at the {needs.scale} scale. The checks use a small network with "
        f"random weights in double precision, {check['images']} images of p_data and as many of p_0, and an attack "
        f"with K = {check['K']} steps of λ = {check['step_size']:g}. {needs.introduction('cifar10')}"
    )
    shown = frame.drop(columns="numbers")
    formulas = (slice(0, 1), ["published_ebms", "published_binary_at"])
    shown.loc[formulas] = "`" + shown.loc[formulas] + "`"
    shown = shown.set_axis(["", "EBMs, published", "binary AT, published", "checked here"], axis=1)
    gradient = check["gradient"]
    headline = (
        f"the gradient of Eq. 11 agrees with Eq. 14 to {gradient['eq14_difference']:.0e}, and that of Eq. 2 with its "
        f"formula to {gradient['eq2_difference']:.0e}"
    )
    return Drawn(frame, caption, headline, "theory", shown=shown)


def gradient_line(check: dict[str, Any]) -> str:
    gradient = check["gradient"]
    return (
        f"The formulas agree with automatic differentiation: over {gradient['parameters']:,} derivatives, the largest "
        f"difference (relative to the largest derivative) is {gradient['eq14_difference']:.1e} for Eq. 11 against the "
        f"formula of binary AT, and {gradient['eq2_difference']:.1e} for Eq. 2 against that of EBMs. The mean weight "
        f"of an image in the formula of binary AT is {gradient['weight_p_data']:.3f} for p_data and "
        f"{gradient['weight_contrastive']:.3f} for contrastive data."
    )


def contrastive_line(check: dict[str, Any]) -> str:
    steps = check["contrastive_data"]
    return (
        f"If f is multiplied by {steps['steeper_by']:g}, a PGD step is {steps['pgd_steeper']:.3f} times as long, and "
        f"the gradient term of a Langevin step {steps['langevin_steeper']:.3f} times. A PGD step moves an image by λ "
        f"(to within {steps['pgd_step_error']:.1e}), and all steps together by at most {steps['pgd_reach']:.3f} λK; if "
        f"pixels are clipped to [0, 1], by at most {steps['pgd_reach_clamped']:.3f} λK. The noise of a Langevin step "
        f"moves it by {steps['langevin_noise']:.3f} √(λ · number of pixels)."
    )


def p_0_line(check: dict[str, Any], needs: Needs) -> str:
    spread, p_0, p_data = check["p_0"], needs.p_0("cifar10"), needs.data("cifar10")
    return (
        f"Here p_0 is {p_0}, and p_data is {p_data}. Mean L2 distances: between two images of p_0, "
        f"{spread['between_p_0']:.2f}; between two images of p_data, {spread['between_p_data']:.2f}; from an image of "
        f"p_0 to the nearest image of p_data, {spread['to_nearest_p_data']:.2f}."
    )


# Line of Table S1, the measure that tests it, its column, digits. A game without the column leaves its cells empty.
MEASURED = (
    (0, "energy distance of the particles to p_data, first / last", "fall", ".4g"),
    (0, "p-value of a test of particles against p_data", "p_value", ".3f"),
    (0, "D(x*), computed from U", "d_star", ".4f"),
    (1, "mean D on Supp(p_data)", "d_on_support", ".4f"),
    (1, "greatest D outside", "d_off_support_max", ".4f"),
    (1, "share of the outside where D > 1/2", "d_above_half", ".2f"),
    (2, "U", "u", ".4f"),
)
P_0 = ("uniform", "corner")


def tableS1(needs: Needs) -> Drawn:
    """Return Table S1: how the two games end, by the theory and in 2D.

    The frame has a row per measure; cells hold the median, least and greatest value over seeds.
    """
    minimax = needs["minimax"].table("minimax.csv")
    maximin = needs["maximin"].table("toy.csv").query("state == 'final'")
    games = {
        "minimax": minimax.assign(fall=minimax["energy_initial"] / minimax["energy_final"]),
        # U = E log D(x) + E log(1 - D(x*)), Eq. 12, as if D were constant on data and on contrastive points
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
        f"U with uniform p_0, median [range]: minimax {u['minimax_uniform']}, maximin {u['maximin_uniform']}",
        "U = -log 4 = -1.3863",
        shown=tableS1_shown(frame),
    )


def over_seeds(frame: pd.DataFrame, column: str, digits: str) -> str:
    """Return the median, least and greatest value of a column; "" if the column is missing."""
    if column not in frame:
        return ""
    median, least, greatest = frame[column].quantile([0.5, 0, 1])
    return f"{median:{digits}} [{least:{digits}}, {greatest:{digits}}]"


def tableS1_shown(frame: pd.DataFrame) -> pd.DataFrame:
    """Return Table S1 for a page, with a line's theory only beside the first of its measures."""
    lines = frame[["quantity_theory", "minimax_theory", "maximin_theory"]]
    shown = frame.assign(**("`" + lines + "`").where(~lines["quantity_theory"].duplicated(), ""))
    games = [f"{game}, {p_0} p_0" for game in ("minimax", "maximin") for p_0 in P_0]
    return shown.set_axis(
        ["", "minimax (GANs), theory", "maximin (paper's method), theory", "measured", *games], axis=1
    )


def tableS1_caption(needs: Needs, games: dict[str, pd.DataFrame]) -> str:
    """Say which games ran, and what the cells hold."""
    record = needs["minimax"].record
    minimax, maximin = (games[game]["seed"].nunique() for game in ("minimax", "maximin"))
    return (
        f"Table S1 beside a simulation in 2D at the {needs.scale} scale: Algorithm 3 plays the minimax game ({minimax} "
        f"seeds) and Algorithm 1 the maximin game ({maximin} seeds), both with {record['activation']} networks. "
        "Measured: the median and, in brackets, the least and greatest value over seeds. The two-sample test rejects "
        f"at p <= {record['level']:g}. D(x*) is computed from U and the mean D on Supp(p_data), as if D were constant "
        "on p_data and on the points x*. -log(4) is -1.3863."
    )
