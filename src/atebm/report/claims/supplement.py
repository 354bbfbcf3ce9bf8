"""State the claims of supplements 4.1 and 4.3 about sampling, samples, and PGD from other images."""

from ...pipeline.tasks import PAPER_TASKS, TASKS_256
from .claim import GENERATION, RATIO, Claim, Effect, Part, Words, above, at_most, below, learnt, ratio_of, times, within

SLIGHTLY = 1.5  # Fig. S5: a slightly larger distance is at most this many times as large
NEARER = 0.95  # above this ratio of distances to training and held-out images, samples are not copies
RESTORED = TASKS_256[:2]
FIGURES = {"celebahq256": "S18", "afhqcat256": "S19"}
INTERPOLATED = dict(zip(TASKS_256, ("S11", "S12", "S13"), strict=True))
NEIGHBOURS = dict(zip(PAPER_TASKS, ("S3", "S8", "S9", "S10"), strict=True))


def supplement(words: Words) -> list[Claim]:
    """Return the claims of the supplement."""
    return [
        *of_efficiency(words),
        *of_blur(words),
        *(memorised(task) for task in PAPER_TASKS),
        *(interpolation(task) for task in TASKS_256),
        *of_steps(words),
        composition(),
        *(claim for task in RESTORED for claim in of_restoration(task)),
    ]


def of_efficiency(words: Words) -> list[Claim]:
    """Return the claims of supplement 4.1."""
    others = "the other models are not run here; Table S6 has our seconds beside published ones on other devices"
    return [
        Claim(
            "efficient",
            "Supplement 4.1, Tables S5 and S6",
            "Training and sampling take as few steps and seconds as the best energy-based models do",
            "cifar10",
            GENERATION,
            reason=others,
        ),
        Claim(
            "vaebm_slower",
            "Supplement 4.1, Table S6",
            "VAEBM takes fewer steps, each of which takes longer",
            "cifar10",
            GENERATION,
            reason=others,
        ),
        Claim(
            "steps_for_size",
            "Supplement 4.1, Table S7",
            "Steps and step size may be traded at an equal product",
            "celebahq256",
            GENERATION,
            RATIO,
            tuple(
                part
                for run in ("cifar10", "celebahq256")
                for way in ("small", "large")
                for part in within(
                    "distance by another sampler of the same product over that by the middle one",
                    ratio_of(f"{run}_{way}_steps", f"{run}_middle_steps"),
                    words.same,
                    f"{way} steps, {run}",
                )
            )
            + tuple(learnt(run, f"{run}_middle_steps") for run in ("cifar10", "celebahq256")),
            "the product should be that of the sampler that training selected",
            "as near as two distances that count as the same; the published ones differ by at most 3 %",
        ),
    ]


def of_blur(words: Words) -> list[Claim]:
    """Return the claims about blurred sources (Fig. S5)."""
    blurred, place = ratio_of("celebahq256_blurred", "celebahq256"), "Supplement 4.3, Fig. S5"
    return [
        Claim(
            "blur_slightly_worse",
            place,
            "Samples from blurred sources have a slightly larger distance",
            "celebahq256",
            GENERATION,
            RATIO,
            (
                Part("distance from blurred sources over that from sharp ones", blurred, times(words.same), "worse"),
                Part("distance from blurred sources over that from sharp ones", blurred, at_most(SLIGHTLY), "slightly"),
            ),
            margin="slightly: less than 1.5 times",
        ),
        Claim(
            "blur_fewer_artifacts",
            place,
            "Samples from blurred sources have fewer artifacts",
            "celebahq256",
            GENERATION,
            "percentage points",
            (Part("precision from blurred sources minus that from sharp ones", change("precision"), above(0, 2)),),
            "artifacts are taken to be samples outside the data, so precision is tested; no person judged the images",
        ),
        Claim(
            "blur_less_diverse",
            place,
            "Samples from blurred sources are less diverse, as with a truncation trick",
            "celebahq256",
            GENERATION,
            "percentage points",
            (Part("recall from blurred sources minus that from sharp ones", change("recall"), below(0, 2)),),
        ),
    ]


def change(measure: str) -> Effect:
    """Return the effect: a measure of samples from blurred sources minus that from sharp ones."""
    return lambda e: e.percent(f"{measure}/celebahq256_blurred") - e.percent(f"{measure}/celebahq256")


