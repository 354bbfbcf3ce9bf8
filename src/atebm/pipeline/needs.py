"""List the steps that artifacts are drawn from by role, "train/cifar10/0"; drawing functions use these names."""

from collections.abc import Callable, Iterable

from ..config.evaluation import metrics_of_samples
from .builder import StepBuilder
from .evidence import TIERS, seeds_by_role, seeds_for
from .step import Step
from .tasks import PAPER_TASKS, TASKS_256

Needs = dict[str, Step]  # by role

TRANSLATIONS = ("afhqcat256_from_celebahq256", "celebahq256_from_afhqcat256", "church256_from_afhqcat256")
WITH_AND_WITHOUT = ("cifar10_ood", "cifar10_ood_plain")  # with and without adversarial training, equal iterations
PRETRAINED_OR_NOT = ("celebahq256", "celebahq256_r1_0", "celebahq256_scratch", "celebahq256_scratch_r1_0")
UNSTABLE_OR_NOT = tuple(  # the runs of Sec. 5.3
    f"cifar10_{way}"
    for way in (
        "max_likelihood",
        "max_likelihood_langevin",
        "binary_at",
        "max_likelihood_small_lr",
        "binary_at_small_lr",
    )
)
EQUAL_PRODUCTS = tuple(  # samplers with equal products of steps and step size
    f"{run}_{way}" for run in ("cifar10", "celebahq256") for way in ("small_steps", "middle_steps", "large_steps")
)


def seeds_of(build: StepBuilder, name: str) -> range:
    """Return the seeds of a run or sampler to show: all, but no more than the claims about it need."""
    return build.seeds[: seeds_for(name)]


def trainings(build: StepBuilder, *runs: str) -> Needs:
    """Return the trainings of some runs: "train/<run>/<seed>"."""
    return {f"train/{run}/{seed}": build.train(run, seed) for run in runs for seed in seeds_of(build, run)}


def curves(build: StepBuilder, *runs: str) -> Needs:
    """Return the steps for a figure of distances on validation sources during training."""
    return trainings(build, *runs) | {"extractor": build.extractor()}


def qualities(build: StepBuilder, *runs: str) -> Needs:
    """Return the steps for a figure of distances of samples, "distance/<run>/<seed>", and their trainings."""
    distances = {f"distance/{run}/{seed}": build.quality(run, seed) for run in runs for seed in seeds_of(build, run)}
    return trainings(build, *runs) | distances


def fig3(build: StepBuilder) -> Needs:
    """Return distances of samples from models with three p_0, all by the same sampler, and their trainings."""
    needs = qualities(build, "cifar10_p0_narrower", "cifar10_p0_narrowest") | trainings(build, "cifar10")
    same = "cifar10_middle_steps"
    return needs | {f"distance/cifar10/{seed}": build.quality(same, seed) for seed in seeds_of(build, same)}


def sampled(build: StepBuilder, *samplers: str) -> Needs:
    """Return samples of the first seed, their sources and models: "samples/<sampler>", "sources/<sampler>"."""
    needs: Needs = {}
    for sampler in samplers:
        sample = build.sample(sampler, build.config.seed, "best")
        needs |= {f"samples/{sampler}": sample, f"sources/{sampler}": sample.parents["sources"]}
        needs |= {f"model/{sampler}": sample.parents["model"]}
    return needs


def uncurated(build: StepBuilder, sampler: str) -> Needs:
    """Return the steps for a grid of samples: the samples, their sources, and their distance to p_data."""
    return sampled(build, sampler) | {f"distance/{sampler}": build.quality(sampler, build.config.seed)}


def neighbours(build: StepBuilder, run: str) -> Needs:
    """Return the steps for a figure of nearest neighbours."""
    search = build.neighbours(run, build.config.seed)
    return {"neighbours": search, "samples": search.parents["samples"], "p_data": search.parents["train"]}


def ascents(build: StepBuilder, *names: str) -> Needs:
    """Return ascents of the first seed, their models, and the extractor of their distances: "ascent/<name>"."""
    steps = {name: build.ascent(name, build.config.seed) for name in names}
    models = {f"model/{name}": step.parents["model"] for name, step in steps.items()}
    needs = {f"ascent/{name}": step for name, step in steps.items()} | models
    if any("extractor" in step.parents for step in steps.values()):  # some ascent measures distances
        needs["extractor"] = build.extractor()
    return needs


def restored(build: StepBuilder, run: str) -> Needs:
    """Return denoising and inpainting with a run's model, and the undamaged images."""
    needs = ascents(build, f"{run}_denoising", f"{run}_inpainting")
    return needs | {f"undamaged/{run}": needs[f"ascent/{run}_denoising"].parents["images"]}


