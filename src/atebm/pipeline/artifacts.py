"""The table of contents: every figure and table that is drawn, and the steps it is drawn from.

A new one is a line here, a notebook `notebooks/<id>.ipynb` and a function of the same name in `report/`. The first
line of its docstring is its title, in which `{cifar10}` stands for a task's data as the scale has them.
What a table shows of the configuration itself, without any step, is in settings.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from .tasks import PAPER_TASKS, STABILITY, TASKS_256

if TYPE_CHECKING:
    from .plan import Plan, Step


def fig1(plan: Plan) -> list[Step]:
    """Fig. 1: D of Algorithm 1 in 2D, before and after, for two p_0."""
    return [plan.toy(activation) for activation in plan.config.toy.activations]


def fig2(plan: Plan) -> list[Step]:
    """Fig. 2: R1 regularization and pre-training on {celebahq256}, by the {distance} in the course of training."""
    return curves(plan, *PRETRAINED_OR_NOT)


def fig3(plan: Plan) -> list[Step]:
    """Fig. 3: {distance} on {cifar10} of models trained with more and less diverse p_0, from the same source images."""
    return qualities(plan, "cifar10", "cifar10_p0_narrower", "cifar10_p0_narrowest")


def fig4(plan: Plan) -> list[Step]:
    """Fig. 4: {distance} on {cifar10} with Algorithm 1 at several K."""
    runs = ("K_one", "K_fifth", "K_two_fifths", "K_three_fifths", "K_max")
    return qualities(plan, *(f"cifar10_{run}" for run in runs))


def fig5(plan: Plan) -> list[Step]:
    """Fig. 5: progressive training and fixed K on {cifar10}, by the {distance} in the course of training."""
    return curves(plan, "cifar10", "cifar10_K_max", "cifar10_K_fifth")


def stability(plan: Plan) -> list[Step]:
    """Sec. 5.3: training stability, the gap between logits of data and of contrastive samples under Eqs. 2 and 11."""
    own = ("max_likelihood", "max_likelihood_langevin", "binary_at", "max_likelihood_small_lr", "binary_at_small_lr")
    return [plan.train(f"cifar10_{run}", seed) for run in own for seed in plan.seeds]


def fig6(plan: Plan) -> list[Step]:
    """Fig. 6: source images and samples: {celebahq256}; {afhqcat256}; {church256}."""
    return [step for run in TASKS_256 for step in sampled(plan, run)]


def fig7(plan: Plan) -> list[Step]:
    """Fig. 7: image-to-image translation both ways: {celebahq256}; {afhqcat256}."""
    return [plan.ascent(name, plan.config.seed) for name in TRANSLATIONS[:2]]


def figS1(plan: Plan) -> list[Step]:
    """Fig. S1: minimax instead of maximin: Algorithm 3 in 2D, beside D of Algorithm 1."""
    return [plan.minimax(), plan.toy(plan.config.minimax.activation)]


def figS2(plan: Plan) -> list[Step]:
    """Fig. S2: uncurated samples over the source images they started from: {cifar10}."""
    sample, sources = sampled(plan, "cifar10")
    motion = plan.ascent("cifar10_trajectory", plan.config.seed)
    return [sample, sources, plan.features(sample, plan.config.metrics.n), motion]


def figS3(plan: Plan) -> list[Step]:
    """Fig. S3: nearest training images of samples, in pixels and in features: {cifar10}."""
    return searched(plan, "cifar10")


def figS4(plan: Plan) -> list[Step]:
    """Fig. S4: uncurated samples: {celebahq256}."""
    return uncurated(plan, "celebahq256")


def figS5(plan: Plan) -> list[Step]:
    """Fig. S5: uncurated samples from blurred source images: {celebahq256}."""
    return [*uncurated(plan, "celebahq256_blurred"), plan.quality("celebahq256", plan.config.seed)]


def figS6(plan: Plan) -> list[Step]:
    """Fig. S6: uncurated samples: {afhqcat256}."""
    return uncurated(plan, "afhqcat256")


def figS7(plan: Plan) -> list[Step]:
    """Fig. S7: uncurated samples: {church256}."""
    return uncurated(plan, "church256")


def figS8(plan: Plan) -> list[Step]:
    """Fig. S8: nearest training images of samples: {celebahq256}."""
    return searched(plan, "celebahq256")


def figS9(plan: Plan) -> list[Step]:
    """Fig. S9: nearest training images of samples: {afhqcat256}."""
    return searched(plan, "afhqcat256")


def figS10(plan: Plan) -> list[Step]:
    """Fig. S10: nearest training images of samples: {church256}."""
    return searched(plan, "church256")


def figS11(plan: Plan) -> list[Step]:
    """Fig. S11: interpolation between source images: {celebahq256}."""
    return [plan.ascent("celebahq256_interpolation", plan.config.seed)]


def figS12(plan: Plan) -> list[Step]:
    """Fig. S12: interpolation between source images: {afhqcat256}."""
    return [plan.ascent("afhqcat256_interpolation", plan.config.seed)]


def figS13(plan: Plan) -> list[Step]:
    """Fig. S13: interpolation between source images: {church256}."""
    return [plan.ascent("church256_interpolation", plan.config.seed)]


def figS14(plan: Plan) -> list[Step]:
    """Fig. S14: intermediate results, with the {distance} after each number of steps: {celebahq256}."""
    return [plan.ascent("celebahq256_trajectory", plan.config.seed)]


def figS15(plan: Plan) -> list[Step]:
    """Fig. S15: intermediate results, with the {distance} after each number of steps: {afhqcat256}."""
    return [plan.ascent("afhqcat256_trajectory", plan.config.seed)]


def figS16(plan: Plan) -> list[Step]:
    """Fig. S16: intermediate results, with the {distance} after each number of steps: {church256}."""
    return [plan.ascent("church256_trajectory", plan.config.seed)]


def figS17(plan: Plan) -> list[Step]:
    """Fig. S17: composition, samples of the sum of two models' f: {celebahq256}; {afhqcat256}."""
    alone = [plan.sample(run, plan.config.seed, "best") for run in ("celebahq256", "afhqcat256")]
    return [plan.ascent("celebahq256_and_afhqcat256", plan.config.seed), *alone]


