"""config.yaml, then the scale's file, then `--config`: merged as Snakemake merges them, and where each value stands.

For the command line; the workflow has its configuration from Snakemake itself.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from .config import FAMILIES, LIKE, Config, Place, resolve
from .documents import LOADER, mapping
from .errors import ConfigError
from .files import of_checkout, text_of

BASE = "config.yaml"
COMMAND_LINE = "--config"


@dataclass(frozen=True)
class Origin:
    """The line that a value comes from."""

    file: str
    line: int  # from 1; 0 on the command line
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


Origins = dict[tuple[str, ...], Origin]  # by the path of a value, such as ("runs", "cifar10", "r1")


def scales(root: Path) -> list[str]:
    """The names of all scales. Raises ConfigError where `root` is no checkout."""
    of_checkout(root / BASE)
    return sorted(path.stem for path in (root / "workflow/scales").glob("*.yaml"))


def scale_file(scale: Any, root: Path) -> str:
    """The file of a scale, relative to `root`. Raises ConfigError for a scale that there is not."""
    if scale not in scales(root):
        raise ConfigError(f"there is no scale {scale!r}; choose one of {', '.join(scales(root))}.")
    return f"workflow/scales/{scale}.yaml"


def base(root: Path) -> dict[str, Any]:
    """Return what config.yaml says. Raises ConfigError where that cannot be meant."""
    return mapping(BASE, of_checkout(root / BASE))


def own(scale: Any, root: Path) -> dict[str, Any]:
    """Return what the file of a scale says. Raises ConfigError where that cannot be meant, or for no scale."""
    file = scale_file(scale, root)
    found = mapping(file, text_of(root / file))
    if found.get("scale", scale) != scale:
        raise ConfigError(f"{file}: scale = {found['scale']!r}, but this is the file of scale {scale}: leave it out.")
    return found


def load(root: Path, overrides: Sequence[str] = ()) -> tuple[Config, Origins]:
    """The typed configuration in the checkout `root`, under `overrides` such as "seeds=3", and where its values stand.

    Raises ConfigError for every mistake, one sentence each.
    """
    if not (root / BASE).exists():
        raise ConfigError(f"there is no {BASE} here: run this in the folder of the checkout.")
    from snakemake.cli import parse_config
    from snakemake.utils import update_config

    try:
        last = parse_config(list(overrides))
    except ValueError as error:
        raise ConfigError(f"--config {' '.join(overrides)}: {error}.") from None
    merged: dict[str, Any] = {}
    update_config(merged, base(root))
    scale = last.get("scale", merged.get("scale"))
    for contents in (own(scale, root), last):
        update_config(merged, contents)
    texts = texts_of(scale, root)
    found = origins_of(texts, last, " ".join(overrides))
    return resolve(merged, lambda path: place(path, found)), found | inherited(merged, found)


def written(scale: str, last: dict[str, Any], root: Path) -> Place:
    """For resolve(): where the values of a merged configuration stand, `last` being what no file of ours says."""
    return lambda path: place(path, origins_of(texts_of(scale, root), last))  # read again only for a mistake


def texts_of(scale: Any, root: Path) -> dict[str, str]:
    """What the files of a configuration hold, by name."""
    file = scale_file(scale, root)
    return {BASE: of_checkout(root / BASE), file: text_of(root / file)}


def origins_of(texts: dict[str, str], last: dict[str, Any], overrides: str = "") -> Origins:
    found: Origins = {}
    for file, text in texts.items():
        overlay(found, lines(file, text))
    overlay(found, ((path, Origin(COMMAND_LINE, 0, overrides)) for path in leaves(last)))
    return found


def place(path: tuple[str, ...], origins: Origins) -> str:
    """Where a value stands, or a section begins; of what is not there, its section. Names of files if in several."""
    for n in range(len(path), -1, -1):
        if found := [origin for known, origin in origins.items() if known[:n] == path[:n]]:
            files = dict.fromkeys(origin.file for origin in found)
            return str(min(found, key=lambda origin: origin.line)) if len(files) == 1 else " and ".join(files)
    return BASE


def inherited(merged: dict[str, Any], origins: Origins) -> Origins:
    """Where the values stand that an entry takes from the one it is `like`; resolve() has seen that it exists."""
    found: Origins = {}
    for family in FAMILIES:
        for name, entry in merged.get(family, {}).items():
            while LIKE in entry:
                base = entry[LIKE]
                for path, origin in origins.items():
                    own = (family, name, *path[2:])
                    if path[:2] == (family, base) and not any(own[:n] in origins for n in range(3, len(own) + 1)):
                        found.setdefault(own, origin)  # the nearest one's
                entry = merged[family][base]
    return found


def overlay(origins: Origins, new: Iterator[tuple[tuple[str, ...], Origin]]) -> None:
    """Let each new value take the place of the old one, and of all that stood below or above it."""
    for path, origin in new:
        for old in [old for old in origins if old[: len(path)] == path or old == path[: len(old)]]:
            del origins[old]
        origins[path] = origin


def leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if not isinstance(value, dict):
        yield path
        return
    for key, below in value.items():
        yield from leaves(below, (*path, str(key)))


def lines(file: str, text: str) -> Iterator[tuple[tuple[str, ...], Origin]]:
    """Path and line of every value of a YAML file, merge keys (<<) included; a list counts as one value."""
    loader = LOADER(text)
    rows = text.splitlines()

    def walk(node: yaml.Node, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Origin]]:
        if not isinstance(node, yaml.MappingNode):
            number = node.start_mark.line
            yield path, Origin(file, number + 1, rows[number].strip())
            return
        loader.flatten_mapping(node)
        for key, value in node.value:
            yield from walk(value, (*path, key.value))

    root = loader.get_single_node()
    return walk(root, ()) if root is not None else iter(())
