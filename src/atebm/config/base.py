"""The declaration of a key, and the types that several sections of config.yaml use.

The models are deliberately not strict: YAML reads `5e-4` as a string, and `--config` passes strings. A step's digest is
computed from the converted values. But yes, no, true and false are not accepted as numbers.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError, core_schema

from ..utils.hashing import SHA256

# Types ----------------------------------------------------------------------------------------------------------------

# The name of an entry becomes part of file names, which Snakemake's rules must be able to split again.
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.]{0,63}$")]
Fraction = Annotated[float, Field(gt=0, lt=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Decay = Annotated[float, Field(ge=0, lt=1)]  # decay of a moving average
Channels = Annotated[tuple[Share, ...], Field(min_length=1)]  # one value per colour channel
Deviations = Annotated[tuple[Annotated[float, Field(gt=0, le=1)], ...], Field(min_length=1)]  # one value per channel
Sha256 = Annotated[str, Field(pattern=SHA256)]
Weights = Annotated[str, Field(pattern="^(trained|released|[0-9a-f]{64})$")]


# bf16: convolutions in bfloat16 by autocast; tf32: float32 products rounded to TF32 on GPUs that have it
Precision = Literal["fp32", "tf32", "bf16"]


def number_of(value: Any) -> Any:
    """Return the number in a string: `--config` passes strings, but a Literal of numbers accepts none."""
    return int(value) if isinstance(value, str) and value.isdecimal() else value


class Distinct:
    """The items of a list are all different."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        return core_schema.no_info_after_validator_function(self.checked, handler(source))

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        return {**handler(schema), "uniqueItems": True}

    @staticmethod
    def checked(items: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return the items. Raises ValueError if one occurs twice."""
        if twice := [item for index, item in enumerate(items) if item in items[:index]]:
            raise mistake([], " has {} twice: leave one out", twice[0])
        return items


T = TypeVar("T")
Unique = Annotated[tuple[T, ...], Distinct()]


@dataclass(frozen=True)
class Ref:
    """A mark on a value that names an entry of one of these sections or files; references.py looks it up."""

    sections: tuple[str, ...]
    array: bool = False  # whether the set must be an array, not an index of image files of different sizes

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        return {**handler(schema), "reference": list(self.sections)}


SOURCES, PHOTOGRAPHS, EXTRACTORS = "data/sources.yaml", "data/embedded/photographs.csv", "data/embedded/extractors"
NOTEBOOKS = "notebooks"  # one for each artifact
SetName = Annotated[str, Ref(("sets",))]
ArrayName = Annotated[str, Ref(("sets",), array=True)]
TaskName = Annotated[str, Ref(("tasks",))]
RunName = Annotated[str, Ref(("runs",))]
PretrainingName = Annotated[str, Ref(("pretrainings",))]
SamplerName = Annotated[str, Ref(("samplers",))]
ExtractorName = Annotated[str, Ref(("extractors",))]
RivalName = Annotated[str, Ref(("runs", "gans"))]
TaskKey = Annotated[Name, Ref(("tasks",))]  # a key that is the name of a task
ArchiveName = Annotated[str, Ref((SOURCES,))]
ExtractorFile = Annotated[str, Ref((EXTRACTORS,))]
PhotographName = Annotated[str, Ref((PHOTOGRAPHS,))]
ArtifactName = Annotated[str, Ref((NOTEBOOKS,))]


def without_nulls(entries: Any) -> Any:
    """Return the entries that are not null: a later file can remove an entry, or all, by setting it to null."""
    if not isinstance(entries, dict):
        return {} if entries is None else entries
    return {key: value for key, value in entries.items() if value is not None}


# Sections and their keys ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Paper:
    """Where the paper states a setting, or who chose it if the paper doesn't; `atebm explain` prints this."""

    where: str


def key(
    about: str, *, unit: str = "", source: str = "", default: Any = ..., in_digest: bool = False, **bounds: Any
) -> Any:
    """Declare a key of config.yaml: its description, its unit, and its source, if it differs from its section's.

    A key with a default can be left out, and enters no digest while it has its default, so that a key added later
    changes no digest. `in_digest` is for keys that digests have always included. `bounds` go to pydantic's Field.
    """
    extra: dict[str, Any] = {name: text for name, text in (("unit", unit), ("source", source)) if text}
    if default is not ... and not in_digest:
        bounds["exclude_if"] = lambda value: value == default
    return Field(default, description=about, json_schema_extra=extra or None, **bounds)


def mistake(path: Iterable[str], text: str, *values: Any) -> PydanticCustomError:
    """Return an error to raise in a validator.

    `path` has the keys below the validated section; each {} in `text` is replaced by one of `values`.
    """
    said = text.format(*map(as_yaml, values))
    return PydanticCustomError("mistake", "{said}", {"path": tuple(path), "said": said})


def as_yaml(value: Any) -> str:
    """Return a value as YAML writes it, in one line, cut if it is long."""
    if isinstance(value, str):
        text = repr(value)
    elif isinstance(value, float):
        text = f"{value:.12g}".replace("nan", ".nan").replace("inf", ".inf")
    else:
        flow = yaml.safe_dump(value, default_flow_style=True, width=10**6, sort_keys=False)
        text = flow.partition("\n...")[0].strip()
    return text if len(text) <= 80 else f"{text[:77]}..."


NO_TRUTH = "write another value, or put a name in quotes"


def holds_truth(value: Any) -> bool:
    """Return whether a value is true or false, or a list with one in it."""
    return isinstance(value, bool) or (isinstance(value, list | tuple) and any(map(holds_truth, value)))


class Section(BaseModel):
    # no setting may be infinite or NaN
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    paper: ClassVar[Paper]  # the source of all fields without a source of their own

    @model_validator(mode="before")
    @classmethod
    def _numbers_are_no_truths(cls, values: Any) -> Any:
        """Refuse yes and no for numbers, and numbers for yes and no: Python would convert each to the other."""
        for name, field in cls.model_fields.items() if isinstance(values, dict) else ():
            value = values.get(name)
            if field.annotation is bool and isinstance(value, int | float) and not isinstance(value, bool):
                raise mistake([name], " = {}: write true or false", value)
            if field.annotation is not bool and holds_truth(value):
                raise mistake([name], " = {}: YAML reads yes, no, on and off as true or false: " + NO_TRUTH, value)
        return values


def whole(value: Any) -> Any:
    """Return a section as JSON data with all keys: `model_dump` leaves out those at their default, for digests."""
    if isinstance(value, Section):
        return {name: whole(getattr(value, name)) for name in type(value).model_fields}
    if isinstance(value, dict):
        return {name: whole(entry) for name, entry in value.items()}
    return [whole(item) for item in value] if isinstance(value, tuple | list) else value


class Variant(Section):
    """One of several variants of a setting.

    A later file that chooses another variant can set the old variant's keys to null, as in
    { name: sgd, lr: 0.1, momentum: 0.9, betas: null } over Adam's keys.
    """

    @model_validator(mode="before")
    @classmethod
    def _forget(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        return {key: value for key, value in values.items() if value is not None or key in cls.model_fields}


def source_of(section: type[Section], name: str) -> str:
    """Return where the paper states a key, or who chose it: the key's own source, or else its section's."""
    extra = section.model_fields[name].json_schema_extra
    return str(extra["source"]) if isinstance(extra, dict) and "source" in extra else section.paper.where


def variants(union: Any) -> dict[str, type[Any]]:
    """Return the sections of a discriminated union by the value of their tag: {"small": Small, ...}."""
    members, field = get_args(union)
    return {get_args(kind.model_fields[field.discriminator].annotation)[0]: kind for kind in get_args(members)}


def sections(base: type[Section]) -> Iterator[type[Section]]:
    """Yield all sections that are derived from `base`, directly or not."""
    for section in base.__subclasses__():
        yield section
        yield from sections(section)
