"""Entries that are like others of their section."""

from collections.abc import Callable
from difflib import get_close_matches
from typing import Any

from ..utils.errors import ConfigError

LIKE = "like"  # an entry's key that names another of its section, which it differs from by its own keys alone


FAMILIES = ("sets", "tasks", "runs", "samplers", "ascents", "detection")  # the sections that have it


# Where the value at a path of keys is written, "config.yaml:12". Asked of mistakes alone: it parses the files again.
Place = Callable[[tuple[str, ...]], str]


def expanded(config: dict[str, Any], place: Place) -> dict[str, Any]:
    """`config` with every entry that is like another written out. Raises ConfigError for what cannot be.

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
    base, path = str(entry[LIKE]), (family, name, LIKE)
    if base in (name, *derived):
        raise ConfigError(f"{place(path)}: {'.'.join(path)} = {base!r}, which is like {name} itself.")
    if base not in entries:
        hint = get_close_matches(base, entries, 1) or sorted(entries)
        said = f"{'.'.join(path)} names {base!r}, which {family} does not have. Did you mean {hint[0]}?"
        raise ConfigError(f"{place(path)}: {said}")
    own = {key: value for key, value in entry.items() if key != LIKE}
    theirs = _written_out(family, entries, base, place, (name, *derived))
    if isinstance(theirs, dict):  # nobody released weights of a variant
        theirs = {key: value for key, value in theirs.items() if key != "weights"}
    return _over(theirs, own)


def _over(base: Any, own: Any) -> Any:
    """`own` on top of `base`, key by key, unless it is of another kind: another optimiser, another augmentation."""
    if not isinstance(base, dict) or not isinstance(own, dict) or own.get("name", base.get("name")) != base.get("name"):
        return own
    return base | {key: _over(base.get(key), value) for key, value in own.items()}
