"""Build steps in the words of the science: `build.train("cifar10", 0)`, `build.metric("frechet", sample, "cifar10")`.

This module must stay cheap to import (no torch, no numpy): the Snakefile is parsed again for every cluster job.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from ..archives.catalogue import files_of
from ..archives.releases import releases
from ..config.evaluation import METRICS, Inception
from ..config.roles import HELD_OUT, IN, PUBLISHED
from ..config.schema import Config
from ..config.sets import ImageIndex, Part
from ..config.tasks import Task
from ..config.training import Pretraining, Run
from ..utils.errors import ConfigError, DataError
from .replication import replicated
from .step import Step

OVERVIEW = 40  # samples in the picture of an overview


P = ParamSpec("P")


def once(make: Callable[Concatenate["StepBuilder", P], Step]) -> Callable[Concatenate["StepBuilder", P], Step]:
    """Make a builder construct each step only once: digests are slow, and a large plan uses a set a thousand times."""

    @wraps(make)
    def made(build: "StepBuilder", *args: P.args, **kwargs: P.kwargs) -> Step:
        key = (make.__name__, args, tuple(kwargs.items()))
        if key not in build.made:
            build.made[key] = make(build, *args, **kwargs)
        return build.made[key]

    return made


class StepBuilder:
    """Build the steps of a configuration."""

    def __init__(self, config: Config):
        self.config = config
        self.seeds = range(config.seed, config.seed + config.seeds)
        self.replications: dict[int, StepBuilder] = {}
        self.made: dict[tuple[Any, ...], Step] = {}  # see `once`

    def at(self, seed: int) -> "StepBuilder":
        """Return the builder for the steps of a seed: itself, unless each seed is a whole replication."""
        if self.config.replication == "training":
            return self
        if seed not in self.replications:
            self.replications[seed] = StepBuilder(replicated(self.config, seed))
        return self.replications[seed]

    def task(self, run: str) -> Task:
        """Return the task of a run."""
        return self.config.tasks[self.config.runs[run].task]

    @once
    def data(self, name: str) -> Step:
        """Return a set: its images as an array or, for kind `index`, the place of each image file."""
        spec = self.config.sets[name]
        kind = "index" if isinstance(spec, ImageIndex) else "data"
        parents = {"of": self.data(spec.of)} if isinstance(spec, Part) else {}
        archives = tuple(file for archive, split in spec.archives for file in archive_files(archive, split))
        return Step(kind, name, spec.model_dump(), parents, ("sets", name), archives)

    @once
    def extractor(self, name: str | None = None) -> Step:
        """Return an extractor: metrics.extractor, used for selection and tables, or another one by name.

        Raises ConfigError for a name that is not in metrics.rulers.
        """
        name = name or self.config.metrics.extractor
        if name not in (self.config.metrics.extractor, *self.config.metrics.rulers):
            raise ConfigError(f"config.yaml: {name!r} is neither metrics.extractor nor one of metrics.rulers.")
        settings = self.config.extractors[name].model_dump(exclude={"published"})
        roles: tuple[str, ...] = ("p_data", "held_out")
        parents = {role: self.data(settings[role]) for role in roles if role in settings}
        archives = archive_files("inception") if settings["kind"] == "inception" else ()
        return Step("extractor", name, settings, parents, ("extractors", name), archives)

    @once
    def pretrain(self, name: str) -> Step:
        spec = self.config.pretrainings[name]
        if spec.weights != "trained":
            return adopted("pretrain", name, spec, ("pretrainings", name))
        settings = spec.model_dump(exclude={"weights"})
        parents = {role: self.data(settings[role]) for role in ("p_data", "held_out")}
        return Step("pretrain", name, settings, parents, ("pretrainings", name))

    @once
    def toy(self, activation: str) -> Step:
        settings = self.config.toy.model_dump(exclude={"activations"})
        settings |= {"activation": activation, "seed": self.config.seed}
        return Step("toy", activation, settings, section=("toy",))

    @once
    def minimax(self) -> Step:
        settings = {**self.config.minimax.model_dump(), "seed": self.config.seed}
        return Step("minimax", self.config.minimax.activation, settings, section=("minimax",))

    @once
    def train(self, run: str, seed: int) -> Step:
        build, spec, task = self.at(seed), self.config.runs[run], self.task(run)
        if spec.weights != "trained":
            return adopted("train", run, spec, ("runs", run), seed=seed)
        parents = {"p_data": build.data(task.p_data), "p_0": build.data(task.p_0)}
        if spec.monitor is not None:
            parents |= {"validation_sources": build.data(task.validation_sources), "extractor": build.extractor()}
            parents["reference"] = build.features(build.data(task.p_data))
        if spec.init is not None:
            parents["init"] = build.pretrain(spec.init)
        if spec.objective == "outlier_exposure":
            parents[HELD_OUT] = build.data(task.held_out)
        return Step("train", run, {"seed": seed, **spec.settings()}, parents, ("runs", run))

    @once
    def gan(self, name: str, seed: int) -> Step:
        """Return samples of a GAN; `metric` scores them like samples of a run."""
        spec = self.config.gans[name]
        parents = {"p_data": self.at(seed).data(self.config.tasks[spec.task].p_data)}
        return Step("gan", name, {"seed": seed, **spec.model_dump(exclude={"task"})}, parents, ("gans", name))

    @once
    def sample(self, sampler: str, seed: int, checkpoint: str) -> Step:
        """Return samples of the checkpoint that is `best` on validation sources, or of the `last` one.

        `sampler` is an entry of samplers; most have the name of their run. A sampler with the settings of its run's own
        sampler gives the same step, so nothing is sampled twice.
        """
        if sampler not in self.config.samplers:
            raise ConfigError(f"config.yaml: {sampler} has no entry in samplers.")
        spec = self.config.samplers[sampler]
        run = spec.run or sampler
        settings = spec.settings()
        if run in self.config.samplers and settings == self.config.samplers[run].settings():
            sampler = run
        parents = {"model": self.train(run, seed), "sources": self.at(seed).data(self.task(run).sources)}
        settings["checkpoint"] = checkpoint
        return Step("sample", f"{sampler}.{checkpoint}", settings, parents, ("samplers", sampler))

    @once
    def ascent(self, name: str, seed: int) -> Step:
        """Return PGD with the selected checkpoint of a run, from the images that an entry of `ascents` names."""
        build = self.at(seed)
        spec = build.config.ascents[name]
        task = self.task(spec.run)
        images = build.data(getattr(self.config.tasks[spec.task] if spec.task else task, spec.images))
        settings = {"checkpoint": "best", **spec.model_dump(exclude={"run", "others", "task", "images"})}
        parents = {"model": self.train(spec.run, seed), "images": images}
        parents |= {f"model_{number}": self.train(run, seed) for number, run in enumerate(spec.others, start=2)}
        if spec.distances:
            settings["blocks"] = self.config.metrics.blocks
            check_blocks(settings["blocks"], spec.distances, images)
            parents |= {"extractor": build.extractor(), "reference": build.features(build.data(task.p_data))}
        return Step("ascent", name, settings, parents, ("ascents", name))

    @once
    def neighbours(self, sampler: str, seed: int) -> Step:
        """Return the training and held-out images nearest to a sampler's samples, in pixels and in features."""
        build, sample = self.at(seed), self.sample(sampler, seed, "best")
        task, n = self.task(sample.parents["model"].name), self.config.metrics.n
        sets = {"train": build.data(task.p_data)}
        if task.held_out != task.p_data:
            sets["held_out"] = build.data(task.held_out)
        parents = {"samples": sample, "samples_features": self.features(sample, n)}
        for role, images in sets.items():
            # as many as for distances
            count = None if role == "train" else min(n, self.config.sets[images.name].images)
            parents |= {role: images, f"{role}_features": self.features(images, count)}
        return Step("neighbours", sample.name, build.config.neighbours.model_dump(), parents, ("neighbours",))

    @once
    def features(
        self, images: Step, n: int | None = None, size: int | None = None, extractor: str | None = None
    ) -> Step:
        """Return features of the first `n` images (by default all) of a `data` or `sample` step.

        Images are first shrunk to `size` pixels a side if it is given. The extractor is metrics.extractor by default.
        """
        parents = {"images": images, "extractor": self.extractor(extractor)}
        name = f"{images.name}.{size}px" if size else images.name
        if parents["extractor"].name != self.config.metrics.extractor:
            name = f"{name}.by_{parents['extractor'].name}"
        settings: dict[str, Any] = {"n": n, "size": size}
        if self.config.metrics.precision != "fp32":
            settings["precision"] = self.config.metrics.precision
        return Step("features", name, settings, parents, ("metrics",))

    def agreement(self, name: str) -> list[Step]:
        """Return the distance of a set's features to published statistics; [] if there are none.

        No step depends on it, so neither a large distance nor unavailable statistics can stop a training.
        """
        extractor = self.config.extractors[self.config.metrics.extractor]
        if not isinstance(extractor, Inception) or name not in extractor.published:
            return []
        published, features = extractor.published[name], self.features(self.data(name))
        settings = {"metric": "agreement", "n": self.config.sets[name].images, **published.model_dump()}
        section, archives = ("extractors", self.config.metrics.extractor), archive_files(published.archive)
        label = f"{features.name}.to_{published.archive}"
        return [Step("metric", f"{label}.agreement", settings, {"features": features}, section, archives)]

    @once
    def metric(
        self, name: str, images: Step, reference: str, size: int | None = None, extractor: str | None = None
    ) -> Step:
        """Return one number on `metrics.n` images, or on all images of a set that has fewer.

        Both sides are first shrunk to `size` pixels a side if it is given, and use the same extractor. Raises
        ConfigError for a metric that this extractor does not support.
        """
        metrics, how = self.config.metrics, METRICS[name]
        n = metrics.n if images.kind in ("sample", "gan") else min(metrics.n, self.config.sets[images.name].images)
        settings = {"metric": name, "n": n} | {key: getattr(metrics, key) for key in how.takes}
        if "blocks" in settings:
            check_blocks(metrics.blocks, n, images)
        if how.looks_at == "images":
            parents, label = {"images": images}, images.name
        else:
            self._check_measures(name, extractor)
            features = self.features(images, n, size, extractor)
            parents, label = {"features": features}, features.name
        if how.compares:
            of = self.data(reference)
            parents["reference"] = of if how.looks_at == "images" else self.features(of, None, size, extractor)
            if images.kind == "data":  # a set may be compared with several others
                label = f"{label}.to_{reference}"
        return Step("metric", f"{label}.{name}", settings, parents, ("metrics",))

    def _check_measures(self, name: str, extractor: str | None) -> None:
        extractor = extractor or self.config.metrics.extractor
        distance = self.config.extractors[self.extractor(extractor).name].distance
        if distance != "frechet" and name != distance:
            raise ConfigError(f"extractor {extractor} supports only {distance}, not {name}.")

    def quality(self, name: str, seed: int, extractor: str | None = None) -> Step:
        """Return the distance of samples to p_data, for the samples of `score`, by metrics.extractor or another one.

        The extractor determines which distance it is: the Frechet distance, or KID.
        """
        return self.score(self.config.extractors[self.extractor(extractor).name].distance, name, seed, extractor)

    def score(self, metric: str, name: str, seed: int, extractor: str | None = None) -> Step:
        """Return one number on samples of the selected checkpoint, or on a GAN's samples."""
        build = self.at(seed)
        if name in self.config.gans:
            samples, task = self.gan(name, seed), build.config.tasks[self.config.gans[name].task]
        else:
            samples = self.sample(name, seed, "best")
            task = build.task(samples.parents["model"].name)
        return build.metric(metric, samples, task.p_data, extractor=extractor)

    def distance_of_sources(self, task: str, seed: int) -> Step:
        """Return the distance of a task's unchanged source images to p_data."""
        build = self.at(seed)
        return build.metric("frechet", build.data(build.config.tasks[task].sources), build.config.tasks[task].p_data)

    def attack(
        self,
        run: str,
        seed: int,
        variant: str = "",
        *,
        alone: bool = False,
        other_seed: int | None = None,
        **changes: Any,
    ) -> Step:
        """Return the logits of a run's model in and out of distribution: clean, and after the attacks of its task.

        A variant has its own name and `changes` to the attacks' settings, or uses the published attack `alone`. With
        `other_seed`, the attacks climb the logit of the run with that seed, and this model scores the attacked images
        (transfer).
        """
        build, name, task = self.at(seed), self.config.runs[run].task, self.task(run)
        if name not in self.config.detection:
            raise ConfigError(f"config.yaml: {name}, the task of {run}, has no entry in detection.")
        spec = build.config.detection[name]
        settings = spec.model_dump(exclude={"in_distribution", "radius", "radii", "steps", "transfer"})
        settings |= {"checkpoint": "best", "radii": [spec.radius], **(spec.others if alone else {}), **changes}
        parents = {"model": self.train(run, seed), IN: build.data(getattr(task, spec.in_distribution))}
        if spec.in_distribution != "held_out" and task.held_out != task.p_data:
            parents[HELD_OUT] = build.data(task.held_out)
        parents |= {row: build.data(images) for row, images in task.out_of_distribution.items()}
        if other_seed is not None:
            parents["surrogate"] = self.train(run, other_seed)
        return Step("attack", f"{run}.{variant}".rstrip("."), settings, parents, ("detection", name))

    @once
    def detection(self, attack: Step) -> Step:
        """Return how well the logits of an attack step separate each of its sets from in-distribution images."""
        return Step("detection", attack.name, {}, {"attack": attack}, ("detection",))

    def worst_case(self, run: str, seed: int) -> Step:
        """Return detection with a run's model, clean and under all attacks at the radius of its task."""
        return self.detection(self.attack(run, seed))

    def sweeps(self, run: str, seed: int) -> list[Step]:
        """Return detection under the published attack alone, at other radii and with other numbers of steps."""
        spec = self.config.detection[self.config.runs[run].task]
        variants: dict[str, dict[str, Any]] = {"radii": {"radii": list(spec.radii)}}
        published = getattr(spec, PUBLISHED).model_dump()
        variants |= {f"{n}_steps": {PUBLISHED: {**published, "steps": n}} for n in spec.steps}
        return [self.detection(self.attack(run, seed, name, alone=True, **own)) for name, own in variants.items()]

    def network(self, stem: int) -> Step:
        """Return the 256x256 network for RGB images with one output, even if no run uses it."""
        settings = {"channels": 3, "size": 256, "stem": stem}
        return Step("network", f"discriminator256_stem{stem}", settings)

    def timing(self, run: str) -> Step:
        """Return the time of sampling with the run's first model, its sampler's step size and its sources."""
        step_size = self.config.samplers[run].step_size
        settings = {**self.config.timing.model_dump(), "checkpoint": "best", "step_size": step_size}
        parents = {
            "model": self.train(run, self.config.seed),
            "sources": self.at(self.config.seed).data(self.task(run).sources),
        }
        return Step("timing", run, settings, parents, ("timing",))

    def check(self, run: str) -> Step:
        """Return the numbers behind Table 1, with the images and the attack of a run; the run is not trained."""
        spec, task = self.config.runs[run], self.task(run)
        settings: dict[str, Any] = {"seed": self.config.seed, "step_size": spec.step_size, "K": spec.schedule.K_max}
        settings |= {"mean": spec.network.mean, "std": spec.network.std}
        parents = {"p_data": self.data(task.p_data), "p_0": self.data(task.p_0)}
        return Step("check", run, settings, parents, ("runs", run))

    def overview(self, run: str, seed: int) -> Step:
        """Return a picture of samples, sources and held-out images, with the AUROC of the run's model."""
        sample = self.sample(run, seed, "best")
        task = self.task(sample.parents["model"].name)
        parents = {"samples": sample, "sources": sample.parents["sources"], "held_out": self.data(task.held_out)}
        parents["detection"] = self.worst_case(sample.parents["model"].name, seed)
        return Step("overview", run, {"n": min(OVERVIEW, sample.settings["n"])}, parents)


def check_blocks(blocks: int, n: int, images: Step) -> None:
    """Raise ConfigError unless each block has at least two of n images: fewer have no covariance."""
    if n < 2 * blocks:
        raise ConfigError(
            f"config.yaml: metrics.blocks = {blocks} needs at least {2 * blocks} images, but {images.name} has {n}."
        )


def archive_files(archive: str, split: str | None = None) -> tuple[str, ...]:
    """Return the files of an archive or a split. Raises ConfigError if config.yaml names an unknown one."""
    try:
        return files_of(archive, split)
    except DataError as error:
        raise ConfigError(f"config.yaml: {error}") from None


def adopted(kind: str, name: str, spec: Run | Pretraining, section: tuple[str, ...], **settings: Any) -> Step:
    """Return a step that takes the place of a training: its weights come from a checkpoint read by import-weights."""
    digest = releases().get(name, {}).get("sha256") if spec.weights == "released" else spec.weights
    if digest is None:
        known = ", ".join(releases())
        raise ConfigError(
            f"config.yaml: {'.'.join(section)}.weights: the authors released no weights for it, only for {known}."
        )
    return Step(kind, name, {**settings, "weights": digest, "network": spec.network.model_dump()}, section=section)
