"""Mistakes in a configuration as sentences: where, which key, what is wrong with it, and what to write instead."""

from difflib import get_close_matches
from typing import Any, get_args

from pydantic import ValidationError

from ..utils.errors import ConfigError
from .base import Section, Variant, as_yaml
from .consistency import Checked
from .inheritance import FAMILIES, LIKE, TAGS, Place, expanded
from .schema import Config

NAMES = "names have letters, digits, _ and ., at most 64, and do not begin with a dot"
QUOTES = "YAML reads it as a value: put it in quotes if it is a name"
BOUNDS = {
    "greater_than": "a number greater than {gt:g} is wanted",
    "greater_than_equal": "a number of at least {ge:g} is wanted",
    "less_than": "a number less than {lt:g} is wanted",
    "less_than_equal": "a number of at most {le:g} is wanted",
    "too_short": "more values are wanted, not {actual_length}",
    "too_long": "fewer values are wanted, {max_length} and not {actual_length}",
    "string_too_short": "some text is wanted",
}
PATTERNS = {  # the beginning of a pattern, and what it asks for
    "^(trained": "trained, released, or a sha256 of 64 digits 0-9 and a-f is wanted",
    "^[0-9a-f]{64}": "a sha256 of 64 digits 0-9 and a-f is wanted",
    "^results": "results, or results/scales/NAME with a NAME of letters, digits, _, . and -, is wanted",
}
KINDS = {  # the beginning of pydantic's name of an error
    "int": "a whole number is wanted",
    "float": "a number is wanted",
    "finite_number": "a finite number is wanted",
    "string": "text is wanted: put it in quotes",
    "bool": "true or false is wanted",
    "tuple": "a list is wanted, such as [a, b]",
    "dict": "keys and their values are wanted, such as { key: value }",
    "model": "keys and their values are wanted, such as { key: value }",
}


def resolve(config: dict[str, Any], place: Place = lambda path: "config.yaml") -> Config:
    """Return the typed configuration of Snakemake's merged `config` dictionary.

    Raises ConfigError with one sentence for each mistake, which says its `place`; unknown keys get a did-you-mean.
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
    """Return the path of what gives an entry a value: its own, or that of an entry that it is like."""
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
    """Return whether an entry has a mistake from the entry that it is like, which has a sentence already."""
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
    """Return a sentence for each key with a mistake; of a key that takes several kinds of value, what each asks for."""
    wanted: dict[tuple[tuple[str, ...], str], list[str]] = {}
    missing: dict[tuple[str, ...], list[str]] = {}
    for mistake in mistakes:
        path, said, what = _parts(mistake, config)
        if what is None:
            missing.setdefault(path[:-1], []).append(path[-1])
        else:
            wanted.setdefault((path, said), []).append(what)
    sentences = [f"{place(path)}: {said}{_ended(' or '.join(whats))}" for (path, said), whats in wanted.items()]
    for path, keys in missing.items():
        verb = "is missing: write it" if len(keys) == 1 else "are missing: write them"
        first = place((*path, keys[0]))
        sentences.append(f"{first}: {'.'.join((*path, keys[0]))}{''.join(f', {key}' for key in keys[1:])} {verb}.")
    return sentences


def _parts(mistake: Any, config: dict[str, Any]) -> tuple[tuple[str, ...], str, str | None]:
    """Return where a mistake is, the beginning of its sentence, and its end; None of a key that is missing."""
    kind, context = mistake["type"], mistake.get("ctx", {})
    named = mistake["loc"][-1:] == ("[key]",)  # whether it is the name of an entry
    path = _path(mistake["loc"][:-1] if named else mistake["loc"], config)
    key = ".".join(path)
    if kind == "mistake":
        path = (*path, *context["path"])
        return path, ".".join(path), context["said"]
    if kind == "invalid_key":  # at the top
        return path, f"the key {path[-1]}: ", QUOTES
    if named:
        name = mistake["input"]
        said = f"{'.'.join(path[:-1])} has an entry {as_yaml(name)}: "
        return path, said, NAMES if isinstance(name, str) else QUOTES
    if kind == "extra_forbidden":
        return path, f"unknown key {key}. ", _unknown(path, mistake["loc"])
    if kind == "missing" and mistake["loc"] and isinstance(mistake["loc"][-1], int):
        return path, f"{key} = {as_yaml(mistake['input'])}: ", "more values are wanted"
    if kind == "missing":
        return path, "", None
    if kind in ("union_tag_not_found", "union_tag_invalid"):
        return _of_variant(path, mistake)
    return path, f"{key} = {as_yaml(mistake['input'])}: ", _wanted(mistake)


def _wanted(mistake: Any) -> str:
    """Return what is wanted in place of a value that is of another type, or out of bounds."""
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
        return f"{text}; --config has no null: write it in a scale file"
    return text


def _of_variant(path: tuple[str, ...], mistake: Any) -> tuple[tuple[str, ...], str, str | None]:
    """Return the parts of a sentence on a setting whose name, reader or kind is not given, or unknown."""
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
    """Return the keys that lead to a mistake, without what pydantic adds: tags of unions, and numbers of items."""
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
    """Return the sections, several where a tag is not given, that may stand where pydantic found a mistake."""
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
    """Return what to do about a key that a section does not have."""
    kinds = _sections_at(loc[:-1])
    known = {name for kind in kinds for name in kind.model_fields} | ({LIKE} if path[0] in FAMILIES else set())
    if hint := get_close_matches(path[-1], known, 1):
        return f"Did you mean {hint[0]}?"
    if any(issubclass(kind, Variant) for kind in kinds):
        return "Leave it out, or set it to null where it comes from another file."
    return "Leave it out."
