"""Mistakes in a configuration as sentences: where it is, which key, what is wrong, and what to write instead."""

from difflib import get_close_matches
from typing import Any, get_args

from pydantic import ValidationError

from ..utils.errors import ConfigError
from .base import Section, Variant, as_yaml
from .consistency import Checked
from .inheritance import FAMILIES, LIKE, TAGS, Place, expanded
from .schema import Config

NAMES = "names have at most 64 letters, digits, _ and ., and do not begin with a dot"
QUOTES = "YAML reads it as a value: put it in quotes if it is a name"
BOUNDS = {
    "greater_than": "write a number greater than {gt:g}",
    "greater_than_equal": "write a number of at least {ge:g}",
    "less_than": "write a number less than {lt:g}",
    "less_than_equal": "write a number of at most {le:g}",
    "too_short": "write more values, at least {min_length}",
    "too_long": "write fewer values, at most {max_length}",
    "string_too_short": "write some text",
}
PATTERNS = {  # the beginning of a pattern, and what to write
    "^(trained": "write trained, released, or a sha256 of 64 digits 0-9 and a-f",
    "^[0-9a-f]{64}": "write a sha256 of 64 digits 0-9 and a-f",
    "^results": "write results, or results/scales/NAME with a NAME of letters, digits, _, . and -",
}
KINDS = {  # the beginning of pydantic's name for an error
    "int": "write a whole number",
    "float": "write a number",
    "finite_number": "write a finite number",
    "string": "write text: put it in quotes",
    "bool": "write true or false",
    "tuple": "write a list, such as [a, b]",
    "dict": "write keys and their values, such as { key: value }",
    "model": "write keys and their values, such as { key: value }",
}


def resolve(config: dict[str, Any], place: Place = lambda path: "config.yaml") -> Config:
    """Return the typed configuration for Snakemake's merged `config` dictionary.

    Raises ConfigError with one sentence for each mistake, which names its `place`; for an unknown key, it suggests one.
    """
    whole = expanded(config, place)
    try:
        return Checked.model_validate(whole)
    except ValidationError as error:
        found = error.errors()
        mistakes = [one for one in found if not (_is_inherited(one, found, config) or _is_followed(one, found))]
        raise ConfigError(
            "\n".join(_sentences(mistakes, whole, lambda path: place(_written_at(path, config))))
        ) from None


def _written_at(path: tuple[str, ...], config: dict[str, Any]) -> tuple[str, ...]:
    """Return the path at which a value of an entry is written: in the entry itself, or in one that it is like."""
    family, name, *rest = (*path, "", "")[: max(2, len(path))]
    entries = config.get(family) if family in FAMILIES else None
    while isinstance(entries, dict) and isinstance(entry := entries.get(name), dict):
        at: Any = entry
        for key in rest:
            at = at.get(key, LIKE) if isinstance(at, dict) else LIKE
        if rest and at != LIKE:
            return (family, name, *rest)
        if LIKE not in entry:
            break
        name = entry[LIKE]
    return path


def _is_inherited(mistake: Any, mistakes: list[Any], config: dict[str, Any]) -> bool:
    """Return whether a mistake is inherited from the entry that this one is like, where it is reported already."""
    family, name, *rest = (*mistake["loc"], "", "")[: max(2, len(mistake["loc"]))]
    entries = config.get(family) if family in FAMILIES else None
    entry = entries.get(name) if isinstance(entries, dict) else None
    if not isinstance(entry, dict) or LIKE not in entry:
        return False
    base = (family, entry[LIKE], *rest)
    return any(other["loc"] == base and other["type"] == mistake["type"] for other in mistakes)


def _is_followed(mistake: Any, mistakes: list[Any]) -> bool:
    """Return whether a list is too short only because of the mistakes in its items."""
    loc = mistake["loc"]
    return mistake["type"] == "too_short" and any(other["loc"][:-1] == loc for other in mistakes if other["loc"] != loc)


def _sentences(mistakes: list[Any], config: dict[str, Any], place: Place) -> list[str]:
    """Return a sentence for each key with a mistake; for a key of several types, it says what to write for each."""
    remedies: dict[tuple[tuple[str, ...], str], list[str]] = {}
    missing: dict[tuple[str, ...], list[str]] = {}
    for mistake in mistakes:
        path, said, what = _parts(mistake, config)
        if what is None:
            missing.setdefault(path[:-1], []).append(path[-1])
        else:
            remedies.setdefault((path, said), []).append(what)
    sentences = [f"{place(path)}: {said}{_ended(' or '.join(whats))}" for (path, said), whats in remedies.items()]
    for path, keys in missing.items():
        verb = "is missing: write it" if len(keys) == 1 else "are missing: write them"
        first = place((*path, keys[0]))
        sentences.append(f"{first}: {'.'.join((*path, keys[0]))}{''.join(f', {key}' for key in keys[1:])} {verb}.")
    return sentences


