"""The table of contents: every figure and table that is drawn, and the steps it is drawn from.

A new one is a line here, a notebook `notebooks/<id>.ipynb` and a function of the same name in `report/`. The first
line of its docstring is its title, in which `{cifar10}` stands for a task's data as the scale has them.
What a table shows of the configuration itself, without any step, is in settings.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from .builder import StepBuilder
from .step import Step
from .tasks import PAPER_TASKS, STABILITY, TASKS_256


def fig1(build: StepBuilder) -> list[Step]:
    """Fig. 1: D of Algorithm 1 in 2D, before and after, for two p_0."""
    return [build.toy(activation) for activation in build.config.toy.activations]


def fig2(build: StepBuilder) -> list[Step]:
    """Fig. 2: R1 regularization and pre-training on {celebahq256}, by the {distance} in the course of training."""
    return curves(build, *PRETRAINED_OR_NOT)


def fig3(build: StepBuilder) -> list[Step]:
    """Fig. 3: {distance} on {cifar10} of models trained with more and less diverse p_0, from the same source images."""
    return qualities(build, "cifar10", "cifar10_p0_narrower", "cifar10_p0_narrowest")


def fig4(build: StepBuilder) -> list[Step]:
    """Fig. 4: {distance} on {cifar10} with Algorithm 1 at several K."""
    runs = ("K_one", "K_fifth", "K_two_fifths", "K_three_fifths", "K_max")
    return qualities(build, *(f"cifar10_{run}" for run in runs))


def fig5(build: StepBuilder) -> list[Step]:
    """Fig. 5: progressive training and fixed K on {cifar10}, by the {distance} in the course of training."""
    return curves(build, "cifar10", "cifar10_K_max", "cifar10_K_fifth")


def stability(build: StepBuilder) -> list[Step]:
    """Sec. 5.3: training stability, the gap between logits of data and of contrastive samples under Eqs. 2 and 11."""
    own = ("max_likelihood", "max_likelihood_langevin", "binary_at", "max_likelihood_small_lr", "binary_at_small_lr")
    return [build.train(f"cifar10_{run}", seed) for run in own for seed in build.seeds]


def fig6(build: StepBuilder) -> list[Step]:
    """Fig. 6: source images and samples: {celebahq256}; {afhqcat256}; {church256}."""
    return [step for run in TASKS_256 for step in sampled(build, run)]


def fig7(build: StepBuilder) -> list[Step]:
    """Fig. 7: image-to-image translation both ways: {celebahq256}; {afhqcat256}."""
    return [build.ascent(name, build.config.seed) for name in TRANSLATIONS[:2]]


def figS1(build: StepBuilder) -> list[Step]:
    """Fig. S1: minimax instead of maximin: Algorithm 3 in 2D, beside D of Algorithm 1."""
    return [build.minimax(), build.toy(build.config.minimax.activation)]


def figS2(build: StepBuilder) -> list[Step]:
    """Fig. S2: uncurated samples over the source images they started from: {cifar10}."""
    sample, sources = sampled(build, "cifar10")
    motion = build.ascent("cifar10_trajectory", build.config.seed)
    return [sample, sources, build.features(sample, build.config.metrics.n), motion]


def figS3(build: StepBuilder) -> list[Step]:
    """Fig. S3: nearest training images of samples, in pixels and in features: {cifar10}."""
    return searched(build, "cifar10")


def figS4(build: StepBuilder) -> list[Step]:
    """Fig. S4: uncurated samples: {celebahq256}."""
    return uncurated(build, "celebahq256")


def figS5(build: StepBuilder) -> list[Step]:
    """Fig. S5: uncurated samples from blurred source images: {celebahq256}."""
    return [*uncurated(build, "celebahq256_blurred"), build.quality("celebahq256", build.config.seed)]


def figS6(build: StepBuilder) -> list[Step]:
    """Fig. S6: uncurated samples: {afhqcat256}."""
    return uncurated(build, "afhqcat256")


def figS7(build: StepBuilder) -> list[Step]:
    """Fig. S7: uncurated samples: {church256}."""
    return uncurated(build, "church256")


def figS8(build: StepBuilder) -> list[Step]:
    """Fig. S8: nearest training images of samples: {celebahq256}."""
    return searched(build, "celebahq256")


def figS9(build: StepBuilder) -> list[Step]:
    """Fig. S9: nearest training images of samples: {afhqcat256}."""
    return searched(build, "afhqcat256")


def figS10(build: StepBuilder) -> list[Step]:
    """Fig. S10: nearest training images of samples: {church256}."""
    return searched(build, "church256")


def figS11(build: StepBuilder) -> list[Step]:
    """Fig. S11: interpolation between source images: {celebahq256}."""
    return [build.ascent("celebahq256_interpolation", build.config.seed)]


def figS12(build: StepBuilder) -> list[Step]:
    """Fig. S12: interpolation between source images: {afhqcat256}."""
    return [build.ascent("afhqcat256_interpolation", build.config.seed)]


def figS13(build: StepBuilder) -> list[Step]:
    """Fig. S13: interpolation between source images: {church256}."""
    return [build.ascent("church256_interpolation", build.config.seed)]


def figS14(build: StepBuilder) -> list[Step]:
    """Fig. S14: intermediate results, with the {distance} after each number of steps: {celebahq256}."""
    return [build.ascent("celebahq256_trajectory", build.config.seed)]


def figS15(build: StepBuilder) -> list[Step]:
    """Fig. S15: intermediate results, with the {distance} after each number of steps: {afhqcat256}."""
    return [build.ascent("afhqcat256_trajectory", build.config.seed)]


def figS16(build: StepBuilder) -> list[Step]:
    """Fig. S16: intermediate results, with the {distance} after each number of steps: {church256}."""
    return [build.ascent("church256_trajectory", build.config.seed)]


def figS17(build: StepBuilder) -> list[Step]:
    """Fig. S17: composition, samples of the sum of two models' f: {celebahq256}; {afhqcat256}."""
    alone = [build.sample(run, build.config.seed, "best") for run in ("celebahq256", "afhqcat256")]
    return [build.ascent("celebahq256_and_afhqcat256", build.config.seed), *alone]


