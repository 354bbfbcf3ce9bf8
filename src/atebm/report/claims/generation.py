"""State the claims of the abstract and Secs. 5.1, 5.2 about samples and translation (Tables 2, 3; Figs. 6, 7, S20)."""

from .claim import GENERATION, Claim, Effect, Part, Words, above, at_most, learnt, on_distances, ratio_of, times
from .evidence import over

PUBLISHED_ONLY = (
    "compares FID or IS of models that others trained on the paper's data; at the paper scale, a rule decides whether "
    "the published number counts as reproduced"
)
DIRECTIONS = {  # by target: its ascent
    "afhqcat256": "afhqcat256_from_celebahq256",
    "celebahq256": "celebahq256_from_afhqcat256",
}


def generation(words: Words) -> list[Claim]:
    """Return the claims about samples, rivals and translation."""
    return [*of_samples(), *of_rivals(words), *of_published(), *of_translation(words)]


def gained_on_sources(task: str) -> Effect:
    """Return the distance of unchanged sources, over that of the samples made from them."""
    return lambda e: over(e.values(f"sources/{task}"), e.distance(task))


def realistic(id: str, tasks: tuple[str, ...], which: str) -> Claim:
    """Return the claim that samples of some tasks are much nearer to p_data than their sources."""
    gained = "distance of the source images over that of their samples"
    return on_distances(
        id,
        "Abstract; Sec. 5.1, Fig. 6",
        f"Samples are realistic{which}",
        tasks[0],
        *(Part(gained, gained_on_sources(task), times(bound=2), task) for task in tasks),
        reason='"realistic" is taken to mean much nearer to p_data than their sources; no person judged the images',
        margin="at most half as far",
    )


def share(role: str) -> Effect:
    return lambda e: e.percent(role)


def of_samples() -> list[Claim]:
    """Return the claims of the abstract."""
    return [
        realistic("realistic", ("cifar10", "celebahq256"), ""),
        realistic("realistic_others", ("afhqcat256", "church256"), ", of the other two tasks"),
        Claim(
            "diverse",
            "Abstract; Sec. 5.1",
            "Samples are diverse: they lie among the data, and the data among them",
            "cifar10",
            GENERATION,
            "%",
            tuple(
                Part(f"{measure} of samples", share(f"{measure}/{task}"), above(50), f"{measure}, {task}")
                for task in ("cifar10", "celebahq256")
                for measure in ("precision", "recall")
            ),
            "precision and recall of Kynkäänniemi et al. (2019); the paper measures neither",
            "half of the samples, and half of the data",
        ),
    ]


def of_rivals(words: Words) -> list[Claim]:
    """Return the claims that compare with generative models trained here."""
    return [
        on_distances(
            "ebm_competitive",
            "Abstract; Sec. 5.1, Table 2",
            "Samples are as good as those of an explicit energy-based model",
            "cifar10",
            Part(
                "distance by an energy-based model with a buffer of samples over that by adversarial training",
                ratio_of("cifar10_ebm", "cifar10"),
                times(bound=1 / words.same),
                "as good",
            ),
            learnt("cifar10", "cifar10_ebm"),
            reason="the rival counts only if its samples are at most half as far from p_data as its sources",
            margin="as near as two distances that count as the same",
        ),
        on_distances(
            "gan_better",
            "Sec. 5.1, Table 3",
            "A GAN makes better samples than adversarial training",
            "cifar10",
            Part(
                "distance by adversarial training over that by a GAN",
                ratio_of("cifar10", "cifar10_gan"),
                times(words.same),
            ),
            reason="the paper says this about faces and churches; this GAN is small",
        ),
    ]


def of_published() -> list[Claim]:
    """Return the claims that compare with published numbers, and those about the design of other models."""
    rows = [
        (
            "best_of_at",
            "Sec. 5.1, Table 2",
            "The best IS and FID of generative models by adversarial training",
            "cifar10",
        ),
        ("is_above_ebms", "Sec. 5.1, Table 2", "A better IS than that of explicit energy-based models", "cifar10"),
        (
            "fid_near_ebms",
            "Sec. 5.1, Table 2",
            "A slightly worse FID than the best explicit energy-based models",
            "cifar10",
        ),
        (
            "faces_on_par",
            "Sec. 5.1, Table 3",
            "Better than other generative models, or on par, but for GANs",
            "celebahq256",
        ),
        ("church_vaebm", "Sec. 5.1, Table 3", "Better than VAEBM at 64 pixels a side", "church256"),
        ("church_below", "Sec. 5.1, Table 3", "Worse than DDPM and than GANs at 256 pixels a side", "church256"),
    ]
    designs = [
        ("no_auxiliary", "Sec. 5.1", "VAEBM needs an auxiliary model, adversarial training does not", "cifar10"),
        (
            "conditional_ebms",
            "Sec. 5.1",
            "Conditional models of diffusion recovery do not model the density itself",
            "cifar10",
        ),
    ]
    return [
        *(Claim(id, place, claim, task, GENERATION, reason=PUBLISHED_ONLY) for id, place, claim, task in rows),
        *(
            Claim(id, place, claim, task, GENERATION, reason="a statement about the design of other models")
            for id, place, claim, task in designs
        ),
    ]


def translated(target: str, name: str) -> Effect:
    return lambda e: e.translated(name, target)


def nearer(name: str) -> Effect:
    return lambda e: e.nearer(name)


def of_translation(words: Words) -> list[Claim]:
    """Return the claims of Sec. 5.2 about image-to-image translation."""
    place = "Sec. 5.2, Figs. 7 and S20"
    before_over_after = "distance to the target before translation over that after it"
    over_samples = "distance of translated images to the target over that of ordinary samples of its model"
    return [
        on_distances(
            "translation_nearer",
            place,
            "A model turns images of a domain that it never saw into images nearer to its own",
            "celebahq256",
            *(Part(before_over_after, nearer(name), times(words.same), target) for target, name in DIRECTIONS.items()),
            reason="nearer is a weak requirement: the next row tests how near",
        ),
        on_distances(
            "translation_as_samples",
            place,
            "Translated images are valid images of the target",
            "celebahq256",
            *(Part(over_samples, translated(target, name), at_most(2), target) for target, name in DIRECTIONS.items()),
            margin="valid: at most twice as far as ordinary samples",
        ),
        Claim(
            "translation_finetuned",
            "Sec. 5.2",
            "Finetuning on the source domain, or adding it to p_0, may improve translation",
            "celebahq256",
            GENERATION,
            reason='the sentence says "may", the paper shows no such run, and none was made here',
        ),
        Claim(
            "transformation_chosen",
            "Sec. 5.2",
            "A user can choose how much to transform an image",
            "celebahq256",
            GENERATION,
            reason="true of any sampler that takes steps: Figs. S14 to S16 show images after several numbers of steps",
        ),
    ]
