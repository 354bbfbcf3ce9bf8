"""List the results that each claim is tested on, as roles without a seed, "distance/cifar10", with numbers of seeds.

The list stands below `report` so that a plan can use it without importing code that draws. report/claims/ has the same
claims under the same ids, with their tests; a test checks that each claim reads exactly the results listed here.

Roles: "train/<run>", "distance/<sampler>", "sources/<task>" (distance of the unchanged source images), "precision/" and
"recall/" and "saturation/<sampler>", "detection/<run>" (all attacks), "ascent/<name>", "neighbours/<run>",
"undamaged/<task>" (the images that restorations damage), each with "/<seed>" behind it; "distance_by/<extractor>/
<sampler>/<seed>" for each "distance/" of tier A and each other extractor; "maximin/<activation>" and "minimax", which
hold all seeds.
"""

from dataclasses import dataclass
from functools import cache

TIERS = {"A": 12, "B": 4, "C": 5}  # numbers of seeds: A for verdicts, B for values, C for Sec. 5.3, which takes long

ROWS4 = ("SVHN", "CIFAR-100", "ImageNet", "Uniform Noise")  # rows of Table 4
TASKS = ("celebahq256", "afhqcat256", "church256")


@dataclass(frozen=True)
class Needed:
    """The results that a claim is tested on."""

    tier: str = "A"
    roles: tuple[str, ...] = ()


def of(tier: str, *roles: str) -> Needed:
    return Needed(tier, roles)


def distances(tier: str, *samplers: str) -> Needed:
    return Needed(tier, tuple(f"distance/{sampler}" for sampler in samplers))


def detections(tier: str, *runs: str) -> Needed:
    return Needed(tier, tuple(f"detection/{run}" for run in runs))


def slug(row: str) -> str:
    """Return a row of Table 4 as part of an id: "uniform_noise"."""
    return row.lower().replace(" ", "_").replace("-", "")


RELU, TANH = "maximin/relu", "maximin/tanh"
LEARNT = ("distance/cifar10", "sources/cifar10")  # a condition: samples at most half as far as their sources
RIVALS = {"plain": "cifar10_ood_plain", "plain_long": "cifar10_ood_plain_long", "oe": "cifar10_ood_oe"}

