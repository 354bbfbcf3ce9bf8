"""What all sections of config.yaml share.

The models are not strict on purpose: YAML reads `5e-4` as a string and `--config` passes strings; what is
hashed into a step's digest are the resolved types."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

# of an entry: it becomes part of the names of files, and those of Snakemake's rules tell it from what follows
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.]{0,63}$")]


NAMES = "names are of letters, digits, _ and ., at most 64, and begin with none of the dots"


QUOTES = "put it in quotes if it is a name"


Fraction = Annotated[float, Field(gt=0, lt=1)]


Share = Annotated[float, Field(ge=0, le=1)]


# bf16: convolutions in bfloat16 by autocast; tf32: float32 products rounded to TF32 on GPUs that have it
Precision = Literal["fp32", "tf32", "bf16"]


Channels = tuple[float, ...]  # one value per colour channel, in [0, 1] pixel units


@dataclass(frozen=True)
class Paper:
    """Where the paper states a setting, or who chose it where it doesn't; `atebm explain` prints it."""

    where: str


def without_nulls(entries: Any) -> Any:
    """Entries by name; null, in a file further down, leaves one out, or all."""
    if not isinstance(entries, dict):
        return entries or {}
    return {key: value for key, value in entries.items() if value is not None}


class Section(BaseModel):
    # infinities would be hashed and compared as numbers that they are not
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    paper: ClassVar[Paper]  # of all fields that have none of their own

    def without_defaults(self, **dumped: Any) -> dict[str, Any]:
        """Return `model_dump(**dumped)` without keys that have a default and are at it: those move no digest."""
        fields, whole = type(self).model_fields, self.model_dump(**dumped)
        return {key: value for key, value in whole.items() if fields[key].is_required() or value != fields[key].default}


class Variant(Section):
    """One of several variants of a setting. What belonged to another kind, in a file further down, can be set to null:
    { name: sgd, lr: 0.1, momentum: 0.9, betas: null } over Adam's."""

    @model_validator(mode="before")
    @classmethod
    def _forget(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        return {key: value for key, value in values.items() if value is not None or key in cls.model_fields}


def variants(union: Any) -> dict[str, type[Any]]:
    """Return the sections of a union that a key tells apart, each by what that key says: {"small": Small, ...}."""
    members, field = get_args(union)
    return {get_args(kind.model_fields[field.discriminator].annotation)[0]: kind for kind in get_args(members)}


def sections(base: type[Section]) -> Iterator[type[Section]]:
    """Yield the sections that are derived from `base`, and those from them, and so on."""
    for section in base.__subclasses__():
        yield section
        yield from sections(section)