def figS18(build: StepBuilder) -> list[Step]:
    """Fig. S18: denoising and inpainting: {celebahq256}."""
    return restored(build, "celebahq256")


def figS19(build: StepBuilder) -> list[Step]:
    """Fig. S19: denoising and inpainting: {afhqcat256}."""
    return restored(build, "afhqcat256")


def figS20(build: StepBuilder) -> list[Step]:
    """Fig. S20: uncurated image translation in three directions: {celebahq256}; {afhqcat256}; {church256}."""
    return [build.ascent(name, build.config.seed) for name in TRANSLATIONS]


def figS21(build: StepBuilder) -> list[Step]:
    """Fig. S21: the source images of Figs. S4 to S7."""
    return [build.data(build.task("celebahq256").sources)]


def table1(build: StepBuilder) -> list[Step]:
    """Table 1: binary adversarial training beside maximum likelihood, each line with its numeric check."""
    return [build.check("cifar10")]


def table2(build: StepBuilder) -> list[Step]:
    """Table 2: {score} and {distance} on {cifar10}."""
    task = build.task("cifar10")
    kept = ("best", "last") if build.config.runs["cifar10"].weights == "trained" else ("best",)  # one file was released
    images = [build.sample("cifar10", seed, which) for seed in build.seeds for which in kept]
    images += [build.data(task.sources), build.data(task.held_out)]
    names = ["frechet", "inception_score"]
    if build.config.extractors[build.config.metrics.extractor].kind == "classifier":
        names.append("class_shares")  # it knows the classes of p_data, Inception does not
    else:
        names.append("kid")
    return [build.metric(name, step, task.p_data) for step in images for name in names] + build.agreement(task.p_data)


def table3(build: StepBuilder) -> list[Step]:
    """Table 3: {distance} on {celebahq256}; {afhqcat256}; {church256}, the last at two resolutions."""
    steps = []
    for run in TASKS_256:
        task = build.task(run)
        images = [build.sample(run, seed, "best") for seed in build.seeds]
        images.append(build.data(task.sources))
        if task.held_out != task.p_data:  # the paper trains on all of CelebA-HQ
            images.append(build.data(task.held_out))
        sizes = [None, task.also_at] if task.also_at else [None]
        steps += [build.metric("frechet", step, task.p_data, size) for size in sizes for step in images]
    return steps


def tableS1(build: StepBuilder) -> list[Step]:
    """Table S1: optimal solutions to the minimax and the maximin problem, by the theory and in 2D."""
    return figS1(build)  # the same two games


def tableS2(build: StepBuilder) -> list[Step]:
    """Table S2: architecture of the 256x256 network, with the authors' 3x3 stem and the published 1x1."""
    return [build.network(stem) for stem in (3, 1)]


def tableS3(build: StepBuilder) -> list[Step]:
    """Table S3: training hyperparameters."""
    return []  # drawn from settings alone


def tableS4(build: StepBuilder) -> list[Step]:
    """Table S4: sample generation settings."""
    return selecting(build, PAPER_TASKS)


def tableS5(build: StepBuilder) -> list[Step]:
    """Table S5: number of update steps, in training and sampling."""
    return selecting(build, PAPER_TASKS[:2])