def selecting(build: StepBuilder, runs: Iterable[str]) -> Needs:
    """Return samples of the first seed for runs whose number of steps is known only after training selects it."""
    selected = [run for run in runs if build.config.samplers[run].steps == "selected"]
    steps = {run: build.sample(run, build.config.seed, "best") for run in selected}
    models = {f"model/{run}": step.parents["model"] for run, step in steps.items()}
    return {f"samples/{run}": step for run, step in steps.items()} | models


def scored(build: StepBuilder, row: str, sampler: str, checkpoint: str, metrics: Iterable[str]) -> Needs:
    """Return the steps for a measured row of samples, by seed: metrics, samples and models."""
    needs: Needs = {}
    for seed in seeds_of(build, sampler):
        sample = build.sample(sampler, seed, checkpoint)
        p_data = build.task(sample.parents["model"].name).p_data
        needs |= {f"metric/{row}/{name}/{seed}": build.metric(name, sample, p_data) for name in metrics}
        needs |= {f"samples/{row}/{seed}": sample, f"model/{row}/{seed}": sample.parents["model"]}
    return needs


def games(build: StepBuilder) -> Needs:
    """Return the two games in the plane, with the same activation."""
    return {"minimax": build.minimax(), "maximin": build.toy(build.config.minimax.activation)}


def figS2(build: StepBuilder) -> Needs:
    """Return samples, their sources, their features, and the animation of some of them."""
    needs = sampled(build, "cifar10")
    features = build.features(needs["samples/cifar10"], build.config.metrics.n)
    return needs | {"features": features, "motion": build.ascent("cifar10_trajectory", build.config.seed)}


def table2(build: StepBuilder) -> Needs:
    """Return the metrics of samples of the best and the last checkpoint, of sources, and of held-out images."""
    task = build.task("cifar10")
    names = metrics_of_samples(build.config.extractors[build.config.metrics.extractor].kind)
    # the authors released one checkpoint per model
    kept = ("best", "last") if build.config.runs["cifar10"].weights == "trained" else ("best",)
    needs: Needs = {}
    for checkpoint in kept:
        needs |= scored(build, checkpoint, "cifar10", checkpoint, names)
    for row, images in (("sources", task.sources), ("held_out", task.held_out)):
        needs |= {f"metric/{row}/{name}": build.metric(name, build.data(images), task.p_data) for name in names}
    for rival in build.config.rivals:
        if rival in build.config.samplers:
            needs |= scored(build, f"rivals/{rival}", rival, "best", names)
        elif rival in build.config.gans:
            for seed in seeds_of(build, rival):
                row = f"metric/rivals/{rival}"
                needs |= {f"{row}/{name}/{seed}": build.score(name, rival, seed) for name in names}
    return needs | {f"agreement/{step.name}": step for step in build.agreement(task.p_data)}


def table3(build: StepBuilder) -> Needs:
    """Return the distances of each asked task's samples, sources and held-out images, at full size and shrunk."""
    needs: Needs = {}
    for run in build.config.table3:
        task = build.task(run)
        needs |= scored(build, f"{run}/samples", run, "best", ("frechet",))
        real = {"sources": task.sources}
        if task.held_out != task.p_data:  # the paper trains on all of CelebA-HQ
            real["held_out"] = task.held_out
        for row, images in real.items():
            needs[f"metric/{run}/{row}/frechet"] = build.metric("frechet", build.data(images), task.p_data)
            if task.also_at:
                shrunk = build.metric("frechet", build.data(images), task.p_data, task.also_at)
                needs[f"shrunk/{run}/{row}/frechet"] = shrunk
        if task.also_at:
            for seed in seeds_of(build, run):
                sample = build.sample(run, seed, "best")
                shrunk = build.metric("frechet", sample, task.p_data, task.also_at)
                needs[f"shrunk/{run}/samples/frechet/{seed}"] = shrunk
    return needs


def detections(build: StepBuilder, *runs: str) -> Needs:
    """Return detection under all attacks by each run and seed, "detection/<run>/<seed>", and their trainings."""
    steps = {f"detection/{run}/{seed}": build.worst_case(run, seed) for run in runs for seed in seeds_of(build, run)}
    return steps | trainings(build, *runs)


def detectors(build: StepBuilder) -> tuple[str, ...]:
    """Return the runs of Table 4: adversarial training, the `baselines` (without attack, two lengths), and rivals."""
    rivals = (rival for rival in build.config.rivals if rival in build.config.runs)
    return (WITH_AND_WITHOUT[0], *build.config.baselines, *rivals)


def table4(build: StepBuilder) -> Needs:
    """Return detection by each detector, and the distances that show whether a generative rival has learnt.

    Also return attacks of the first seed, "attack/<run>": the notebook computes an AUROC from their logits.
    """
    needs = detections(build, *detectors(build)) | attacks(build, detectors(build))
    for rival in (name for name in build.config.rivals if name in build.config.runs and name in build.config.samplers):
        task = build.config.runs[rival].task
        for seed in seeds_of(build, rival):
            needs[f"distance/{rival}/{seed}"] = build.quality(rival, seed)
            needs[f"sources/{rival}/{seed}"] = build.distance_of_sources(task, seed)
    return needs