def figS18(plan: Plan) -> list[Step]:
    """Fig. S18: denoising and inpainting: {celebahq256}."""
    return restored(plan, "celebahq256")


def figS19(plan: Plan) -> list[Step]:
    """Fig. S19: denoising and inpainting: {afhqcat256}."""
    return restored(plan, "afhqcat256")


def figS20(plan: Plan) -> list[Step]:
    """Fig. S20: uncurated image translation in three directions: {celebahq256}; {afhqcat256}; {church256}."""
    return [plan.ascent(name, plan.config.seed) for name in TRANSLATIONS]


def figS21(plan: Plan) -> list[Step]:
    """Fig. S21: the source images of Figs. S4 to S7."""
    return [plan.data(plan.task("celebahq256").sources)]


def table1(plan: Plan) -> list[Step]:
    """Table 1: binary adversarial training beside maximum likelihood, each line with its numeric check."""
    return [plan.check("cifar10")]


def table2(plan: Plan) -> list[Step]:
    """Table 2: {score} and {distance} on {cifar10}."""
    task = plan.task("cifar10")
    kept = ("best", "last") if plan.config.runs["cifar10"].weights == "trained" else ("best",)  # one file was released
    images = [plan.sample("cifar10", seed, which) for seed in plan.seeds for which in kept]
    images += [plan.data(task.sources), plan.data(task.held_out)]
    names = ["frechet", "inception_score"]
    if plan.config.extractors[plan.config.metrics.extractor].kind == "classifier":
        names.append("class_shares")  # it knows the classes of p_data, Inception does not
    else:
        names.append("kid")
    return [plan.metric(name, step, task.p_data) for step in images for name in names] + plan.agreement(task.p_data)


def table3(plan: Plan) -> list[Step]:
    """Table 3: {distance} on {celebahq256}; {afhqcat256}; {church256}, the last at two resolutions."""
    steps = []
    for run in TASKS_256:
        task = plan.task(run)
        images = [plan.sample(run, seed, "best") for seed in plan.seeds]
        images.append(plan.data(task.sources))
        if task.held_out != task.p_data:  # the paper trains on all of CelebA-HQ
            images.append(plan.data(task.held_out))
        sizes = [None, task.also_at] if task.also_at else [None]
        steps += [plan.metric("frechet", step, task.p_data, size) for size in sizes for step in images]
    return steps


def tableS1(plan: Plan) -> list[Step]:
    """Table S1: optimal solutions to the minimax and the maximin problem, by the theory and in 2D."""
    return figS1(plan)  # the same two games


def tableS2(plan: Plan) -> list[Step]:
    """Table S2: architecture of the 256x256 network, with the authors' 3x3 stem and the published 1x1."""
    return [plan.network(stem) for stem in (3, 1)]


def tableS3(plan: Plan) -> list[Step]:
    """Table S3: training hyperparameters."""
    return []  # drawn from settings alone


def tableS4(plan: Plan) -> list[Step]:
    """Table S4: sample generation settings."""
    return selecting(plan, PAPER_TASKS)


def tableS5(plan: Plan) -> list[Step]:
    """Table S5: number of update steps, in training and sampling."""
    return selecting(plan, PAPER_TASKS[:2])


def tableS6(plan: Plan) -> list[Step]:
    """Table S6: wall-clock time to generate 50 samples with 32 steps: {cifar10}."""
    return [plan.timing("cifar10")]


def tableS7(plan: Plan) -> list[Step]:
    """Table S7: {distance} of samples of one model by steps and step size, at the same product."""
    return [plan.quality(sampler, seed) for sampler in EQUAL_PRODUCTS for seed in plan.seeds]


def table4(plan: Plan) -> list[Step]:
    """Table 4: out-of-distribution detection on {cifar10}, standard and worst case, baselines trained here."""
    logs = [plan.train(run, seed) for run in DETECTORS for seed in plan.seeds]
    return [*(plan.worst_case(run, seed) for run in DETECTORS for seed in plan.seeds), *logs]


