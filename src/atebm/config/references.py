"""Names of other entries: one walker finds all values annotated with a Ref, and checks that these entries exist."""

import csv
import re
from collections.abc import Callable, Collection, Hashable, Iterator
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

from ..utils.files import repository
from ..utils.meant import suggestion
from .base import EXTRACTORS, NOTEBOOKS, PHOTOGRAPHS, SOURCES, Ref, Section, mistake
from .schema import Config
from .sets import ImageIndex


class Reference(NamedTuple):
    """A name of another entry: its path, the name, and the sections that may have the entry."""

    path: tuple[str, ...]
    name: str
    ref: Ref


def references(section: Section, path: tuple[str, ...] = ()) -> Iterator[Reference]:
    """Yield every name of another entry in a section and in those below it."""
    for name, field in type(section).model_fields.items():
        annotation: Any = field.annotation
        bare, notes = _bare(annotation)
        yield from _within(getattr(section, name), bare, (*notes, *field.metadata), (*path, name))


def _within(value: Any, annotation: Any, notes: tuple[Any, ...], path: tuple[str, ...]) -> Iterator[Reference]:
    if isinstance(value, Section):
        yield from references(value, path)
    elif isinstance(value, str):
        yield from (Reference(path, value, note) for note in notes if isinstance(note, Ref))
    elif isinstance(value, dict):
        of_key, of_value = map(_bare, get_args(annotation))
        for key, item in value.items():
            yield from _within(key, *of_key, (*path, key))
            yield from _within(item, *of_value, (*path, key))
    elif isinstance(value, tuple):
        of_item = _bare(get_args(annotation)[0])
        for item in value:
            yield from _within(item, *of_item, path)


@cache
def _bare(annotation: Hashable) -> tuple[Any, tuple[Any, ...]]:
    """Return a type without its annotations, and these; for an optional type, the type itself."""
    if get_origin(annotation) is Annotated:
        inner, *notes = get_args(annotation)
        bare, others = _bare(inner)
        return bare, (*others, *notes)
    if get_origin(annotation) in (Union, UnionType):
        kinds = [kind for kind in get_args(annotation) if kind is not NoneType]
        return _bare(kinds[0]) if len(kinds) == 1 else (annotation, ())
    return annotation, ()


def check_names(config: Config) -> None:
    """Raise an error with its path if a named entry does not exist, or is an index of image files and must not be."""
    for path, name, ref in references(config):
        known = {entry for section in ref.sections for entry in names_in(section, config)}
        if name not in known:
            where = " or ".join(ref.sections)
            raise mistake(path, f" names {{}}, which is not in {where}. {suggestion(name, known)}", name)
        if ref.array and isinstance(config.sets[name], ImageIndex):
            raise mistake(path, " = {}, which is an index of image files: draw a set from it", name)
    for name, sampler in config.samplers.items():
        if sampler.run is None and name not in config.runs:
            text = ".run is not given, and {} is not in runs. " + suggestion(name, config.runs)
            raise mistake(("samplers", name), text, name)
    if config.own is not None and config.own not in config.runs:
        raise mistake(("own",), " names {}, which is not in runs. " + suggestion(config.own, config.runs), config.own)


def names_in(section: str, config: Config) -> Collection[str]:
    """Return the names of the entries in a section of config.yaml or in a file of data/."""
    if section in FILES:
        return FILES[section]()
    named: Collection[str] = getattr(config, section)
    return named


@cache
def archives() -> frozenset[str]:
    text = (repository() / SOURCES).read_text(encoding="utf-8")
    return frozenset(re.findall(r"^(\w+):", text, flags=re.MULTILINE))


@cache
def photographs() -> frozenset[str]:
    with (repository() / PHOTOGRAPHS).open(newline="", encoding="utf-8") as file:
        return frozenset(row["name"] for row in csv.DictReader(file))


def extractors() -> frozenset[str]:
    return frozenset(path.name for path in (repository() / EXTRACTORS).glob("*.json"))


def artifacts() -> frozenset[str]:
    """Return the figures and tables that have a notebook; 00_paper.ipynb is of them all."""
    return frozenset(path.stem for path in (repository() / NOTEBOOKS).glob("[a-z]*.ipynb"))


FILES: dict[str, Callable[[], Collection[str]]] = {
    SOURCES: archives,
    PHOTOGRAPHS: photographs,
    EXTRACTORS: extractors,
    NOTEBOOKS: artifacts,
}
