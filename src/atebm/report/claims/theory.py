"""State the claims of Secs. 4.1 to 4.3 and supplements 1 and 2: the games in the plane, and derived formulas."""

from collections.abc import Callable
from math import log

import pandas as pd

from ..verdicts import Bound
from .claim import RATIO, THEORY, Claim, Effect, Part, Words, above, below, times
from .evidence import Evidence

P_0 = ("uniform", "corner")
OPTIMUM = -log(4)
U_NEAR, D_NEAR = 0.01, 0.02  # margins: of U in nats, and of D
MAXIMA = "number of local maxima of D off the support"
LATE = "its bound was stated when the numbers of five seeds, which are not the board's, were known"


def theory(words: Words) -> list[Claim]:
    """Return the claims about both games and about formulas."""
    return [*of_U(), *of_D(), *uniform_p_0(), *p_0_in_a_corner(), support(), *minimax(), *formulas()]


def in_plane(
    id: str, place: str, claim: str, unit: str = "", *parts: Part, reason: str = "", margin: str = ""
) -> Claim:
    """Return a claim about the games in the plane or about formulas."""
    return Claim(id, place, claim, "", THEORY, unit, parts, reason, margin)


def final(measure: str, setting: str, activation: str = "relu") -> Effect:
    return lambda e: e.maximin(activation, setting, measure)


def each_p_0(measured: str, effect: Callable[[Evidence, str], pd.Series], bound: Bound) -> tuple[Part, ...]:
    """Return a part per p_0, which is passed to `effect`."""

    def of(setting: str) -> Effect:
        return lambda e: effect(e, setting)

    return tuple(Part(measured, of(setting), bound, f"{setting} p_0") for setting in P_0)


def distance_to_optimum(e: Evidence, setting: str, state: str = "final") -> pd.Series:
    """Return how far U is from -log 4."""
    return (e.maximin("relu", setting, "u", state) - OPTIMUM).abs()


def of_U() -> list[Claim]:
    """Return the claims of Proposition 1 about the value of the game."""
    return [
        in_plane(
            "u_log4",
            "Sec. 4.1, Prop. 1; Table S1",
            "The maximin game ends at U = -log 4",
            "nats",
            *each_p_0("how far U is from -log 4", distance_to_optimum, below(U_NEAR)),
            reason=f"{LATE}; D = 1/2 everywhere gives this U too",
        ),
        in_plane(
            "u_nearer",
            "Sec. 4.1, Prop. 1",
            "U ends nearer to -log 4 than it is before training",
            "nats",
            *each_p_0(
                "distance of U from -log 4 before training minus that after it",
                lambda e, p: distance_to_optimum(e, p, "initial") - distance_to_optimum(e, p),
                above(0, U_NEAR),
            ),
            reason="our own claim: untrained networks are near -log 4 too, so the row above alone says little",
        ),
    ]


def of_D() -> list[Claim]:
    """Return the claims of Proposition 1 about the discriminator."""
    return [
        in_plane(
            "d_half_on_support",
            "Sec. 4.1, Prop. 1; Sec. 4.2",
            "D is 1/2 on the support of p_data",
            "D",
            *each_p_0(
                "how far the mean of D on p_data is from 1/2",
                lambda e, p: (e.maximin("relu", p, "d_on_support") - 0.5).abs(),
                below(D_NEAR),
            ),
            reason="tests the mean over points of p_data, not each point",
        ),
        in_plane(
            "d_at_most_half",
            "Sec. 4.1, Prop. 1",
            "D is at most 1/2 off the support of p_data, with uniform p_0",
            "D",
            Part("greatest D off the support", final("d_off_support_max", "uniform"), below(0.5 + U_NEAR)),
            reason=LATE,
            margin="a finite grid and an unfinished training may leave a hundredth above 1/2",
        ),
        in_plane(
            "contour_of_half",
            "Sec. 4.1, Prop. 1; Table S1",
            "p_T* is supported where D = 1/2",
            "D",
            Part("5 % quantile of D(x*)", final("d_star_q05", "uniform"), above(0.5 - D_NEAR), "low"),
            Part("95 % quantile of D(x*)", final("d_star_q95", "uniform"), below(0.5 + D_NEAR), "high"),
            reason="Table S1 derives the mean of D(x*) from U; a test needs its quantiles",
        ),
    ]


def fewer_maxima(e: Evidence) -> pd.Series:
    """Return how many local maxima off the support disappear in training with uniform p_0."""
    before, after = (e.maximin("relu", "uniform", "local_maxima", state) for state in ("initial", "final"))
    return before - after


