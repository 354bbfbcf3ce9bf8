"""Show the composed configuration: each value, the line it comes from, and the value of the paper scale."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ..config.base import whole
from ..config.load import configured, load
from ..config.origins import Origins, leaves
from ..config.schema import Config
from ..utils.errors import ConfigError
from ..utils.meant import did_you_mean
from .explain import above, paper

DEFAULT = "default"
NOTHING = "-"  # shown if the paper scale has no such key
WIDTH = 44  # columns before the comment


def composed(root: Path, overrides: Sequence[str], keys: Sequence[str] = (), different: bool = False) -> dict[str, Any]:
    """Return, as JSON, the values of a configuration below `keys`, such as "runs.cifar10"; by default all of them.

    Raises ConfigError for a mistake in the configuration, and for an unknown key.
    """
    config, origins = load(root, overrides)
    theirs = values_of(configured(root, ["scale=paper"]))
    ours = values_of(config)
    for key in keys:
        require_key(key, ours)
    return {
        "scale": config.scale,
        "values": [
            row
            for path, value in ours.items()
            if not keys or any(is_below(path, key) for key in keys)
            if (row := row_of(path, value, theirs, origins, config))["differs"] or not different
        ],
    }


def values_of(config: Config) -> dict[tuple[str, ...], Any]:
    """Return the values of a configuration by path."""
    return dict(leaves(whole(config)))


def row_of(
    path: tuple[str, ...], value: Any, theirs: dict[tuple[str, ...], Any], origins: Origins, config: Config
) -> dict[str, Any]:
    """Return a value with its key, its origin, the paper scale's value and its source."""
    origin = origins.get(path) or above(path, origins)
    return {
        "key": ".".join(path),
        "value": value,
        "origin": str(origin) if origin else DEFAULT,
        "paper": theirs.get(path, NOTHING),
        "differs": theirs.get(path, NOTHING) != value,
        "source": paper(config, path),
        "path": list(path),
    }


def is_below(path: tuple[str, ...], key: str) -> bool:
    return f"{'.'.join(path)}.".startswith(f"{key}.")


def require_key(key: str, values: dict[tuple[str, ...], Any]) -> None:
    """Raise ConfigError unless a configuration has a value at this key or below it."""
    if not any(is_below(path, key) for path in values):
        known = {".".join(path[:n]) for path in values for n in range(1, len(path) + 1)}
        raise ConfigError(f"the configuration has no {key!r}; {did_you_mean(key, known, 'atebm config')}")


# --- for people -------------------------------------------------------------------------------------------------------


def describe_composed(found: dict[str, Any]) -> Iterator[str]:
    """Yield the configuration as YAML with comments: the origin of each value, and the paper's if it differs."""
    yield f"# {found['scale']} scale: each value, the line that it comes from, and the paper's value if it differs"
    shown: tuple[str, ...] = ()
    for row in found["values"]:
        path = tuple(row["path"])
        common = next((n for n, (a, b) in enumerate(zip(shown, path, strict=False)) if a != b), 0)
        for depth in range(common, len(path) - 1):
            yield f"{'  ' * depth}{yaml_of(path[depth])}:"
        line = f"{'  ' * (len(path) - 1)}{yaml_of(path[-1])}: {yaml_of(row['value'])}"
        beside = f"; paper: {yaml_of(row['paper'])}" if row["differs"] else ""
        yield f"{line:{WIDTH}}  # {row['origin']}{beside}"
        shown = path
    changed = sum(row["differs"] for row in found["values"])
    yield f"# {len(found['values']):,} values, {changed:,} of which differ from the paper's"


def yaml_of(value: Any) -> str:
    """Return a key or a value on one line, in quotes only if YAML would otherwise read something else."""
    if isinstance(value, list):
        return f"[{', '.join(map(yaml_of, value))}]"
    if isinstance(value, str) and is_plain(value):
        return value
    text = json.dumps(value, ensure_ascii=False)
    return text if isinstance(value, str) or "." in text else text.replace("e-", ".0e-")  # YAML reads 1e-06 as text


def is_plain(text: str) -> bool:
    """Return whether YAML reads a text as itself, without quotes."""
    import yaml

    try:
        return bool(text) and yaml.safe_load(f"[{text}]") == [text]
    except yaml.YAMLError:  # "*.parquet" begins an alias
        return False