def tableS8(plan: Plan) -> list[Step]:
    """Table S8: out-of-distribution detection by the models of {celebahq256}; {afhqcat256}; {church256}."""
    return [plan.worst_case(run, seed) for run in TASKS_256 for seed in plan.seeds]


def ood_curves(plan: Plan) -> list[Step]:
    """OOD curves: AUROC of each model of Table 4 against the radius of the attack."""
    steps = []
    for run in DETECTORS:
        radii, *_ = plan.sweeps(run, plan.config.seed)
        steps += [plan.worst_case(run, plan.config.seed), radii]
    return [*steps, plan.train("cifar10_max_likelihood_langevin", plan.config.seed)]  # whether it diverged


def ood_scores(plan: Plan) -> list[Step]:
    """OOD scores: logits in and out of distribution, clean and attacked, by adversarial training and without."""
    return [plan.attack(run, plan.config.seed) for run in WITH_AND_WITHOUT]


def ood_attacked(plan: Plan) -> list[Step]:
    """OOD images: what attacks make of out-of-distribution images, on adversarial training and without."""
    attacks = ood_scores(plan)
    return [*attacks, *(plan.data(name) for name in plan.task("cifar10_ood").out_of_distribution.values())]


def ood_masking(plan: Plan) -> list[Step]:
    """OOD masking: whether the numbers of Table 4 rest on gradients that the attack cannot see."""
    run, seed = "cifar10_ood", plan.config.seed
    transferred = plan.attack(run, seed, "transfer", other_seed=seed + 1, pgd=None, square=None)
    return [plan.worst_case(run, seed), *plan.sweeps(run, seed), plan.detection(transferred)]


def picture_checks(plan: Plan) -> list[Step]:
    """Picture checks: restoration, translation and memorisation in numbers, beside what trivial means do."""
    tried = [step for run in ("celebahq256", "afhqcat256") for step in restored(plan, run)]
    tried += [plan.ascent(name, plan.config.seed) for name in TRANSLATIONS]
    tried += [plan.quality(run, plan.config.seed) for run in TASKS_256]  # how far ordinary samples are
    return [*tried, *(plan.neighbours(run, plan.config.seed) for run in PAPER_TASKS)]


def claims(plan: Plan) -> list[Step]:
    """Claims board: what the paper says of generation and detection, and what tests over several seeds say of that."""
    seeds = range(plan.config.seed, plan.config.seed + plan.config.claims.seeds)
    sampled = [*PRETRAINED_OR_NOT, *EQUAL_PRODUCTS, "celebahq256_blurred", "celebahq256_short", "celebahq256_long"]
    sampled += ["cifar10", "cifar10_p0_narrowest", "cifar10_K_one", "cifar10_K_max"]
    trained = ("cifar10", "cifar10_K_max", *STABILITY)
    detected = ("cifar10_ood", "cifar10_ood_plain", "cifar10_ood_oe")
    # seed by seed, so that a board of more seeds is at first one of fewer
    of_runs = [
        step
        for seed in seeds
        for step in (
            *(plan.quality(name, seed) for name in sampled),
            *(plan.train(run, seed) for run in trained),
            *(plan.worst_case(run, seed) for run in detected),
        )
    ]
    activation = plan.config.minimax.activation
    return [*of_runs, plan.toy(activation, len(seeds)), plan.minimax(len(seeds))]


def selecting(plan: Plan, runs: Iterable[str]) -> list[Step]:
    """Samples of the first seed whose number of steps training selects: what was used is known after it only."""
    return [plan.sample(run, plan.config.seed, "best") for run in runs if plan.config.samplers[run].steps == "selected"]


def curves(plan: Plan, *runs: str) -> list[Step]:
    """What a figure of distances on validation sources in the course of training is drawn from."""
    return [*(plan.train(run, seed) for run in runs for seed in plan.seeds), plan.extractor()]


def qualities(plan: Plan, *runs: str) -> list[Step]:
    """What a figure of distances of samples is drawn from, and the trainings that made them."""
    steps = []
    for run in runs:
        for seed in plan.seeds:
            steps += [plan.train(run, seed), plan.quality(run, seed)]
    return steps


def sampled(plan: Plan, sampler: str) -> list[Step]:
    """Samples of the first seed, and their sources."""
    sample = plan.sample(sampler, plan.config.seed, "best")
    return [sample, sample.parents["sources"]]


def uncurated(plan: Plan, sampler: str) -> list[Step]:
    """What a grid of samples is drawn from, and their distance."""
    return [*sampled(plan, sampler), plan.quality(sampler, plan.config.seed)]


def searched(plan: Plan, run: str) -> list[Step]:
    """What a figure of nearest neighbours is drawn from."""
    search = plan.neighbours(run, plan.config.seed)
    return [search, search.parents["samples"], search.parents["train"]]


def restored(plan: Plan, run: str) -> list[Step]:
    """Denoising and inpainting with a run, and the undamaged images."""
    ascents = [plan.ascent(f"{run}_{way}", plan.config.seed) for way in ("denoising", "inpainting")]
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


ARTIFACTS: dict[str, Callable[[Plan], list[Step]]] = {
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