def uniform_p_0() -> list[Claim]:
    """Return the claims of Sec. 4.2 about local maxima with uniform p_0."""
    return [
        in_plane(
            "maxima_untrained",
            "Sec. 4.2",
            "An untrained D has many local maxima off the support of p_data",
            "maxima",
            Part(MAXIMA, lambda e: e.maximin("relu", "uniform", "local_maxima", "initial"), above(1.5)),
            margin="many: at least two",
        ),
        in_plane(
            "maxima_suppressed",
            "Sec. 4.2, Fig. 1 left",
            "With uniform p_0, training suppresses the local maxima off the support",
            "maxima",
            Part(MAXIMA, final("local_maxima", "uniform"), below(0.5), "after"),
            Part(f"{MAXIMA}, before training minus after it", fewer_maxima, above(0.5), "fewer"),
        ),
        in_plane(
            "reach_uniform",
            "Sec. 4.2, Fig. 1 left",
            "With uniform p_0, the gradient of D leads from everywhere to the support",
            "share of starts",
            Part("share of starting points on a grid that arrive", final("reach", "uniform"), above(0.95)),
        ),
    ]


def p_0_in_a_corner() -> list[Claim]:
    """Return the claims of Sec. 4.2 about local maxima with p_0 in a corner."""
    survive = "With p_0 in a corner, local maxima survive off the support"
    rows = [
        ("maxima_survive", survive, "relu", ""),
        (
            "maxima_survive_tanh",
            f"{survive} of a tanh network, too",
            "tanh",
            "the paper does not say which activation Fig. 1 uses",
        ),
    ]
    return [
        in_plane(
            id,
            "Sec. 4.2, Fig. 1 right",
            claim,
            "maxima",
            Part(MAXIMA, final("local_maxima", "corner", activation), above(0.5)),
            reason=reason,
        )
        for id, claim, activation, reason in rows
    ]


def support() -> Claim:
    """Return the claim that D learns the support and not the density."""
    return in_plane(
        "support_not_density",
        "Secs. 4.2 and 4.3",
        "D is flat on p_data: adversarial training learns the support and not the density",
        "D",
        Part("standard deviation of D on p_data", final("d_on_support_std", "uniform"), below(D_NEAR)),
        reason="toy.csv also has the mean of D on p_data; a test needs its spread",
    )


def minimax() -> list[Claim]:
    """Return the claims of supplement 2."""
    return [
        in_plane(
            "particles_match",
            "Supplement 2, Fig. S1",
            "In the minimax game the particles become p_data from both p_0",
            RATIO,
            *each_p_0(
                "energy distance to p_data at the start over that at the end",
                lambda e, p: e.minimax(p, "energy_initial") / e.minimax(p, "energy_final"),
                times(bound=100),
            ),
            reason="Fig. S1 shows that a two-sample test still tells some of them from p_data",
            margin="at most a hundredth of the distance is left",
        ),
        in_plane(
            "d_off_support",
            "Supplement 2, Fig. S1; Table S1",
            "Off p_data's support D is undefined in the minimax game, and at most 1/2 in the maximin game",
            RATIO,
            *each_p_0(
                "greatest D there in the minimax game over that in the maximin game",
                lambda e, p: e.minimax(p, "d_off_support_max") / e.maximin("relu", p, "d_off_support_max"),
                times(1.1),
            ),
            reason=f"for the maximin game, {LATE}",
        ),
        Claim(
            "minimax_detector",
            "Supplement 2",
            "The discriminator of the minimax game may not be very useful for out-of-distribution detection",
            "cifar10",
            THEORY,
            reason='the sentence says "may", and no discriminator of Algorithm 3 is trained on images',
        ),
    ]


def formulas() -> list[Claim]:
    """Return what the paper derives: identities that Table 1 checks in numbers, and their interpretations."""
    derived = [
        (
            "gradient_scaled",
            "Sec. 4.3, Eq. 14; Table 1",
            "The gradient of adversarial training is that of maximum likelihood with each sample scaled",
            "an identity that does not depend on seeds: Table 1 here checks it in numbers",
        ),
        (
            "way_bounded",
            "Sec. 4.3; Table 1",
            "K steps of a PGD attack of size lambda move an image by at most lambda K",
            "follows from the triangle inequality; Table 1 here checks it in numbers",
        ),
        (
            "langevin_unstable",
            "Sec. 4.3",
            "Langevin dynamics moves images by as much as the gradient is long, which can be a source of instability",
            "log.csv does not record how far images move, and the sentence says what can be, not what is",
        ),
        (
            "gradient_vanishes",
            "Sec. 4.3",
            "Where contrastive samples match p_data, the gradient vanishes only if D = 1/2 on all of the support",
            "follows from Eq. 14; no run reaches that point exactly",
        ),
    ]
    return [in_plane(id, place, claim, reason=reason) for id, place, claim, reason in derived]
