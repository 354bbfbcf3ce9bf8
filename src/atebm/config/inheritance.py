"""Entries that are like others of their section."""

from collections.abc import Callable
from typing import Any

from ..utils.errors import ConfigError
from ..utils.meant import suggestion
from .base import as_yaml

LIKE = "like"  # an entry's key that names another of its section, which it differs from by its own keys alone


# The sections whose entries have it.
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
TAGS = ("name", "reader", "kind")  # keys that tell variants of a setting from each other


# Where the value at a path of keys is written, "config.yaml:12". Asked of mistakes alone: it parses the files again.
Place = Callable[[tuple[str, ...]], str]


def expanded(config: dict[str, Any], place: Place) -> dict[str, Any]:
    """Return `config` with every entry that is like another written out. Raises ConfigError for what cannot be.

    Scales and `--config` are merged before, so that an entry follows whatever the one it is like becomes at a scale.
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
        raise ConfigError(
            f"{place(path)}: {'.'.join(path)} = {as_yaml(base)}: the name of an entry of {family} is wanted."
        )
    if base in (name, *derived):
        said = f"{'.'.join(path)} = {base!r}, which is like {name} itself: name an entry that is not."
        raise ConfigError(f"{place(path)}: {said}")
    if base not in entries:
        said = f"{'.'.join(path)} names {base!r}, which {family} does not have. {suggestion(base, entries)}"
        raise ConfigError(f"{place(path)}: {said}")
    own = {key: value for key, value in entry.items() if key != LIKE}
    theirs = _written_out(family, entries, base, place, (name, *derived))
    if not isinstance(theirs, dict):
        said = f"{family}.{base} = {as_yaml(theirs)}, but {name} is like it: keys and their values are wanted."
        raise ConfigError(f"{place((family, base))}: {said}")
    return _over({key: value for key, value in theirs.items() if key != "weights"}, own)  # of a variant, none exist


def _over(base: Any, own: Any) -> Any:
    """Return `own` on top of `base`, key by key, unless it is another variant: another optimiser, another reader."""
    if not isinstance(base, dict) or not isinstance(own, dict):
        return own
    if any(own.get(tag, base.get(tag)) != base.get(tag) for tag in TAGS):
        return own
    return base | {key: _over(base.get(key), value) for key, value in own.items()}
