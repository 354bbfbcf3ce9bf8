"""Mistakes in a configuration as sentences."""

from difflib import get_close_matches
from itertools import zip_longest
from typing import Any, get_args

from pydantic import ValidationError

from ..utils.errors import ConfigError
from .base import NAMES, QUOTES, Section, sections
from .inheritance import FAMILIES, LIKE, Place, expanded
from .references import Checked
from .schema import Config


def resolve(config: dict[str, Any], place: Place = lambda path: "config.yaml") -> Config:
    """The typed configuration of Snakemake's merged `config` dictionary.

    Raises ConfigError with one sentence per mistake, which says its `place`; unknown keys get a did-you-mean.
    """
    try:
        return Checked.model_validate(expanded(config, place))
    except ValidationError as error:
        mistakes = [mistake for mistake in error.errors() if not _is_inherited(mistake, error.errors(), config)]
        raise ConfigError("\n".join(_sentence(mistake, config, place) for mistake in mistakes)) from None


def _is_inherited(mistake: Any, mistakes: list[Any], config: dict[str, Any]) -> bool:
    """Whether an entry has a mistake from the one that it is like, of which it is told already."""
    family, name, *rest = (*mistake["loc"], "", "")[: max(2, len(mistake["loc"]))]
    entries = config.get(family) if family in FAMILIES else None
    entry = entries.get(name) if isinstance(entries, dict) else None
    if not isinstance(entry, dict) or LIKE not in entry:
        return False
    base = (family, entry[LIKE], *rest)
    return any(other["loc"] == base and other["type"] == mistake["type"] for other in mistakes)


def _path(loc: tuple[int | str, ...], config: Any) -> tuple[str, ...]:
    """The user's own keys that lead to a mistake: pydantic puts the tag of a union (such as "small") among them."""
    kept: list[str] = []
    here = config
    for depth, (part, following) in enumerate(zip_longest(loc, loc[1:])):
        under = here.get(part) if isinstance(here, dict) else None
        leads_on = isinstance(here, dict) and part in here and (following is None or _has(under, following))
        if depth < 2 or leads_on or part not in _TAGS:  # section and entry may have the name of a tag
            kept.append(str(part))
            here = here[part] if isinstance(here, list) and isinstance(part, int) else under
    return tuple(kept)


def _has(value: Any, key: int | str) -> bool:
    return (isinstance(value, list) and isinstance(key, int)) or (isinstance(value, dict) and key in value)


def _sentence(mistake: Any, config: dict[str, Any], place: Place) -> str:
    if mistake["type"] == "invalid_key":  # at the top
        return f"config.yaml has a key {mistake['loc'][0]}, which YAML reads as a value: {QUOTES}."
    if mistake["loc"][-1:] == ("[key]",):
        section, name = str(mistake["loc"][0]), mistake["input"]
        why = NAMES if isinstance(name, str) else f"YAML reads it as a value: {QUOTES}"
        return f"{place((section, str(name)))}: {section} has an entry {name!r}: {why}."
    path = _path(mistake["loc"], config)
    message, key = mistake["msg"].removeprefix("Value error, "), ".".join(path)
    if mistake["type"] == "value_error":  # one of the checks above; those of several sections begin with a key
        said = f"{key + ': ' if key else ''}{message.rstrip('?.')}{'?' if message[-1] == '?' else '.'}"
        path = path or tuple(message.split()[0].rstrip(":").split("."))
    elif mistake["type"] == "extra_forbidden":
        hint = get_close_matches(path[-1], _known_keys(), 1)
        said = f"unknown key {key}." + (f" Did you mean {hint[0]}?" if hint else "")
    elif mistake["type"] == "missing":
        said = f"{key} is missing."
    else:
        said = f"{key} = {mistake['input']!r}: {message[0].lower()}{message[1:]}."
    return f"{place(path)}: {said}"


def _known_keys() -> set[str]:
    return {name for section in sections(Section) for name in section.model_fields} | {LIKE}


# What tells the variants of a setting, or the readers of a set, from each other.
_TAGS = {
    tag
    for section in sections(Section)
    for key in ("name", "reader", "kind")
    if key in section.model_fields
    for tag in get_args(section.model_fields[key].annotation)
}