def memorised(task: str) -> Claim:
    """Return the claim that a task's model has not memorised its training images."""

    def nearest(space: str) -> Effect:
        return lambda e: e.memorised(task, space)

    return Claim(
        f"memorised_{task}",
        f"Supplement 4.3, Fig. {NEIGHBOURS[task]}",
        "The model has not memorised its training images",
        task,
        GENERATION,
        RATIO,
        tuple(
            Part(
                "distance of samples to the nearest training image over that to the nearest of as many held-out images",
                nearest(space),
                times(bound=NEARER),
                space,
            )
            for space in ("pixels", "features")
        ),
        "the paper only shows neighbours, where a small bias towards training images would not be visible",
        "at most 5 % nearer to training images",
    )


def interpolation(task: str) -> Claim:
    """Return the claim that samples from blends of two sources are as likely as those from the sources."""

    def between(name: str) -> Effect:
        return lambda e: e.between(name)

    return Claim(
        f"interpolation_{task}",
        f"Supplement 4.3, Fig. {INTERPOLATED[task]}",
        "Interpolation works: samples from blends of two sources are as likely as those from the sources",
        task,
        GENERATION,
        "f",
        (
            Part(
                "median f of samples from blends minus that of samples from sources",
                between(f"{task}_interpolation"),
                above(-1),
            ),
        ),
        "by the model's own f; no person judged whether they look like the data",
        "a unit of f, a factor of e in density",
    )


def of_steps(words: Words) -> list[Claim]:
    """Return the claims about too few and too many steps (Figs. S14 to S16)."""
    return [
        Claim(
            "steps_best_number",
            "Supplement 4.3, Figs. S14-S16",
            "There is a best number of steps: fewer make samples worse, and more do too",
            "celebahq256",
            GENERATION,
            RATIO,
            tuple(
                Part(
                    "distance with another number of steps over that with the sampler's",
                    ratio_of(f"celebahq256_{way}", "celebahq256"),
                    times(words.same),
                    which,
                )
                for way, which in (("short", "fewer"), ("long", "more"))
            ),
            "the sampler's number was selected to be the best",
        ),
        Claim(
            "steps_saturate",
            "Supplement 4.3, Figs. S14-S16",
            "With too many steps, samples saturate: there is no valid steady state",
            "celebahq256",
            GENERATION,
            "percentage points",
            (
                Part(
                    "share of pixels at 0 or 1 with many steps minus that with the sampler's number",
                    lambda e: e.percent("saturation/celebahq256_long") - e.percent("saturation/celebahq256"),
                    above(0, 2),
                ),
            ),
        ),
    ]


def composition() -> Claim:
    """Return the claim that the f of two models may be added (Fig. S17)."""
    name = "celebahq256_and_afhqcat256"

    def rise(run: str) -> Effect:
        return lambda e: e.rise(name, run)

    return Claim(
        "composes",
        "Supplement 4.3, Fig. S17",
        "Two models compose: samples of the sum of their f have features of both",
        "celebahq256",
        GENERATION,
        "f",
        tuple(
            Part("rise of the median f of one model from sources to samples", rise(run), above(0, 1), run)
            for run in RESTORED
        ),
        "by the models' own f; no person judged whether both kinds of features are visible",
        "a unit of f, a factor of e in density",
    )


def of_restoration(task: str) -> list[Claim]:
    """Return the claims about denoising and inpainting with a task's model, and our own against trivial filters."""
    claims = []
    for way, trivial in (("denoising", "a blur or a median"), ("inpainting", "a smooth filling of the hole")):
        name, place = f"{task}_{way}", f"Supplement 4.3, Fig. {FIGURES[task]}"
        claims += [
            Claim(
                f"{way}_{task}",
                place,
                f"The model can be used for {way}: images get better, and few get worse",
                task,
                GENERATION,
                "dB; %",
                (
                    Part("mean rise in PSNR over the damaged image", gained(name), above(0, 0.5), "rise"),
                    Part("share of images that get worse", worse(name), below(25), "worse"),
                ),
                margin="half a dB; a quarter of the images",
            ),
            Claim(
                f"{way}_{task}_trivial",
                place,
                f"The model is better at {way} than {trivial}",
                task,
                GENERATION,
                "dB",
                (Part("mean rise in PSNR minus that of the best trivial filter", beyond(name, task), above(0, 0.5)),),
                "our own claim: the paper does not compare with a filter",
            ),
        ]
    return claims


def gained(name: str) -> Effect:
    return lambda e: e.gained(name)


def worse(name: str) -> Effect:
    return lambda e: e.made_worse(name)


def beyond(name: str, task: str) -> Effect:
    return lambda e: e.beyond_trivial(name, task)
