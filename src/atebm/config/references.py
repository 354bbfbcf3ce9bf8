"""Whether the parts of a configuration fit together: names, kinds of set, and numbers of images."""

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Self

from pydantic import model_validator

from .augment import Augment, ResizedCropFlip
from .evaluation import Classifier, Embedded, Inception
from .schema import Config
from .sets import Drawn, ImageIndex, ImageSet, OfClasses, Part


class Checked(Config):
    """A configuration whose parts fit together. Raises pydantic's ValidationError for one whose parts do not."""

    @model_validator(mode="after")
    def _names_exist(self) -> Self:
        for where, name, section in self._references():
            if name not in getattr(self, section):
                known = get_close_matches(name, getattr(self, section), 1) or sorted(getattr(self, section))
                hint = f"Did you mean {known[0]}?" if known else "It is empty."
                raise ValueError(f"{where} names {name!r}, which {section} does not have. {hint}")
        return self

    @model_validator(mode="after")
    def _released_weights_are_of_one_seed(self) -> Self:
        imported = [f"runs.{name}" for name, run in self.runs.items() if run.weights != "trained"]
        if imported and self.seeds > 1:
            raise ValueError(
                f"{imported[0]}.weights are one file's: seeds = {self.seeds} would be as many equal models, with "
                "no spread. Say seeds: 1"
            )
        return self

    @model_validator(mode="after")
    def _rulers_differ(self) -> Self:
        """Training, tables and captions go by the Frechet distance and the classes of the first."""
        first = self.extractors[self.metrics.extractor]
        if first.distance != "frechet" or (isinstance(first, Embedded) and first.classes_of != "p_data"):
            raise ValueError(
                f"metrics.extractor = {self.metrics.extractor!r}, which has no Frechet distance or does not know the "
                "classes of p_data: name it in metrics.rulers"
            )
        names = (self.metrics.extractor, *self.metrics.rulers)
        if len(set(names)) < len(names):
            raise ValueError("metrics.rulers names an extractor twice, or that of metrics.extractor")
        return self

    @model_validator(mode="after")
    def _classifiers_start_from_nothing(self) -> Self:
        for name, run in self.runs.items():
            if run.objective == "outlier_exposure" and run.init is not None:
                raise ValueError(f"runs.{name}.init = {run.init!r}: a classifier of p_data's labels has another head")
        return self

    @model_validator(mode="after")
    def _parts_of_fitting_sets(self) -> Self:
        for name, spec in self.sets.items():
            if isinstance(spec, Drawn):
                self._drawn_of_fitting_set(f"sets.{name}", spec, self.sets[spec.of])
            if isinstance(spec, OfClasses) and isinstance(self.sets[spec.of], ImageIndex | OfClasses):
                raise ValueError(
                    f"sets.{name}.of = {spec.of!r}: classes are taken of an array that is no part of another"
                )
        return self

    def _drawn_of_fitting_set(self, place: str, spec: Drawn, of: ImageSet) -> None:
        if isinstance(of, Drawn):
            raise ValueError(f"{place}.of = {spec.of!r}, which is drawn itself: name what that is drawn of")
        if isinstance(of, ImageIndex) != (spec.crop is not None):
            raise ValueError(f"{place}.crop: images of an index want one, those of an array have their size already")
        if not isinstance(of, ImageIndex) and spec.size != self.size_of(spec.of):
            raise ValueError(
                f"{place}.size = {spec.size}, but set {spec.of} has images of {self.size_of(spec.of)} pixels"
            )

    @model_validator(mode="after")
    def _image_files_are_cropped(self) -> Self:
        """An index is decoded and cropped to one size as it is trained on; all else wants arrays."""
        for place, name in self._arrays():
            if isinstance(self.sets[name], ImageIndex):
                raise ValueError(f"{place} = {name!r}, which is an index of image files: draw a set from it")
        for name, spec in self.pretrainings.items():
            if isinstance(self.sets[spec.p_data], ImageIndex) != (spec.size is not None):
                raise ValueError(
                    f"pretrainings.{name}.size: images of an index want one, those of an array have their size already"
                )
        for place, augment, name in self._augmented():
            how = augment.name if not isinstance(augment, ResizedCropFlip) else f"probability {augment.probability:g}"
            if isinstance(self.sets[name], ImageIndex) and how != "probability 1":
                raise ValueError(
                    f"{place}: {how}, but {name} is an index of image files of all sizes: they want resized_crop_flip "
                    "with probability 1"
                )
        return self

    def _arrays(self) -> Iterator[tuple[str, str]]:
        """Where a set is named that must be an array, and the set."""
        for name, task in self.tasks.items():
            for role in ("p_data", "held_out", "validation_sources", "sources"):
                yield f"tasks.{name}.{role}", getattr(task, role)
            for row, images in task.out_of_distribution.items():
                yield f"tasks.{name}.out_of_distribution.{row}", images
        for name, extractor in self.extractors.items():
            if isinstance(extractor, Classifier):
                yield f"extractors.{name}.p_data", extractor.p_data

    def _augmented(self) -> Iterator[tuple[str, Augment, str]]:
        """Where an augmentation stands, itself, and the set that it is of."""
        for name, run in self.runs.items():
            yield f"runs.{name}.augment.p_0", run.augment.p_0, self.tasks[run.task].p_0
        for name, spec in self.pretrainings.items():
            yield f"pretrainings.{name}.augment", spec.augment, spec.p_data

    @model_validator(mode="after")
    def _enough_images(self) -> Self:
        for place, wanted, where in self._wanted():
            have = self.sets[where].images
            if wanted > have:
                raise ValueError(f"{place} = {wanted}, but set {where} has {have} images")
        for name, sampler in self.samplers.items():
            run = sampler.run or name
            if sampler.steps == "selected" and self.runs[run].monitor is None:
                raise ValueError(f"samplers.{name}.steps = 'selected', but runs.{run} has no monitor that selects them")
        for place, n in self._made():
            if self.metrics.n > n:
                raise ValueError(f"metrics.n = {self.metrics.n}, but {place}.n = {n} samples")
        return self

    def _made(self) -> Iterator[tuple[str, int]]:
        """Where samples are made, and how many."""
        yield from ((f"samplers.{name}", sampler.n) for name, sampler in self.samplers.items())
        yield from ((f"gans.{name}", gan.n) for name, gan in self.gans.items())

    def _wanted(self) -> Iterator[tuple[str, int, str]]:
        """Where a number of images is asked for, the number, and the set that must have them."""
        for name, spec in self.sets.items():
            if isinstance(spec, Drawn):
                yield f"sets.{name}.skip + n", spec.skip + spec.n, spec.of
        for name, run in self.runs.items():
            task = self.tasks[run.task]
            yield f"runs.{name}.batch_size", run.batch_size, task.p_data
            yield f"runs.{name}.batch_size", run.batch_size, task.p_0
            if run.monitor:
                yield f"runs.{name}.monitor.n", run.monitor.n, task.validation_sources
        for name, gan in self.gans.items():
            yield f"gans.{name}.batch_size", gan.batch_size, self.tasks[gan.task].p_data
        for name, sampler in self.samplers.items():
            yield f"samplers.{name}.n", sampler.n, self.tasks[self.runs[sampler.run or name].task].sources
        for name, ascent in self.ascents.items():
            images = getattr(self.tasks[ascent.task or self.runs[ascent.run].task], ascent.images)
            for key in ("n", "distances"):
                yield f"ascents.{name}.{key}", getattr(ascent, key) or 0, images
            if ascent.motion > ascent.n:
                raise ValueError(f"ascents.{name}.motion = {ascent.motion}, but only n = {ascent.n} images are kept")
        for name, detection in self.detection.items():
            sets = self.tasks[name]
            for images in (getattr(sets, detection.in_distribution), *sets.out_of_distribution.values()):
                yield f"detection.{name}.n", detection.n, images

    def _references(self) -> Iterator[tuple[str, str, str]]:
        """Where a name stands, the name, and the section that must have it."""
        for name, images in self.sets.items():
            if isinstance(images, Part):
                yield f"sets.{name}.of", images.of, "sets"
        for task, spec in self.tasks.items():
            for role in ("p_data", "held_out", "p_0", "validation_sources", "sources"):
                yield f"tasks.{task}.{role}", getattr(spec, role), "sets"
            for row, name in spec.out_of_distribution.items():
                yield f"tasks.{task}.out_of_distribution.{row}", name, "sets"
        for name, run in self.runs.items():
            yield f"runs.{name}.task", run.task, "tasks"
            if run.init:
                yield f"runs.{name}.init", run.init, "pretrainings"
        for name, gan in self.gans.items():
            yield f"gans.{name}.task", gan.task, "tasks"
        for rival in self.rivals:
            yield "rivals", rival, "gans" if rival in self.gans else "runs"
        yield from (("baselines", baseline, "runs") for baseline in self.baselines)
        for name, extractor in self.extractors.items():
            for reference in extractor.published if isinstance(extractor, Inception) else ():
                yield f"extractors.{name}.published", reference, "sets"
        for name, sampler in self.samplers.items():
            yield f"samplers.{name}{'.run' if sampler.run else ''}", sampler.run or name, "runs"
        for name, ascent in self.ascents.items():
            yield f"ascents.{name}.run", ascent.run, "runs"
            for other in ascent.others:
                yield f"ascents.{name}.others", other, "runs"
            if ascent.task:
                yield f"ascents.{name}.task", ascent.task, "tasks"
        classifiers = {f"extractors.{name}": e for name, e in self.extractors.items() if isinstance(e, Classifier)}
        for place, classifier in (classifiers | {f"pretrainings.{n}": p for n, p in self.pretrainings.items()}).items():
            yield f"{place}.p_data", classifier.p_data, "sets"
            yield f"{place}.held_out", classifier.held_out, "sets"
        for task in self.detection:
            yield f"detection.{task}", task, "tasks"
        yield "metrics.extractor", self.metrics.extractor, "extractors"
        for name in self.metrics.rulers:
            yield "metrics.rulers", name, "extractors"
        if self.own:
            yield "own", self.own, "samplers"  # of its name, of the run of its name
