"""State the claims of Sec. 5.3 about the stability of training."""

from ..verdicts import Bound
from .claim import GENERATION, Claim, Effect, Part, Words, at_most, below, times

DIVERGES, STABLE = 1e3, 50  # gaps between logits: above the first training diverges, below the second it is stable


def stability(words: Words) -> list[Claim]:
    """Return the claims about Eqs. 2 and 11 at both learning rates, and about the trainings of the board."""
    return [
        *of_objectives(words),
        Claim(
            "stable_to_train",
            "Abstract; Sec. 5.3",
            "Adversarial training is stable: no training diverges",
            "cifar10",
            GENERATION,
            "share of trainings",
            tuple(
                Part("1 where a training diverged, else 0", stopped(run), below(0.5), run)
                for run in ("cifar10", "celebahq256", "cifar10_ood")
            ),
        ),
        Claim(
            "cancelling",
            "Sec. 5.3",
            "It is stable since the factors of Eq. 14 vanish where logits are large",
            "cifar10",
            GENERATION,
            reason="log.csv has mean logits but not the mean factors; rows above test Eq. 2, which lacks the factors",
        ),
    ]


def of_objectives(words: Words) -> list[Claim]:
    """Return the claims about Eqs. 2 and 11; at the small learning rate, runs end early at a gap of DIVERGES."""
    large, small = words.rates
    likelihood = "Maximum likelihood with PGD diverges at learning rate"
    ours = "Adversarial training does not diverge at learning rate"
    rows = [
        ("likelihood_diverges", f"{likelihood} {large}", "cifar10_max_likelihood", "2"),
        ("at_stable", f"{ours} {large}", "cifar10_binary_at", "11"),
        (
            "likelihood_diverges_small_lr",
            f"{likelihood} {small}, as the paper states",
            "cifar10_max_likelihood_small_lr_long",
            "2",
        ),
        ("at_stable_small_lr", f"{ours} {small}", "cifar10_binary_at_small_lr_long", "11"),
    ]
    return [
        Claim(
            id,
            "Sec. 5.3",
            claim,
            "cifar10",
            GENERATION,
            "gap between logits",
            (Part(f"gap between mean logits at the end under Eq. {equation}, {words.K}", gap(run), bound(equation)),),
            f"the paper speaks of Algorithm 2 and an overflow; here a gap above {DIVERGES:,.0f} counts as divergence",
        )
        for id, claim, run, equation in rows
    ]


def bound(equation: str) -> Bound:
    """Return the bound on the gap: very large under Eq. 2, small under Eq. 11."""
    return times(bound=DIVERGES) if equation == "2" else at_most(STABLE)


def gap(run: str) -> Effect:
    return lambda e: e.gap(run)


def stopped(run: str) -> Effect:
    return lambda e: e.stopped(run)
