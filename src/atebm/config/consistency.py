"""Checks that the parts of a configuration fit together: image shapes, networks, and numbers of images."""

from collections.abc import Iterator
from typing import Self

from pydantic import model_validator

from ..utils.meant import suggestion
from .augment import Augment, AutoAugmentCutout, ResizedCropFlip
from .base import mistake
from .evaluation import Classifier, Embedded
from .models import Normalised
from .references import check_names
from .schema import Config
from .sets import Drawn, ImageIndex, ImageSet, OfClasses
from .training import ClassifierTraining

Path = tuple[str, ...]


class Checked(Config):
    """A configuration whose parts fit together. Validation raises pydantic's ValidationError if they do not."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        """Check the parts in an order that lets each check rely on the earlier ones."""
        check_names(self)
        check_seeds(self)
        check_extractors(self)
        check_parts(self)
        check_augmentations(self)
        check_shapes(self)
        check_networks(self)
        check_labels(self)
        check_counts(self)
        check_training(self)
        return self


def check_seeds(config: Config) -> None:
    """Check that no run takes its weights from a file if there are several seeds."""
    imported = [name for name, run in config.runs.items() if run.weights != "trained"]
    if imported and config.seeds > 1:
        text = f" = {{}}: the weights come from one file, so seeds = {config.seeds} gives equal models. Write seeds: 1"
        raise mistake(("runs", imported[0], "weights"), text, config.runs[imported[0]].weights)


def check_extractors(config: Config) -> None:
    """Check that the main extractor has the Frechet distance and the classes that training and tables rely on."""
    path, named = ("metrics", "extractor"), config.metrics.extractor
    first = config.extractors[named]
    if first.distance != "frechet" or (isinstance(first, Embedded) and first.classes_of != "p_data"):
        text = " = {}, which has no Frechet distance or not the classes of p_data: name it in metrics.rulers instead"
        raise mistake(path, text, named)
    if named in config.metrics.rulers:
        raise mistake(("metrics", "rulers"), " has {}, which is metrics.extractor already: leave it out", named)


# Images ---------------------------------------------------------------------------------------------------------------


def check_parts(config: Config) -> None:
    """Check that each set is drawn from a suitable set, and that classes exist in the set they are taken from."""
    for name, spec in config.sets.items():
        path = ("sets", name)
        if isinstance(spec, Drawn):
            check_drawn(config, path, spec, config.sets[spec.of])
        if isinstance(spec, OfClasses):
            of = config.sets[spec.of]
            if isinstance(of, ImageIndex | OfClasses | Drawn) or of.labels == 1:
                text = " = {}: classes can only be taken from an array with labels that is not part of another set"
                raise mistake((*path, "of"), text, spec.of)
            for label in spec.classes if of.names else ():
                if label not in of.names:
                    text = f" has {{}}, which set {spec.of} does not have. {suggestion(label, of.names)}"
                    raise mistake((*path, "classes"), text, label)


def check_drawn(config: Config, path: Path, spec: Drawn, of: ImageSet) -> None:
    """Raise an error if a set is drawn from an unsuitable set."""
    if isinstance(of, Drawn):
        raise mistake((*path, "of"), f" = {{}}, which is itself drawn from {of.of}: name {of.of}", spec.of)
    if isinstance(of, ImageIndex) and spec.crop is None:
        raise mistake((*path, "crop"), " is null, but the images of an index differ in size: choose a crop")
    if not isinstance(of, ImageIndex) and spec.crop is not None:
        raise mistake((*path, "crop"), " is given, but the images of an array have their size already: set it to null")
    if not isinstance(of, ImageIndex) and spec.size != config.size_of(spec.of):
        text = f" = {{}}, but set {spec.of} has images of {config.size_of(spec.of)} pixels: make them equal"
        raise mistake((*path, "size"), text, spec.size)


def check_augmentations(config: Config) -> None:
    """Check that images of an index are cropped to one size, and that a fill has a value for each channel."""
    for name, spec in config.pretrainings.items():
        path: Path = ("pretrainings", name, "size")
        if isinstance(config.sets[spec.p_data], ImageIndex) and spec.size is None:
            raise mistake(path, " is missing, but the images of an index differ in size: write a size")
        if not isinstance(config.sets[spec.p_data], ImageIndex) and spec.size is not None:
            raise mistake(path, " is given, but the images of an array have their size already: set it to null")
    for place, augment, name in augmented(config):
        how = augment.name if not isinstance(augment, ResizedCropFlip) else f"probability {augment.probability:g}"
        if isinstance(config.sets[name], ImageIndex) and how != "probability 1":
            text = f": {how}, but {name} is an index of image files that differ in size: use resized_crop_flip with "
            raise mistake(place, text + "probability 1")
        if isinstance(augment, AutoAugmentCutout) and len(augment.fill) != config.channels_of(name):
            text = f" has {len(augment.fill)} values, but images of {name} have {counted(config.channels_of(name))}"
            raise mistake((*place, "fill"), text + ": write one per channel")


def augmented(config: Config) -> Iterator[tuple[Path, Augment, str]]:
    """Yield the path of each augmentation, the augmentation, and the set that it is applied to."""
    for name, run in config.runs.items():
        task = config.tasks[run.task]
        yield ("runs", name, "augment", "p_data"), run.augment.p_data, task.p_data
        yield ("runs", name, "augment", "p_0"), run.augment.p_0, task.p_0
    for name, gan in config.gans.items():
        yield ("gans", name, "augment"), gan.augment, config.tasks[gan.task].p_data
    for path, spec in classifiers(config):
        yield (*path, "augment"), spec.augment, spec.p_data


def classifiers(config: Config) -> Iterator[tuple[Path, ClassifierTraining]]:
    """Yield the classifiers that are trained: pre-trainings and extractors."""
    yield from ((("pretrainings", name), spec) for name, spec in config.pretrainings.items())
    for name, extractor in config.extractors.items():
        if isinstance(extractor, Classifier):
            yield ("extractors", name), extractor


def check_shapes(config: Config) -> None:
    """Check that all sets of a task have images of one shape, since one network takes them all."""
    trained = [run.task for run in config.runs.values()] + [gan.task for gan in config.gans.values()]
    for name in dict.fromkeys(trained):
        task = config.tasks[name]
        roles = {role: getattr(task, role) for role in ("held_out", "p_0", "validation_sources", "sources")}
        rows = {("out_of_distribution", row): images for row, images in task.out_of_distribution.items()}
        for keys, images in ({(role,): images for role, images in roles.items()} | rows).items():
            same_shape(config, ("tasks", name, *keys), images, task.p_data)
        size = config.size_of(task.p_data)
        if task.also_at is not None and size is not None and task.also_at >= size:
            text = f" = {{}}, but images of {task.p_data} have {size} pixels a side: lower it, or write null"
            raise mistake(("tasks", name, "also_at"), text, task.also_at)
    for name, ascent in config.ascents.items():
        if ascent.task is not None:
            images = getattr(config.tasks[ascent.task], ascent.images)
            own = config.tasks[config.runs[ascent.run].task].p_data
            same_shape(config, ("ascents", name, "task"), images, own)


def same_shape(config: Config, path: Path, images: str, p_data: str) -> None:
    """Raise an error if the images of a set differ in side or channels from those of p_data."""
    for what, one, other in (
        ("pixels a side", config.size_of(images), config.size_of(p_data)),
        ("channels", config.channels_of(images), config.channels_of(p_data)),
    ):
        if one is not None and other is not None and one != other:  # None: images of an index are resized later
            text = f": images of {images} have {one} {what}, but those of {p_data} have {other}: make them equal"
            raise mistake(path, text)


def counted(channels: int) -> str:
    return f"{channels} channel{'s' * (channels > 1)}"


# Networks and training ------------------------------------------------------------------------------------------------


def check_networks(config: Config) -> None:
    """Check that each network accepts the images that it is trained on."""
    for path, network, p_data, size in networks(config):
        channels = config.channels_of(p_data)
        for key in ("mean", "std"):
            if len(values := getattr(network, key)) != channels:
                text = f" has {len(values)} values, but images of {p_data} have {counted(channels)}"
                raise mistake((*path, key), text + ": write one per channel")
        if size is not None and (accepted := network.refuses(size)):
            text = f" = {{}} takes images of {accepted} pixels a side, but those of {p_data} have {size}"
            raise mistake((*path, "name"), f"{text}: choose another network", network.name)


def networks(config: Config) -> Iterator[tuple[Path, Normalised, str, int | None]]:
    """Yield the path of each network, the network, the set that it is trained on, and the side of its images."""
    for name, run in config.runs.items():
        p_data = config.tasks[run.task].p_data
        yield ("runs", name, "network"), run.network, p_data, config.size_of(p_data)
    for name, gan in config.gans.items():
        p_data = config.tasks[gan.task].p_data
        yield ("gans", name, "network"), gan.network, p_data, config.size_of(p_data)
    for path, spec in classifiers(config):
        size = getattr(spec, "size", None) or config.size_of(spec.p_data)
        yield (*path, "network"), spec.network, spec.p_data, size


def check_labels(config: Config) -> None:
    """Check that classifiers have images with labels, and that runs start from weights that fit."""
    for name, run in config.runs.items():
        path, p_data = ("runs", name), config.tasks[run.task].p_data
        if run.objective == "outlier_exposure" and run.init is not None:
            text = " = {}, but the classifier of objective outlier_exposure has another last layer: set it to null"
            raise mistake((*path, "init"), text, run.init)
        if run.objective == "outlier_exposure" and config.labels_of(p_data) == 1:
            text = f" = {{}} learns the labels of p_data, but images of {p_data} have none: choose another objective"
            raise mistake((*path, "objective"), text, run.objective)
        if run.init is not None and config.pretrainings[run.init].network != run.network:
            text = f" = {{}}, but runs.{name} has another network: use the same for both, or set init to null"
            raise mistake((*path, "init"), text, run.init)
    for place, spec in classifiers(config):
        for key, images in (("p_data", spec.p_data), ("held_out", spec.held_out)):
            if config.labels_of(images) == 1:
                raise mistake((*place, key), " = {}, whose images have no labels to learn: choose another set", images)


def check_training(config: Config) -> None:
    """Check that each training ends after its monitor starts, and that its batches divide evenly among GPUs."""
    for name, run in config.runs.items():
        path, last = ("runs", name), run.schedule.iterations
        if run.batch_size % config.gpus_per_run:
            text = f" = {{}} cannot be divided evenly by gpus_per_run = {config.gpus_per_run}: change one of them"
            raise mistake((*path, "batch_size"), text, run.batch_size)
        if run.monitor is not None and last is not None and run.monitor.start > last:
            text = f" = {{}}, but the run ends after {last} iterations, so nothing would be selected"
            raise mistake((*path, "monitor", "start"), f"{text}: lower it, or set monitor to null", run.monitor.start)
    for name, sampler in config.samplers.items():
        run_name = sampler.run or name
        if sampler.steps == "selected" and config.runs[run_name].monitor is None:
            text = f" = {{}}, but runs.{run_name} has no monitor to select them: write a number"
            raise mistake(("samplers", name, "steps"), text, sampler.steps)


# Numbers of images ----------------------------------------------------------------------------------------------------


def check_counts(config: Config) -> None:
    """Check that each set has as many images as are requested from it."""
    for path, requested, images in requested_images(config):
        if requested > (have := config.sets[images].images):
            raise mistake(path, f" = {{}}, but set {images} has {have} images: lower it", requested)
    made = [(("samplers", name, "n"), sampler.n) for name, sampler in config.samplers.items()]
    made += [(("gans", name, "n"), gan.n) for name, gan in config.gans.items()]
    for path, n in made:
        if config.metrics.n > n:
            text = f" = {{}}, but {'.'.join(path)} = {n}: lower the first, or raise the second"
            raise mistake(("metrics", "n"), text, config.metrics.n)
    for name, ascent in config.ascents.items():
        if ascent.motion > ascent.n:
            text = f" = {{}}, but only n = {ascent.n} images are kept: lower it"
            raise mistake(("ascents", name, "motion"), text, ascent.motion)


def requested_images(config: Config) -> Iterator[tuple[Path, int, str]]:
    """Yield the path of each requested number of images, the number, and the set that must have as many."""
    for name, spec in config.sets.items():
        if isinstance(spec, Drawn):
            yield ("sets", name, "skip + n"), spec.skip + spec.n, spec.of
    for name, run in config.runs.items():
        task = config.tasks[run.task]
        yield ("runs", name, "batch_size"), run.batch_size, task.p_data
        yield ("runs", name, "batch_size"), run.batch_size, task.p_0
        if run.monitor:
            yield ("runs", name, "monitor", "n"), run.monitor.n, task.validation_sources
    for name, gan in config.gans.items():
        yield ("gans", name, "batch_size"), gan.batch_size, config.tasks[gan.task].p_data
    for path, classifier in classifiers(config):
        yield (*path, "batch_size"), classifier.batch_size, classifier.p_data
    for name, sampler in config.samplers.items():
        yield ("samplers", name, "n"), sampler.n, config.tasks[config.runs[sampler.run or name].task].sources
    for name, ascent in config.ascents.items():
        images = getattr(config.tasks[ascent.task or config.runs[ascent.run].task], ascent.images)
        for key in ("n", "distances"):
            yield ("ascents", name, key), getattr(ascent, key) or 0, images
    for name, detection in config.detection.items():
        sets = config.tasks[name]
        for images in (getattr(sets, detection.in_distribution), *sets.out_of_distribution.values()):
            yield ("detection", name, "n"), detection.n, images
