"""What all sections of config.yaml share: how a key is declared, and the types that several sections use.

The models are not strict on purpose: YAML reads `5e-4` as a string and `--config` passes strings; what is
hashed into a step's digest are the resolved types. But yes, no, true and false are no numbers.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError, core_schema

from ..utils.hashing import SHA256

# Types ----------------------------------------------------------------------------------------------------------------

# of an entry: it becomes part of the names of files, and those of Snakemake's rules tell it from what follows
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.]{0,63}$")]
Fraction = Annotated[float, Field(gt=0, lt=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Decay = Annotated[float, Field(ge=0, lt=1)]  # of an average
Channels = Annotated[tuple[Share, ...], Field(min_length=1)]  # one value for each colour channel
Deviations = Annotated[tuple[Annotated[float, Field(gt=0, le=1)], ...], Field(min_length=1)]  # likewise
Sha256 = Annotated[str, Field(pattern=SHA256)]
Weights = Annotated[str, Field(pattern="^(trained|released|[0-9a-f]{64})$")]


# bf16: convolutions in bfloat16 by autocast; tf32: float32 products rounded to TF32 on GPUs that have it
Precision = Literal["fp32", "tf32", "bf16"]


def number_of(value: Any) -> Any:
    """Return the number that a string stands for: a Literal takes no string for one, and `--config` passes strings."""
    return int(value) if isinstance(value, str) and value.isdecimal() else value


class Distinct:
    """The items of a list are all different."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        return core_schema.no_info_after_validator_function(self.checked, handler(source))

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        return {**handler(schema), "uniqueItems": True}

    @staticmethod
    def checked(items: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return the items. Raises ValueError where one stands twice."""
        if twice := [item for index, item in enumerate(items) if item in items[:index]]:
            raise mistake([], " has {} twice: leave one out", twice[0])
        return items


T = TypeVar("T")
Unique = Annotated[tuple[T, ...], Distinct()]


@dataclass(frozen=True)
class Ref:
    """The value is the name of an entry of one of these sections, or of these files; references.py looks it up."""

    sections: tuple[str, ...]
    array: bool = False  # whether images of all sizes, in an index, will not do

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
TaskKey = Annotated[Name, Ref(("tasks",))]  # of the entry of a task
ArchiveName = Annotated[str, Ref((SOURCES,))]
ExtractorFile = Annotated[str, Ref((EXTRACTORS,))]
PhotographName = Annotated[str, Ref((PHOTOGRAPHS,))]
ArtifactName = Annotated[str, Ref((NOTEBOOKS,))]


def without_nulls(entries: Any) -> Any:
    """Return entries by name; null, in a file further down, leaves one out, or all."""
    if not isinstance(entries, dict):
        return {} if entries is None else entries
    return {key: value for key, value in entries.items() if value is not None}


# Sections and their keys ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Paper:
    """Where the paper states a setting, or who chose it where it doesn't; `atebm explain` prints it."""

    where: str


def key(
    about: str, *, unit: str = "", source: str = "", default: Any = ..., in_digest: bool = False, **bounds: Any
) -> Any:
    """Declare a key of config.yaml: what it is, its unit, and its source, if that is not its section's.

    A key with a default can be left out, and is in no digest while it has its default: a key that is added later moves
    none. `in_digest` is for the keys that digests had from the start. `bounds` are those of pydantic's Field.
    """
    extra: dict[str, Any] = {name: text for name, text in (("unit", unit), ("source", source)) if text}
    if default is not ... and not in_digest:
        bounds["exclude_if"] = lambda value: value == default
    return Field(default, description=about, json_schema_extra=extra or None, **bounds)


def mistake(path: Iterable[str], text: str, *values: Any) -> PydanticCustomError:
    """Return an error to raise in a validator; `path` are the keys below what is validated, {} in `text` the values."""
    said = text.format(*map(as_yaml, values))
    return PydanticCustomError("mistake", "{said}", {"path": tuple(path), "said": said})


def as_yaml(value: Any) -> str:
    """Return a value as YAML writes it, in one line and cut where it is long."""
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
    # infinities would be hashed and compared as numbers that they are not
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    paper: ClassVar[Paper]  # of all fields that have none of their own

    @model_validator(mode="before")
    @classmethod
    def _numbers_are_no_truths(cls, values: Any) -> Any:
        """Refuse yes and no for numbers, and numbers for yes and no: Python takes each for the other."""
        for name, field in cls.model_fields.items() if isinstance(values, dict) else ():
            value = values.get(name)
            if field.annotation is bool and isinstance(value, int | float) and not isinstance(value, bool):
                raise mistake([name], " = {}: true or false is wanted", value)
            if field.annotation is not bool and holds_truth(value):
                raise mistake([name], " = {}: YAML reads yes, no, on and off as true or false: " + NO_TRUTH, value)
        return values


def whole(value: Any) -> Any:
    """Return a section as JSON has it, with the keys at their default, which `model_dump` leaves out for digests."""
    if isinstance(value, Section):
        return {name: whole(getattr(value, name)) for name in type(value).model_fields}
    if isinstance(value, dict):
        return {name: whole(entry) for name, entry in value.items()}
    return [whole(item) for item in value] if isinstance(value, tuple | list) else value


class Variant(Section):
    """One of several variants of a setting. What belonged to another kind, in a file further down, can be set to null:
    { name: sgd, lr: 0.1, momentum: 0.9, betas: null } over Adam's."""

    @model_validator(mode="before")
    @classmethod
    def _forget(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        return {key: value for key, value in values.items() if value is not None or key in cls.model_fields}


def source_of(section: type[Section], name: str) -> str:
    """Return where the paper states a key, or who chose it: the key's own source, else its section's."""
    extra = section.model_fields[name].json_schema_extra
    return str(extra["source"]) if isinstance(extra, dict) and "source" in extra else section.paper.where


def variants(union: Any) -> dict[str, type[Any]]:
    """Return the sections of a union that a key tells apart, each by what that key says: {"small": Small, ...}."""
    members, field = get_args(union)
    return {get_args(kind.model_fields[field.discriminator].annotation)[0]: kind for kind in get_args(members)}


def sections(base: type[Section]) -> Iterator[type[Section]]:
    """Yield the sections that are derived from `base`, and those from them, and so on."""
    for section in base.__subclasses__():
        yield section
        yield from sections(section)