def tableS6(build: StepBuilder) -> list[Step]:
    """Table S6: wall-clock time to generate 50 samples with 32 steps: {cifar10}."""
    return [build.timing("cifar10")]


def tableS7(build: StepBuilder) -> list[Step]:
    """Table S7: {distance} of samples of one model by steps and step size, at the same product."""
    return [build.quality(sampler, seed) for sampler in EQUAL_PRODUCTS for seed in build.seeds]


def table4(build: StepBuilder) -> list[Step]:
    """Table 4: out-of-distribution detection on {cifar10}, standard and worst case, baselines trained here."""
    logs = [build.train(run, seed) for run in DETECTORS for seed in build.seeds]
    return [*(build.worst_case(run, seed) for run in DETECTORS for seed in build.seeds), *logs]


def tableS8(build: StepBuilder) -> list[Step]:
    """Table S8: out-of-distribution detection by the models of {celebahq256}; {afhqcat256}; {church256}."""
    return [build.worst_case(run, seed) for run in TASKS_256 for seed in build.seeds]


def ood_curves(build: StepBuilder) -> list[Step]:
    """OOD curves: AUROC of each model of Table 4 against the radius of the attack."""
    steps = []
    for run in DETECTORS:
        radii, *_ = build.sweeps(run, build.config.seed)
        steps += [build.worst_case(run, build.config.seed), radii]
    return [*steps, build.train("cifar10_max_likelihood_langevin", build.config.seed)]  # whether it diverged


def ood_scores(build: StepBuilder) -> list[Step]:
    """OOD scores: logits in and out of distribution, clean and attacked, by adversarial training and without."""
    return [build.attack(run, build.config.seed) for run in WITH_AND_WITHOUT]


def ood_attacked(build: StepBuilder) -> list[Step]:
    """OOD images: what attacks make of out-of-distribution images, on adversarial training and without."""
    attacks = ood_scores(build)
    return [*attacks, *(build.data(name) for name in build.task("cifar10_ood").out_of_distribution.values())]


def ood_masking(build: StepBuilder) -> list[Step]:
    """OOD masking: whether the numbers of Table 4 rest on gradients that the attack cannot see."""
    run, seed = "cifar10_ood", build.config.seed
    transferred = build.attack(run, seed, "transfer", other_seed=seed + 1, pgd=None, square=None)
    return [build.worst_case(run, seed), *build.sweeps(run, seed), build.detection(transferred)]


def picture_checks(build: StepBuilder) -> list[Step]:
    """Picture checks: restoration, translation and memorisation in numbers, beside what trivial means do."""
    tried = [step for run in ("celebahq256", "afhqcat256") for step in restored(build, run)]
    tried += [build.ascent(name, build.config.seed) for name in TRANSLATIONS]
    tried += [build.quality(run, build.config.seed) for run in TASKS_256]  # how far ordinary samples are
    return [*tried, *(build.neighbours(run, build.config.seed) for run in PAPER_TASKS)]


def claims(build: StepBuilder) -> list[Step]:
    """Claims board: what the paper says of generation and detection, and what tests over several seeds say of that."""
    seeds = range(build.config.seed, build.config.seed + build.config.claims.seeds)
    sampled = [*PRETRAINED_OR_NOT, *EQUAL_PRODUCTS, "celebahq256_blurred", "celebahq256_short", "celebahq256_long"]
    sampled += ["cifar10", "cifar10_p0_narrowest", "cifar10_K_one", "cifar10_K_max"]
    trained = ("cifar10", "cifar10_K_max", *STABILITY)
    detected = ("cifar10_ood", "cifar10_ood_plain", "cifar10_ood_oe")
    # seed by seed, so that a board of more seeds is at first one of fewer
    of_runs = [
        step
        for seed in seeds
        for step in (
            *(build.quality(name, seed) for name in sampled),
            *(build.train(run, seed) for run in trained),
            *(build.worst_case(run, seed) for run in detected),
        )
    ]
    activation = build.config.minimax.activation
    return [*of_runs, build.toy(activation, len(seeds)), build.minimax(len(seeds))]


def selecting(build: StepBuilder, runs: Iterable[str]) -> list[Step]:
    """Samples of the first seed whose number of steps training selects: what was used is known after it only."""
    return [
        build.sample(run, build.config.seed, "best") for run in runs if build.config.samplers[run].steps == "selected"
    ]


def curves(build: StepBuilder, *runs: str) -> list[Step]:
    """What a figure of distances on validation sources in the course of training is drawn from."""
    return [*(build.train(run, seed) for run in runs for seed in build.seeds), build.extractor()]