def _parts(mistake: Any, config: dict[str, Any]) -> tuple[tuple[str, ...], str, str | None]:
    """Return the path of a mistake, the beginning of its sentence, and its end, which is None for a missing key."""
    kind, context = mistake["type"], mistake.get("ctx", {})
    named = mistake["loc"][-1:] == ("[key]",)  # whether the mistake is in the name of an entry
    path = _path(mistake["loc"][:-1] if named else mistake["loc"], config)
    key = ".".join(path)
    if kind == "mistake":
        path = (*path, *context["path"])
        return path, ".".join(path), context["said"]
    if kind == "invalid_key":  # at the top level
        return path, f"the key {path[-1]}: ", QUOTES
    if named:
        name = mistake["input"]
        said = f"{'.'.join(path[:-1])} has an entry {as_yaml(name)}: "
        return path, said, NAMES if isinstance(name, str) else QUOTES
    if kind == "extra_forbidden":
        return path, f"unknown key {key}. ", _unknown(path, mistake["loc"])
    if kind == "missing" and mistake["loc"] and isinstance(mistake["loc"][-1], int):
        return path, f"{key} = {as_yaml(mistake['input'])}: ", "write more values"
    if kind == "missing":
        return path, "", None
    if kind in ("union_tag_not_found", "union_tag_invalid"):
        return _of_variant(path, mistake)
    return path, f"{key} = {as_yaml(mistake['input'])}: ", _remedy(mistake)


def _remedy(mistake: Any) -> str:
    """Return what to write instead of a value of a wrong type, or out of bounds."""
    kind, context, value = mistake["type"], mistake.get("ctx", {}), mistake["input"]
    if kind in ("literal_error", "enum"):
        return f"choose {context['expected']}"
    if kind in BOUNDS:
        return BOUNDS[kind].format(**context)
    if kind == "string_pattern_mismatch":
        return next((words for start, words in PATTERNS.items() if context["pattern"].startswith(start)), NAMES)
    text = next((words for start, words in KINDS.items() if kind.startswith(start)), mistake["msg"])
    if value is None:
        text = text.removesuffix(": put it in quotes")
    if isinstance(value, str) and value.lower() in ("null", "~"):
        return f"{text}; --config cannot set null: set it in a scale file"
    return text


def _of_variant(path: tuple[str, ...], mistake: Any) -> tuple[tuple[str, ...], str, str | None]:
    """Return the parts of a sentence about a setting whose name, reader or kind is missing or unknown."""
    context = mistake["ctx"]
    tag = context["discriminator"].strip("'")
    if mistake["type"] == "union_tag_not_found":
        return (*path, tag), "", None
    known = [name.strip("'") for name in context["expected_tags"].split(", ")]
    hint = get_close_matches(str(context["tag"]), known, 1)
    choice = f"Did you mean {hint[0]}?" if hint else f"Choose one of {', '.join(known)}."
    return (*path, tag), f"{'.'.join(path)}.{tag} = {as_yaml(context['tag'])} is unknown. ", choice


def _ended(said: str) -> str:
    return said if said.endswith(("?", ".")) else f"{said}."


def _path(loc: tuple[int | str, ...], config: Any) -> tuple[str, ...]:
    """Return the keys that lead to a mistake, without the tags of unions and item numbers that pydantic adds."""
    kept: list[str] = []
    here, tagged = config, False
    for part in loc:
        if isinstance(here, dict) and not tagged and any(here.get(key) == part for key in TAGS):
            tagged = True
        elif isinstance(here, dict):
            kept.append(str(part))
            here, tagged = here.get(part), False
        else:  # an item of a list, or a type of a union
            break
    return tuple(kept)


def _sections_at(loc: tuple[int | str, ...]) -> list[type[Section]]:
    """Return the sections that may be meant where pydantic found a mistake; several if a tag is missing."""
    kinds: list[type[Section]] = [Config]
    for part in loc:
        fields = [kind.model_fields[part].annotation for kind in kinds if part in kind.model_fields]
        tagged = [kind for kind in kinds if any(part in _values(kind, tag) for tag in TAGS)]
        kinds = [section for field in fields for section in _sections_in(field)] or tagged or kinds
    return kinds


def _sections_in(annotation: Any) -> list[type[Section]]:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return [annotation]
    return [section for part in get_args(annotation) for section in _sections_in(part)]


def _values(section: type[Section], name: str) -> tuple[Any, ...]:
    field = section.model_fields.get(name)
    return get_args(field.annotation) if field is not None else ()


def _unknown(path: tuple[str, ...], loc: tuple[int | str, ...]) -> str:
    """Return what to do about an unknown key."""
    kinds = _sections_at(loc[:-1])
    known = {name for kind in kinds for name in kind.model_fields} | ({LIKE} if path[0] in FAMILIES else set())
    if hint := get_close_matches(path[-1], known, 1):
        return f"Did you mean {hint[0]}?"
    if any(issubclass(kind, Variant) for kind in kinds):
        return "Leave it out, or set it to null if it comes from another file."
    return "Leave it out."
