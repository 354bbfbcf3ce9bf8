"""State the claims of Sec. 4.4 (Figs. 2 to 5), and those about where the paper and the authors' code disagree."""

from collections.abc import Mapping
from itertools import pairwise

from ...config.roles import WORST
from .claim import (
    DETECTION,
    GENERATION,
    POINTS,
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
    on_distances,
    ratio_of,
    times,
    within,
)
from .evidence import AFTER, NEAR, over

SHARES = ("one", "fifth", "two_fifths", "three_fifths", "max")  # values of K, as shares of the largest
LIKE_MARGIN = "as near as two distances that count as the same"
FACES, FIG2 = "celebahq256", "Sec. 4.4, Fig. 2"
CODE = "Paper against the authors' code"
SLOW = 1  # % per 100 iterations: a distance that falls more slowly has stopped
REAL = ("SVHN", "CIFAR-100", "ImageNet")  # rows of Table 4 that are real images


def ingredients(words: Words) -> list[Claim]:
    """Return the claims about p_0, K, progressive training, pre-training, R1, and disagreements of the sources."""
    return [
        *of_p_0(words),
        *of_K(words),
        *of_convergence(words),
        *of_pretraining(words),
        *of_r1(words),
        *of_sources(words),
        of_K_in_detection(words.rows.get("cifar10", {})),
    ]


def of_p_0(words: Words) -> list[Claim]:
    """Return the claims about the diversity of p_0 and about real images in it."""
    rows = words.rows.get("cifar10", {})
    return [
        on_distances(
            "p0_diverse",
            "Sec. 4.4, Fig. 3",
            "The most diverse of three p_0 gives the best samples, by one sampler",
            "cifar10",
            *(
                Part(
                    "distance with less of p_0 over that with all of it",
                    ratio_of(f"cifar10_p0_{way}", "cifar10_middle_steps"),
                    times(words.same),
                    f"the {way}",
                )
                for way in ("narrower", "narrowest")
            ),
        ),
        on_distances(
            "p0_real_samples",
            "Sec. 4.4",
            "A p_0 of real images, and not of noise, gives gradients that turn real images into better samples",
            "cifar10",
            Part(
                "distance with a p_0 of noise over that with real images, both from real sources",
                ratio_of("cifar10_p0_noise", "cifar10_middle_steps"),
                times(words.same),
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
                    "AUROC in the worst case with real images minus that with noise",
                    lead_of("cifar10_ood", "cifar10_ood_p0_noise", row, WORST),
                    above(0, 2),
                    rows.get(row, row),
                )
                for row in REAL
            ),
        ),
    ]