def qualities(build: StepBuilder, *runs: str) -> list[Step]:
    """What a figure of distances of samples is drawn from, and the trainings that made them."""
    steps = []
    for run in runs:
        for seed in build.seeds:
            steps += [build.train(run, seed), build.quality(run, seed)]
    return steps


def sampled(build: StepBuilder, sampler: str) -> list[Step]:
    """Samples of the first seed, and their sources."""
    sample = build.sample(sampler, build.config.seed, "best")
    return [sample, sample.parents["sources"]]


def uncurated(build: StepBuilder, sampler: str) -> list[Step]:
    """What a grid of samples is drawn from, and their distance."""
    return [*sampled(build, sampler), build.quality(sampler, build.config.seed)]


def searched(build: StepBuilder, run: str) -> list[Step]:
    """What a figure of nearest neighbours is drawn from."""
    search = build.neighbours(run, build.config.seed)
    return [search, search.parents["samples"], search.parents["train"]]


def restored(build: StepBuilder, run: str) -> list[Step]:
    """Denoising and inpainting with a run, and the undamaged images."""
    ascents = [build.ascent(f"{run}_{way}", build.config.seed) for way in ("denoising", "inpainting")]
    return [*ascents, ascents[0].parents["images"]]


# What several artifacts use
TRANSLATIONS = ("afhqcat256_from_celebahq256", "celebahq256_from_afhqcat256", "church256_from_afhqcat256")
DETECTORS = (
    "cifar10_ood",
    "cifar10_ood_plain",
    "cifar10_ood_plain_long",
    "cifar10_ood_oe",
    "cifar10_ood_ratio",
    "cifar10_max_likelihood_langevin",
)
WITH_AND_WITHOUT = DETECTORS[:2]  # adversarial training, at equal iterations
PRETRAINED_OR_NOT = ("celebahq256", "celebahq256_r1_0", "celebahq256_scratch", "celebahq256_scratch_r1_0")
EQUAL_PRODUCTS = tuple(  # of steps and step size
    f"{run}_{way}" for run in ("cifar10", "celebahq256") for way in ("small_steps", "middle_steps", "large_steps")
)


ARTIFACTS: dict[str, Callable[[StepBuilder], list[Step]]] = {
    "fig1": fig1,
    "fig2": fig2,
    "fig3": fig3,
    "fig4": fig4,
    "fig5": fig5,
    "fig6": fig6,
    "fig7": fig7,
    "stability": stability,
    "table1": table1,
    "table2": table2,
    "table3": table3,
    "table4": table4,
    "figS1": figS1,
    "figS2": figS2,
    "figS3": figS3,
    "figS4": figS4,
    "figS5": figS5,
    "figS6": figS6,
    "figS7": figS7,
    "figS8": figS8,
    "figS9": figS9,
    "figS10": figS10,
    "figS11": figS11,
    "figS12": figS12,
    "figS13": figS13,
    "figS14": figS14,
    "figS15": figS15,
    "figS16": figS16,
    "figS17": figS17,
    "figS18": figS18,
    "figS19": figS19,
    "figS20": figS20,
    "figS21": figS21,
    "tableS1": tableS1,
    "tableS2": tableS2,
    "tableS3": tableS3,
    "tableS4": tableS4,
    "tableS5": tableS5,
    "tableS6": tableS6,
    "tableS7": tableS7,
    "tableS8": tableS8,
    "ood_curves": ood_curves,
    "ood_scores": ood_scores,
    "ood_attacked": ood_attacked,
    "ood_masking": ood_masking,
    "picture_checks": picture_checks,
    "claims": claims,
}
ON_REQUEST = ("claims",)  # what takes so many runs that "everything" is without it
USUAL = tuple(artifact for artifact in ARTIFACTS if artifact not in ON_REQUEST)


def is_table(artifact: str) -> bool:
    """Tables are rendered as .csv and .md, figures as .png, .svg and the numbers behind them as .csv."""
    return artifact.startswith("table") or artifact in ("claims", "ood_masking", "picture_checks")


def target(artifact: str) -> str:
    """Return the file that a user asks for: the numbers of a table, the picture of a figure."""
    return f"results/{artifact}.{'csv' if is_table(artifact) else 'png'}"


def label(artifact: str) -> str:
    """Return an artifact's number, "Table 2"."""
    return (ARTIFACTS[artifact].__doc__ or artifact).partition(":")[0]


def titled(artifact: str, words: Mapping[str, str]) -> str:
    """Return an artifact's number and title: the first line of its function's docstring, with the scale's `words`.

    These are `Plan.words`: each task's data and what it stands in for, and what the scale measures in place of FID.
    """
    return (ARTIFACTS[artifact].__doc__ or artifact).splitlines()[0].rstrip(".").format_map(words)