EVIDENCE: dict[str, Needed] = {
    # --- in the plane
    "u_log4": of("A", RELU),
    "u_nearer": of("A", RELU),
    "d_half_on_support": of("A", RELU),
    "d_at_most_half": of("A", RELU),
    "contour_of_half": of("A", RELU),
    "maxima_untrained": of("A", RELU),
    "maxima_suppressed": of("A", RELU),
    "reach_uniform": of("A", RELU),
    "maxima_survive": of("A", RELU),
    "maxima_survive_tanh": of("A", TANH),
    "support_not_density": of("A", RELU),
    "particles_match": of("A", "minimax"),
    "d_off_support": of("A", "minimax", RELU),
    # --- ingredients
    "p0_diverse": distances("A", "cifar10_middle_steps", "cifar10_p0_narrower", "cifar10_p0_narrowest"),
    "p0_real_samples": distances("B", "cifar10_middle_steps", "cifar10_p0_noise"),
    "p0_real_robust": detections("B", "cifar10_ood", "cifar10_ood_p0_noise"),
    "k_ends": distances("A", "cifar10_K_one", "cifar10_K_max"),
    "k_each": distances("B", *(f"cifar10_K_{K}" for K in ("one", "fifth", "two_fifths", "three_fifths", "max"))),
    "k_large_slower": of("A", "train/cifar10_K_max", "train/cifar10_K_fifth", *LEARNT),
    "progressive_cheaper": of("A", "train/cifar10_K_max", "train/cifar10", *LEARNT),
    "no_regularisation": of("A", "distance/celebahq256_scratch_r1_0", "sources/celebahq256"),
    "pretraining_helps": distances("A", "celebahq256_scratch", "celebahq256"),
    "r1_needed_slope": of("A", "train/celebahq256", "train/celebahq256_r1_0"),
    "r1_needed": distances("A", "celebahq256_r1_0", "celebahq256"),
    "r1_harmless": of("A", "distance/celebahq256_scratch", "distance/celebahq256_scratch_r1_0", "sources/celebahq256"),
    # --- disagreements between paper and code
    "sources_in_attack": of("B", "distance/cifar10_no_in_attack", *LEARNT),
    "sources_auc_advance": of("B", "distance/cifar10_no_auc_advance", *LEARNT),
    "sources_average": of("B", "distance/cifar10_no_average", *LEARNT),
    "sources_K20": detections("B", "cifar10_ood_K20", "cifar10_ood"),
    # --- generation
    "realistic": of("A", "distance/cifar10", "sources/cifar10", "distance/celebahq256", "sources/celebahq256"),
    "realistic_others": of("B", "distance/afhqcat256", "sources/afhqcat256", "distance/church256", "sources/church256"),
    "diverse": of("A", "precision/cifar10", "recall/cifar10", "precision/celebahq256", "recall/celebahq256"),
    "ebm_competitive": of("B", "distance/cifar10_ebm", *LEARNT),
    "gan_better": distances("B", "cifar10_gan", "cifar10"),
    "translation_nearer": of("B", "ascent/afhqcat256_from_celebahq256", "ascent/celebahq256_from_afhqcat256"),
    "translation_as_samples": of(
        "B",
        "ascent/afhqcat256_from_celebahq256",
        "ascent/celebahq256_from_afhqcat256",
        "distance/afhqcat256",
        "distance/celebahq256",
    ),
    # --- detection
    "ratio_clean": detections("A", "cifar10_ood", "cifar10_ood_ratio"),
    "ratio_worst": detections("A", "cifar10_ood", "cifar10_ood_ratio"),
    **{
        f"worst_{rival}_{slug(row)}": detections("A", "cifar10_ood", run)
        for rival, run in RIVALS.items()
        for row in ROWS4
    },
    **{f"clean_{rival}": detections("A", "cifar10_ood", run) for rival, run in RIVALS.items()},
    "oe_collapses": detections("A", "cifar10_ood_oe"),
    "ratio_robust": detections("A", "cifar10_ood_ratio"),
    "jem_collapses": detections("B", "cifar10_ebm"),
    **{f"robust_{task}": detections("B", task) for task in TASKS},
    **{f"undefended_{task}": detections("B", f"{task}_plain") for task in TASKS},
    # --- stability
    "likelihood_diverges": of("C", "train/cifar10_max_likelihood"),
    "at_stable": of("C", "train/cifar10_binary_at"),
    "likelihood_diverges_small_lr": of("C", "train/cifar10_max_likelihood_small_lr_long"),
    "at_stable_small_lr": of("C", "train/cifar10_binary_at_small_lr_long"),
    "stable_to_train": of("A", "train/cifar10", "train/celebahq256", "train/cifar10_ood"),
    # --- supplement
    "steps_for_size": of(
        "A",
        *(f"distance/{run}_{way}_steps" for run in ("cifar10", "celebahq256") for way in ("small", "middle", "large")),
        "sources/cifar10",
        "sources/celebahq256",
    ),
    "blur_slightly_worse": distances("A", "celebahq256_blurred", "celebahq256"),
    "blur_fewer_artifacts": of("A", "precision/celebahq256_blurred", "precision/celebahq256"),
    "blur_less_diverse": of("A", "recall/celebahq256_blurred", "recall/celebahq256"),
    "steps_best_number": distances("A", "celebahq256_short", "celebahq256_long", "celebahq256"),
    "steps_saturate": of("A", "saturation/celebahq256_long", "saturation/celebahq256"),
    **{
        f"memorised_{task}": of("A" if task in ("cifar10", "celebahq256") else "B", f"neighbours/{task}")
        for task in ("cifar10", *TASKS)
    },
    **{
        f"interpolation_{task}": of("A" if task == "celebahq256" else "B", f"ascent/{task}_interpolation")
        for task in TASKS
    },
    "composes": of("B", "ascent/celebahq256_and_afhqcat256"),
    **{
        f"{way}_{task}": of("A" if task == "celebahq256" else "B", f"ascent/{task}_{way}")
        for way in ("denoising", "inpainting")
        for task in TASKS[:2]
    },
    **{
        f"{way}_{task}_trivial": of("A" if task == "celebahq256" else "B", f"ascent/{task}_{way}", f"undamaged/{task}")
        for way in ("denoising", "inpainting")
        for task in TASKS[:2]
    },
}


@cache
def seeds_by_role(tiers: tuple[str, ...] = tuple(TIERS)) -> dict[str, int]:
    """Return, for each role, the largest number of seeds that a claim of some tiers needs."""
    found: dict[str, int] = {}
    for needed in (needed for needed in EVIDENCE.values() if needed.tier in tiers):
        for role in needed.roles:
            found[role] = max(found.get(role, 0), TIERS[needed.tier])
    return dict(sorted(found.items()))


def seeds_for(name: str) -> int | None:
    """Return how many seeds of a run or sampler the claims need; None if they need none."""
    return max((seeds for role, seeds in seeds_by_role().items() if role.partition("/")[2] == name), default=None)