def of_K(words: Words) -> list[Claim]:
    """Return the claims about samples of models with a fixed K."""
    return [
        on_distances(
            "k_ends",
            "Sec. 4.4, Fig. 4",
            "The largest K gives better samples than K = 1",
            "cifar10",
            Part("distance with K = 1 over that with the largest K", k_ratio(SHARES[0], SHARES[-1]), times(words.same)),
        ),
        on_distances(
            "k_each",
            "Sec. 4.4, Fig. 4",
            "Each larger K gives better samples",
            "cifar10",
            *(
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
            "perturbations_travel",
            "Sec. 4.4",
            "Without a perturbation limit, p_0 images travel farther and find more local maxima",
            "cifar10",
            GENERATION,
            reason="local maxima cannot be counted for images; the consequence in Fig. 4 is tested",
        ),
    ]


def k_ratio(less: str, more: str) -> Effect:
    """Return the effect that compares one K with another."""
    return ratio_of(f"cifar10_K_{less}", f"cifar10_K_{more}")


def of_convergence(words: Words) -> list[Claim]:
    """Return the claims about the cost until samples are good, with a small, a large and a growing K."""
    rows = [
        (
            "k_large_slower",
            "A large K converges slower than a small one",
            "the largest K's over those of a fifth of it",
            "cifar10_K_fifth",
        ),
        (
            "progressive_cheaper",
            "Progressive training converges faster than a fixed large K",
            "the fixed K's over progressive training's",
            "cifar10",
        ),
    ]
    cost = f"gradient steps until the best distance so far on validation sources is {NEAR} times the least of both runs"
    return [
        on_distances(
            id,
            "Sec. 4.4, Fig. 5",
            claim,
            "cifar10",
            Part(f"{cost}: {which}", cost_over(faster), times(words.same, ranks=True), "cost"),
            learnt("cifar10"),
            reason="if a run never arrives, only the order of the two runs is used, as far as it is known",
        )
        for id, claim, which, faster in rows
    ]


def cost_over(faster: str) -> Effect:
    """Return the effect that compares the cost with the largest K to that of another run."""
    return lambda e: e.cost("cifar10_K_max", faster)


def of_pretraining(words: Words) -> list[Claim]:
    """Return the claims about training without regularisation and about pre-training (Fig. 2)."""
    return [
        on_distances(
            "no_regularisation",
            "Sec. 4.4",
            "Training succeeds without any regularisation",
            FACES,
            Part(
                "distance of the source images over that of their samples, from scratch and without R1",
                lambda e: over(e.values(f"sources/{FACES}"), e.distance(f"{FACES}_scratch_r1_0")),
                times(bound=2),
            ),
            margin="success: samples at most half as far from p_data as their sources",
        ),
        on_distances(
            "pretraining_helps",
            FIG2,
            "Pre-training makes samples better",
            FACES,
            Part(
                "distance from scratch over that with pre-training, both with R1",
                ratio_of(f"{FACES}_scratch", FACES),
                times(words.same),
            ),
        ),
    ]


def of_r1(words: Words) -> list[Claim]:
    """Return the claims about R1, with pre-training and from scratch (Fig. 2)."""
    slope = f"slope of the distance on validation sources after iteration {AFTER}"
    return [
        Claim(
            "r1_needed_slope",
            FIG2,
            "Pre-trained, samples stop improving after a few hundred iterations without R1, and with R1 they do not",
            FACES,
            GENERATION,
            "% per 100 iterations",
            (
                Part(f"{slope} without R1", lambda e: e.slope(f"{FACES}_r1_0"), above(-SLOW), "without"),
                Part(f"{slope} with R1", lambda e: e.slope(FACES), below(-SLOW), "with"),
            ),
            "if a seed is a whole replication, it also draws new photographs for the validation sources",
            f"a distance that falls by less than {SLOW} % per 100 iterations has stopped",
        ),
        on_distances(
            "r1_needed",
            FIG2,
            "With pre-training, samples are better with R1 than without it",
            FACES,
            Part(
                "distance without R1 over that with it, both pre-trained",
                ratio_of(f"{FACES}_r1_0", FACES),
                times(words.same),
            ),
            reason="the paper's sentence is about the course of training, this test about its end",
        ),
        on_distances(
            "r1_harmless",
            FIG2,
            "From scratch, R1 does no harm",
            FACES,
            Part(
                "distance with R1 over that without it, both from scratch",
                ratio_of(f"{FACES}_scratch", f"{FACES}_scratch_r1_0"),
                at_most(words.same),
                "harm",
            ),
            learnt(FACES, f"{FACES}_scratch"),
            margin=LIKE_MARGIN,
        ),
    ]


def of_sources(words: Words) -> list[Claim]:
    """Return a claim per disagreement of paper and code: that it makes no difference that matters."""
    differing = [
        ("in_attack", "the attack on p_data, which the code has and Algorithm 2 has not"),
        ("auc_advance", "the early rise of K by the batch AUC, which only the code has"),
        ("average", "the average of weights, which is ours"),
    ]
    return [
        on_distances(
            f"sources_{key}",
            CODE,
            f"It does not matter for samples: {what}",
            "cifar10",
            *within("distance without it over that with it", ratio_of(f"cifar10_no_{key}", "cifar10"), words.same),
            learnt("cifar10"),
            reason="not a claim of the paper; if a scale's main run does without it, both runs are equal",
            margin=LIKE_MARGIN,
        )
        for key, what in differing
    ]


def of_K_in_detection(labels: Mapping[str, str]) -> Claim:
    """Return the claim that the K of detectors, on which paper and code disagree, makes no difference that matters."""
    code, paper = "cifar10_ood_K20", "cifar10_ood"
    leads = [(row, *how) for row in REAL for how in (("at least", code, paper), ("at most", paper, code))]
    return Claim(
        "sources_K20",
        CODE,
        "It does not matter for detection: K = 10 as in the paper, or 20 as in the code",
        "cifar10",
        DETECTION,
        POINTS,
        (
            *(detects(paper, row, WORST, labels.get(row, row)) for row in REAL),
            *(
                Part(
                    "AUROC in the worst case with one K minus that with the other",
                    lead_of(one, other, row, WORST),
                    above(-2),
                    f"{labels.get(row, row)}, {side}",
                )
                for row, side, one, other in leads
            ),
        ),
        "not a claim of the paper",
    )
