"""State the claims of Sec. 5.2 and supplement 4.2 about detection (Tables 4 and S8)."""

from ...config.roles import CLEAN, WORST
from ...pipeline.evidence import RIVALS, ROWS4, TASKS, slug
from .claim import DETECTION, POINTS, Claim, Part, Words, above, area_of, below, detects, lead_of

MARGIN, MATTERS = 3, 2  # points: the margin of "comparable", and the smallest difference of interest
OF_THE_PAPER = (
    "3 points: results that the paper itself calls comparable are up to 3.0 points below RATIO (Table 4, standard, "
    "SVHN)"
)
COLLAPSED, STRONG = 50, 85  # points: no better than guessing; strong under attack
ROWS8 = {  # the rows of Table S8, by task
    task: ("Uniform noise", "SVHN", "CIFAR-10", "ImageNet validation set", *others)
    for task, others in zip(
        TASKS,
        (("AFHQ-CAT 256", "LSUN-Church 256"), ("CelebA-HQ 256", "LSUN-Church 256"), ("AFHQ-CAT 256", "CelebA-HQ 256")),
        strict=True,
    )
}
NAMES = {
    "plain": "a plain classifier of as many iterations",
    "plain_long": "a plain classifier of as much compute",
    "oe": "outlier exposure",
}


def detection(words: Words) -> list[Claim]:
    """Return the claims about Tables 4 and S8."""
    rows = words.rows.get("cifar10", {})
    labels = {row: rows.get(row, row) for row in ROWS4}
    return [
        *of_ratio(labels),
        *(lead(rival, row, label) for rival in RIVALS for row, label in labels.items()),
        *(as_well(rival, labels) for rival in RIVALS),
        *collapses(labels),
        *(claim for task in TASKS for claim in of_256(task, words)),
        Claim(
            "variant_of_ratio",
            "Sec. 5.2",
            "The method uses no class labels, so it is a binary variant of RATIO",
            "cifar10",
            DETECTION,
            reason="a statement on the method: its losses take no labels",
        ),
    ]


def of_ratio(labels: dict[str, str]) -> list[Claim]:
    """Return the section's main claim, clean and under attack."""
    return [
        Claim(
            f"ratio_{word}",
            "Sec. 5.2, Table 4",
            f"Adversarial training detects {which} as well as RATIO",
            "cifar10",
            DETECTION,
            POINTS,
            tuple(
                Part(
                    f"AUROC, {how}, minus that of RATIO",
                    lead_of("cifar10_ood", "cifar10_ood_ratio", row, attack),
                    above(-MARGIN),
                    label,
                )
                for row, label in labels.items()
            )
            + tuple(detects("cifar10_ood_ratio", row, attack, label) for row, label in labels.items()),
            margin=OF_THE_PAPER,
        )
        for word, attack, which, how in (
            ("clean", CLEAN, "clean images", "clean"),
            ("worst", WORST, "attacked images", "worst case"),
        )
    ]


def lead(rival: str, row: str, label: str) -> Claim:
    """Return the claim that the method detects attacked images of a set better than a rival."""
    return Claim(
        f"worst_{rival}_{slug(row)}",
        "Sec. 5.2, Table 4",
        f"Adversarial training detects attacked images better than {NAMES[rival]}: {label}",
        "cifar10",
        DETECTION,
        POINTS,
        (
            Part(
                "AUROC in the worst case of all attacks minus that of the other detector",
                lead_of("cifar10_ood", RIVALS[rival], row, WORST),
                above(0, MATTERS),
            ),
        ),
    )


def as_well(rival: str, labels: dict[str, str]) -> Claim:
    """Return the project's own claim that the method detects clean images of all sets as well as a rival."""
    return Claim(
        f"clean_{rival}",
        "Sec. 5.2, Table 4",
        f"Adversarial training detects clean images as well as {NAMES[rival]}",
        "cifar10",
        DETECTION,
        POINTS,
        tuple(
            Part(
                "clean AUROC minus that of the other detector",
                lead_of("cifar10_ood", RIVALS[rival], row, CLEAN),
                above(-MARGIN),
                label,
            )
            for row, label in labels.items()
        )
        + tuple(detects(RIVALS[rival], row, CLEAN, label) for row, label in labels.items()),
        "the paper does not say so: in its Table 4, outlier exposure is better on clean images",
        OF_THE_PAPER,
    )


def collapses(labels: dict[str, str]) -> list[Claim]:
    """Return the claims about which approaches collapse under attack and which do not."""
    measured = "AUROC in the worst case of all attacks"
    return [
        Claim(
            "oe_collapses",
            "Sec. 5.2, Table 4",
            "Outlier exposure collapses under attack",
            "cifar10",
            DETECTION,
            POINTS,
            tuple(
                Part(measured, area_of("cifar10_ood_oe", row, WORST), below(COLLAPSED), label)
                for row, label in labels.items()
            ),
            "published: 0.6 to 43.1",
            "worse than guessing",
        ),
        Claim(
            "ratio_robust",
            "Sec. 5.2, Table 4",
            "RATIO does not collapse under attack",
            "cifar10",
            DETECTION,
            POINTS,
            tuple(
                Part(measured, area_of("cifar10_ood_ratio", row, WORST), above(COLLAPSED), label)
                for row, label in labels.items()
            ),
            "published: 73.0 to 99.8; if it collapses here, this rival does not represent RATIO",
            "better than guessing",
        ),
        Claim(
            "jem_collapses",
            "Sec. 5.2, Table 4",
            "An energy-based model by Langevin dynamics collapses under attack",
            "cifar10",
            DETECTION,
            POINTS,
            tuple(
                Part(measured, area_of("cifar10_ebm", row, WORST), below(COLLAPSED), label)
                for row, label in labels.items()
            ),
            "here a model with a buffer of samples takes the place of JEM, which is also a classifier",
            "worse than guessing",
        ),
    ]


def of_256(task: str, words: Words) -> list[Claim]:
    """Return the claims about a 256x256 task: its model is robust, an undefended one is not."""
    labels = words.rows.get(task, {})
    measured = "AUROC in the worst case at the radius of the task"
    rows = [(row, labels.get(row, row)) for row in ROWS8[task]]
    return [
        Claim(
            f"robust_{task}",
            "Sec. 5.2; supplement 4.2, Table S8",
            "The generative model detects attacked images, too",
            task,
            DETECTION,
            POINTS,
            tuple(Part(measured, area_of(task, row, WORST), above(STRONG), label) for row, label in rows),
            margin="strong: at least 85 points; the least published is 88.57",
        ),
        Claim(
            f"undefended_{task}",
            "Supplement 4.2",
            "The radius is large enough to make an undefended model fail completely",
            task,
            DETECTION,
            POINTS,
            tuple(Part(measured, area_of(f"{task}_plain", row, WORST), below(COLLAPSED), label) for row, label in rows),
            "the paper cites this and does not measure it",
            "worse than guessing",
        ),
    ]