def tableS7(build: StepBuilder) -> Needs:
    """Return the distances for samplers with equal products of steps and step size."""
    needs: Needs = {}
    for sampler in EQUAL_PRODUCTS:
        run = build.config.samplers[sampler].run or sampler
        needs |= scored(build, f"{run}/{sampler}", sampler, "best", ("frechet",))
    return needs


def ood_curves(build: StepBuilder) -> Needs:
    """Return detection under all attacks, and by Auto-PGD alone at several radii."""
    seed = build.config.seed
    needs: Needs = {}
    for run in detectors(build):
        radii, *_ = build.sweeps(run, seed)
        needs |= {f"detection/{run}/{seed}": build.worst_case(run, seed), f"radii/{run}/{seed}": radii}
    return needs


def attacks(build: StepBuilder, wanted: Iterable[str] = WITH_AND_WITHOUT) -> Needs:
    """Return attacks on the wanted ones of the models with and without adversarial training: "attack/<run>"."""
    return {f"attack/{run}": build.attack(run, build.config.seed) for run in WITH_AND_WITHOUT if run in wanted}


def ood_attacked(build: StepBuilder) -> Needs:
    """Return the attacks on two models, and the clean images."""
    sets = build.task("cifar10_ood").out_of_distribution
    return attacks(build) | {f"images/{row}": build.data(name) for row, name in sets.items()}


def ood_masking(build: StepBuilder) -> Needs:
    """Return detection under all attacks, with other budgets, and under attacks by another seed's gradients.

    The last one is included only if `detection` asks for it and the run was trained here: released weights have no
    second seed.
    """
    run, seed = "cifar10_ood", build.config.seed
    needs = {"all_attacks": build.worst_case(run, seed)}
    needs |= {f"sweep/{step.name}": step for step in build.sweeps(run, seed)}
    spec = build.config.runs[run]
    if build.config.detection[spec.task].transfer and spec.weights == "trained":
        transferred = build.attack(run, seed, "transfer", other_seed=seed + 1, alone=True)
        needs["transfer"] = build.detection(transferred)
    return needs


def picture_checks(build: StepBuilder) -> Needs:
    """Return restorations, translations, distances of ordinary samples, and nearest neighbours."""
    seed = build.config.seed
    needs = restored(build, "celebahq256") | restored(build, "afhqcat256") | ascents(build, *TRANSLATIONS)
    needs |= {f"distance/{run}": build.quality(run, seed) for run in TASKS_256}  # of ordinary samples
    return needs | {f"neighbours/{run}": build.neighbours(run, seed) for run in PAPER_TASKS}


def claims(build: StepBuilder) -> Needs:
    """Return the steps that decide the claims board: those of each role in pipeline/evidence.py, by seed."""
    roles, needs = seeds_by_role(build.config.claims.tiers), {}
    for seed in build.seeds:  # in the order of seeds, so that a board with more seeds begins with those of fewer
        for role, seeds in roles.items():
            if role in IN_THE_PLANE or seed not in build.seeds[:seeds]:
                continue
            needs[f"{role}/{seed}"] = evidence(build, role, seed)
            what, _, name = role.partition("/")
            if what == "distance" and seeds == TIERS["A"]:
                for ruler in build.config.metrics.rulers:
                    needs[f"distance_by/{ruler}/{name}/{seed}"] = build.quality(name, seed, ruler)
    return needs | {role: make(build) for role, make in IN_THE_PLANE.items() if role in roles}


IN_THE_PLANE: dict[str, Callable[[StepBuilder], Step]] = {  # each step holds all seeds
    "maximin/relu": lambda build: build.toy("relu"),
    "maximin/tanh": lambda build: build.toy("tanh"),
    "minimax": lambda build: build.minimax(),
}


def evidence(build: StepBuilder, role: str, seed: int) -> Step:
    """Return the step of a role in pipeline/evidence.py."""
    what, _, name = role.partition("/")
    if what in ("precision", "recall", "saturation"):
        return build.score(what, name, seed)
    made: dict[str, Callable[[], Step]] = {
        "train": lambda: build.train(name, seed),
        "distance": lambda: build.quality(name, seed),
        "sources": lambda: build.distance_of_sources(name, seed),
        "detection": lambda: build.worst_case(name, seed),
        "ascent": lambda: build.ascent(name, seed),
        "neighbours": lambda: build.neighbours(name, seed),
        "undamaged": lambda: build.ascent(f"{name}_denoising", seed).parents["images"],
    }
    return made[what]()


def figS17(build: StepBuilder) -> Needs:
    """Return PGD on the sum of two models' f, and samples of each model alone."""
    alone = {f"samples/{run}": build.sample(run, build.config.seed, "best") for run in ("celebahq256", "afhqcat256")}
    return ascents(build, "celebahq256_and_afhqcat256") | alone
