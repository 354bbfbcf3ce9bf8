"""Entries that inherit from another entry of their section, by the key `like`."""

from collections.abc import Callable
from typing import Any

from ..utils.errors import ConfigError
from ..utils.meant import suggestion
from .base import as_yaml

LIKE = "like"  # the key that names another entry of the section; an entry's other keys override the keys of that entry


# The sections whose entries can have `like`.
FAMILIES = (
    "sets",
    "tasks",
    "pretrainings",
    "runs",
    "gans",
    "samplers",
    "ascents",
    "extractors",
    "detection",
)
TAGS = ("name", "reader", "kind")  # keys that distinguish the variants of a setting


# Returns where the value at a path of keys is written, "config.yaml:12". Used only for mistakes: it reads files again.
Place = Callable[[tuple[str, ...]], str]


def expanded(config: dict[str, Any], place: Place) -> dict[str, Any]:
    """Return `config` with every `like` replaced by the keys it stands for. Raises ConfigError if one is wrong.

    Scales and `--config` are merged first, so that an entry also inherits what a scale changes in its base.
    """
    families = {name: config[name] for name in FAMILIES if isinstance(config.get(name), dict)}
    return config | {
        family: {name: _written_out(family, entries, name, place) for name in entries}
        for family, entries in families.items()
    }


def _written_out(family: str, entries: dict[str, Any], name: str, place: Place, derived: tuple[str, ...] = ()) -> Any:
    entry = entries[name]
    if not isinstance(entry, dict) or LIKE not in entry:
        return entry
    base, path = entry[LIKE], (family, str(name), LIKE)
    if not isinstance(base, str):
        raise ConfigError(f"{place(path)}: {'.'.join(path)} = {as_yaml(base)}: write the name of an entry of {family}.")
    if base in (name, *derived):
        said = f"{'.'.join(path)} = {base!r} leads back to {name}: name another entry."
        raise ConfigError(f"{place(path)}: {said}")
    if base not in entries:
        said = f"{'.'.join(path)} names {base!r}, which is not in {family}. {suggestion(base, entries)}"
        raise ConfigError(f"{place(path)}: {said}")
    own = {key: value for key, value in entry.items() if key != LIKE}
    theirs = _written_out(family, entries, base, place, (name, *derived))
    if not isinstance(theirs, dict):
        said = f"{family}.{base} = {as_yaml(theirs)}, but {name} is like it: write keys and their values."
        raise ConfigError(f"{place((family, base))}: {said}")
    # `weights` is not inherited: the released weights of an entry are not those of its variants
    return _over({key: value for key, value in theirs.items() if key != "weights"}, own)


def _over(base: Any, own: Any) -> Any:
    """Return `base` overridden by `own`, key by key, or only `own` if it is another variant, such as an optimiser."""
    if not isinstance(base, dict) or not isinstance(own, dict):
        return own
    if any(own.get(tag, base.get(tag)) != base.get(tag) for tag in TAGS):
        return own
    return base | {key: _over(base.get(key), value) for key, value in own.items()}
