"""The claims of Sec. 4.4 (Figs. 2 to 5), and what the paper and the authors' code disagree on."""

from itertools import pairwise

from ...config.roles import WORST
from .claim import (
    DETECTION,
    GENERATION,
    POINTS,
    RATIO,
    Claim,
    Effect,
    Part,
    Words,
    above,
    at_most,
    below,
    detects,
    lead_of,
    learnt,
    ratio_of,
    times,
    within,
)
from .evidence import AFTER, NEAR, over

PERCENT = "% per 100 iterations"
SHARES = ("one", "fifth", "two_fifths", "three_fifths", "max")  # of the largest K
LIKE_MARGIN = "as near as two distances that count as the same"
REAL = ("SVHN", "CIFAR-100", "ImageNet")  # rows of Table 4 that are images


def ingredients(words: Words) -> list[Claim]:
    """Return the claims on p_0, K, progressive training, pre-training and R1, and on what the sources disagree on."""
    return [*of_p_0(words), *of_K(words), *of_pretraining(words), *of_sources(words)]


def of_p_0(words: Words) -> list[Claim]:
    """Return the claims on the diversity of p_0, and on real images in it."""
    rows = words.rows.get("cifar10", {})
    return [
        Claim(
            "p0_diverse",
            "Sec. 4.4, Fig. 3",
            "The most diverse of three p_0 gives the best samples, by one sampler",
            "cifar10",
            GENERATION,
            RATIO,
            tuple(
                Part(
                    "distance with less of p_0 over that with all of it",
                    ratio_of(f"cifar10_p0_{way}", "cifar10"),
                    times(words.same),
                    f"the {way}",
                )
                for way in ("narrower", "narrowest")
            ),
        ),
        Claim(
            "p0_real_samples",
            "Sec. 4.4",
            "A p_0 of real images, and not of noise, gives gradients that turn real images into better samples",
            "cifar10",
            GENERATION,
            RATIO,
            (
                Part(
                    "distance with a p_0 of noise over that with real images, both from real sources",
                    ratio_of("cifar10_p0_noise", "cifar10"),
                    times(words.same),
                ),
            ),
        ),
        Claim(
            "p0_real_robust",
            "Secs. 4.4 and 5.2",
            "A p_0 of real images, and not of noise, gives robustness out of distribution",
            "cifar10",
            DETECTION,
            POINTS,
            tuple(
                Part(
                    "AUROC in the worst case with real images less that with noise",
                    lead_of("cifar10_ood", "cifar10_ood_p0_noise", row, WORST),
                    above(0, 2),
                    rows.get(row, row),
                )
                for row in REAL
            ),
        ),
    ]


def of_K(words: Words) -> list[Claim]:
    """Return the claims on K and on progressive training."""
    cost = (
        f"gradient steps until the best distance so far on validation sources is {NEAR} times the least of both runs: "
    )
    known = "a run that never arrives counts only as far as its order is known"
    return [
        Claim(
            "k_ends",
            "Sec. 4.4, Fig. 4",
            "The largest K gives better samples than K = 1",
            "cifar10",
            GENERATION,
            RATIO,
            (
                Part(
                    "distance with K = 1 over that with the largest K",
                    k_ratio(SHARES[0], SHARES[-1]),
                    times(words.same),
                ),
            ),
        ),
        Claim(
            "k_each",
            "Sec. 4.4, Fig. 4",
            "Each larger K gives better samples",
            "cifar10",
            GENERATION,
            RATIO,
            tuple(
                Part(
                    "distance with one K over that with the next",
                    k_ratio(less, more),
                    times(words.same),
                    f"K {less}, {more}",
                )
                for less, more in pairwise(SHARES)
            ),
        ),
        Claim(
            "k_large_slower",
            "Sec. 4.4, Fig. 5",
            "A large K converges slower than a small one",
            "cifar10",
            GENERATION,
            RATIO,
            (
                Part(
                    f"{cost}the largest K's over those of a fifth of it",
                    lambda e: e.cost("cifar10_K_max", "cifar10_K_fifth"),
                    times(words.same, ranks=True),
                    "cost",
                ),
                learnt("cifar10"),
            ),
            known,
        ),
        Claim(
            "progressive_cheaper",
            "Sec. 4.4, Fig. 5",
            "Progressive training converges faster than a fixed large K",
            "cifar10",
            GENERATION,
            RATIO,
            (
                Part(
                    f"{cost}the fixed K's over progressive training's",
                    lambda e: e.cost("cifar10_K_max", "cifar10"),
                    times(words.same, ranks=True),
                    "cost",
                ),
                learnt("cifar10"),
            ),
            known,
        ),
        Claim(
            "perturbations_travel",
            "Sec. 4.4",
            "Without a perturbation limit, p_0 images travel farther and find more local maxima",
            "cifar10",
            GENERATION,
            reason="no count of local maxima exists for images; its consequence, Fig. 4, is tested",
        ),
    ]


