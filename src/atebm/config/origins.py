"""The origins of a configuration's values: the file and line of each."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from ..utils.documents import LOADER
from .inheritance import FAMILIES, LIKE

BASE = "config.yaml"
COMMAND_LINE = "--config"


@dataclass(frozen=True)
class Origin:
    """The line on which a value is written."""

    file: str
    line: int  # counted from 1; 0 for the command line
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


Origins = dict[tuple[str, ...], Origin]  # by the path of a value, such as ("runs", "cifar10", "r1")


def origins_of(texts: dict[str, str], last: dict[str, Any], overrides: str = "") -> Origins:
    found: Origins = {}
    for file, text in texts.items():
        overlay(found, lines_of_values(file, text))
    overlay(found, ((path, Origin(COMMAND_LINE, 0, overrides)) for path, _ in leaves(last)))
    return found


def place(path: tuple[str, ...], origins: Origins) -> str:
    """Return where a value is written, or where its section begins in each file that has a part: "config.yaml:12"."""
    for n in range(len(path), -1, -1):
        first: dict[str, Origin] = {}
        for known, origin in origins.items():
            if known[:n] == path[:n] and origin.line <= first.setdefault(origin.file, origin).line:
                first[origin.file] = origin
        if first:
            return " and ".join(map(str, first.values()))
    return BASE


def inherited(merged: dict[str, Any], origins: Origins) -> Origins:
    """Return the origins of the values that entries inherit from the entries they are `like`.

    These entries must exist, which resolve() checks.
    """
    found: Origins = {}
    for family in FAMILIES:
        for name, entry in merged.get(family, {}).items():
            while LIKE in entry:
                base = entry[LIKE]
                for path, origin in origins.items():
                    own = (family, name, *path[2:])
                    if path[:2] == (family, base) and not any(own[:n] in origins for n in range(3, len(own) + 1)):
                        found.setdefault(own, origin)  # the nearest entry's origin wins
                entry = merged[family][base]
    return found


def overlay(origins: Origins, new: Iterator[tuple[tuple[str, ...], Origin]]) -> None:
    """Let each new value replace the old one, and all old values above or below it."""
    for path, origin in new:
        for old in [old for old in origins if old[: len(path)] == path or old == path[: len(old)]]:
            del origins[old]
        origins[path] = origin


def leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield path and value of each leaf of nested mappings."""
    if not isinstance(value, dict):
        yield path, value
        return
    for key, below in value.items():
        yield from leaves(below, (*path, str(key)))


def lines_of_values(file: str, text: str) -> Iterator[tuple[tuple[str, ...], Origin]]:
    """Yield the path and origin of each value in a YAML file; a list counts as one value."""
    loader = LOADER(text)
    rows = text.splitlines()

    def walk(node: yaml.Node, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Origin]]:
        if not isinstance(node, yaml.MappingNode):
            number = node.start_mark.line
            yield path, Origin(file, number + 1, rows[number].strip())
            return
        for key, value in node.value:
            yield from walk(value, (*path, key.value))

    root = loader.get_single_node()
    return walk(root, ()) if root is not None else iter(())
