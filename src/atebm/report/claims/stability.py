"""The claims of Sec. 5.3 on the stability of training."""

from ..verdicts import Bound
from .claim import GENERATION, Claim, Effect, Part, Words, at_most, below, times

DIVERGES, STABLE = 1e3, 50  # gaps between logits above and below these


def stability(words: Words) -> list[Claim]:
    """Return the claims on Eqs. 2 and 11 at both learning rates, and on the trainings of the board."""
    large, small = words.rates
    pairs = [
        (
            "likelihood_diverges",
            f"Maximum likelihood with PGD diverges at learning rate {large}",
            "max_likelihood",
            "2",
        ),
        ("at_stable", f"Adversarial training does not diverge at learning rate {large}", "binary_at", "11"),
        (
            "likelihood_diverges_small_lr",
            f"Maximum likelihood with PGD diverges at learning rate {small}, as the paper states",
            "max_likelihood_small_lr",
            "2",
        ),
        (
            "at_stable_small_lr",
            f"Adversarial training does not diverge at learning rate {small}",
            "binary_at_small_lr",
            "11",
        ),
    ]
    return [
        *(
            Claim(
                id,
                "Sec. 5.3",
                claim,
                "cifar10",
                GENERATION,
                "gap between logits",
                (
                    Part(
                        f"gap between mean logits at the end under Eq. {equation}, K = {words.K}",
                        gap(run),
                        bound(equation),
                    ),
                ),
                "the paper speaks of Algorithm 2 and of an overflow; here K is fixed, and a gap above 1,000 counts",
            )
            for id, claim, run, equation in pairs
        ),
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
            reason="log.csv has mean logits and not the mean factors; Eq. 2, which lacks them, has rows above",
        ),
    ]


def bound(equation: str) -> Bound:
    """Return what the gap must be: very large under Eq. 2, small under Eq. 11."""
    return times(bound=DIVERGES) if equation == "2" else at_most(STABLE)


def gap(run: str) -> Effect:
    return lambda e: e.gap(f"cifar10_{run}")


def stopped(run: str) -> Effect:
    return lambda e: e.stopped(run)