def k_ratio(less: str, more: str) -> Effect:
    """Return the effect of one K against another."""
    return ratio_of(f"cifar10_K_{less}", f"cifar10_K_{more}")


def of_pretraining(words: Words) -> list[Claim]:
    """Return the claims on regularisation and pre-training (Fig. 2)."""
    task, place = "celebahq256", "Sec. 4.4, Fig. 2"
    slow = 1.0
    return [
        Claim(
            "no_regularisation",
            "Sec. 4.4",
            "Training succeeds without any regularisation",
            task,
            GENERATION,
            RATIO,
            (
                Part(
                    "distance of the source images over that of their samples, from scratch and without R1",
                    lambda e: over(e.values(f"sources/{task}"), e.distance(f"{task}_scratch_r1_0")),
                    times(bound=2),
                ),
            ),
            margin="success: samples at most half as far from p_data as their sources",
        ),
        Claim(
            "pretraining_helps",
            place,
            "Pre-training makes samples better",
            task,
            GENERATION,
            RATIO,
            (
                Part(
                    "distance from scratch over that with pre-training, both with R1",
                    ratio_of(f"{task}_scratch", task),
                    times(words.same),
                ),
            ),
        ),
        Claim(
            "r1_needed_slope",
            place,
            "Pre-trained, samples stop improving after a few hundred iterations without R1, and with R1 they do not",
            task,
            GENERATION,
            PERCENT,
            (
                Part(
                    f"slope of the distance on validation sources after iteration {AFTER} without R1",
                    lambda e: e.slope(f"{task}_r1_0"),
                    above(-slow),
                    "without",
                ),
                Part(
                    f"slope of the distance on validation sources after iteration {AFTER} with R1",
                    lambda e: e.slope(task),
                    below(-slow),
                    "with",
                ),
            ),
            "where a seed is a whole replication, it deals the photographs of validation sources anew",
            "a distance that falls by less than 1 % per 100 iterations has stopped",
        ),
        Claim(
            "r1_needed",
            place,
            "With pre-training, samples are better with R1 than without it",
            task,
            GENERATION,
            RATIO,
            (
                Part(
                    "distance without R1 over that with it, both pre-trained",
                    ratio_of(f"{task}_r1_0", task),
                    times(words.same),
                ),
            ),
            "the paper speaks of the course of training, this test of its end",
        ),
        Claim(
            "r1_harmless",
            place,
            "From scratch, R1 does no harm",
            task,
            GENERATION,
            RATIO,
            (
                Part(
                    "distance with R1 over that without it, both from scratch",
                    ratio_of(f"{task}_scratch", f"{task}_scratch_r1_0"),
                    at_most(words.same),
                    "harm",
                ),
                learnt(task, f"{task}_scratch"),
            ),
            margin=LIKE_MARGIN,
        ),
    ]


def of_sources(words: Words) -> list[Claim]:
    """Return what the paper and the authors' code disagree on, each as: it makes no difference that matters."""
    place = "Paper against the authors' code"
    differing = [
        (
            "sources_in_attack",
            "the attack on p_data, which the code has and Algorithm 2 has not",
            "cifar10_no_in_attack",
        ),
        (
            "sources_auc_advance",
            "the early rise of K by the batch AUC, which only the code has",
            "cifar10_no_auc_advance",
        ),
        ("sources_average", "the average of weights, which is ours", "cifar10_no_average"),
    ]
    rows = words.rows.get("cifar10", {})
    code, paper = "cifar10_ood_K20", "cifar10_ood"
    leads = [(row, *how) for row in REAL for how in (("at least", code, paper), ("at most", paper, code))]
    return [
        *(
            Claim(
                id,
                place,
                f"It does not matter for samples: {what}",
                "cifar10",
                GENERATION,
                RATIO,
                (
                    *within("distance without it over that with it", ratio_of(run, "cifar10"), words.same),
                    learnt("cifar10"),
                ),
                "no claim of the paper; where a scale has it neither way, both runs are equal",
                LIKE_MARGIN,
            )
            for id, what, run in differing
        ),
        Claim(
            "sources_K20",
            place,
            "It does not matter for detection: K = 10 as in the paper, or 20 as in the code",
            "cifar10",
            DETECTION,
            POINTS,
            (
                *(detects(paper, row, WORST, rows.get(row, row)) for row in REAL),
                *(
                    Part(
                        "AUROC in the worst case with one K less that with the other",
                        lead_of(one, other, row, WORST),
                        above(-2),
                        f"{rows.get(row, row)}, {side}",
                    )
                    for row, side, one, other in leads
                ),
            ),
            "no claim of the paper",
        ),
    ]
