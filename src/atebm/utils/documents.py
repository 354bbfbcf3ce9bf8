"""YAML files that people write: what YAML would take without a word is refused, with the file and its lines."""

import re
from typing import Any

import yaml

from .errors import ConfigError, UserError

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast; PyYAML can be built without it
NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
DECIMAL = r"[-+]?(0|[1-9]\d*|\d*\.\d*)(e[-+]?\d+)?|[-+]?\.inf|\.nan"
MERGE = "tag:yaml.org,2002:merge"  # of the key <<


def mapping(file: str, text: str, error: type[UserError] = ConfigError, loader_of: Any = LOADER) -> dict[str, Any]:
    """Return the keys and values of a YAML text, which messages call `file`.

    Raises `error` for what is no YAML, with its line; for an entry that has a key twice, with both lines; and where
    there are no keys and values at all, as in an empty file.
    """
    try:
        loader = loader_of(text)
    except yaml.YAMLError as mistake:  # letters that no YAML has
        raise error(f"{file}{line_of(mistake)}: not YAML: {reason(mistake)}: correct it.") from None
    try:
        node = loader.get_single_node()
        refuse_pitfalls(loader, node, file, error, set(), set())
        found = loader.construct_document(node) if node is not None else None
    except yaml.YAMLError as mistake:
        raise error(f"{file}{line_of(mistake)}: not YAML: {reason(mistake)}: correct it.") from None
    except (ValueError, OverflowError, RecursionError) as mistake:  # such as a date in month 13
        raise error(f"{file}: not YAML: {mistake}: correct it.") from None
    finally:
        loader.dispose()
    if not isinstance(found, dict):
        what = "empty" if found is None else "a list" if isinstance(found, list) else "a value alone"
        raise error(f"{file} is {what}, where keys and their values are wanted, such as `seeds: 3`.")
    return found


def refuse_pitfalls(
    loader: Any, node: yaml.Node | None, file: str, error: type[UserError], open: set[int], done: set[int]
) -> None:
    """Raise `error` where a key stands twice in one place of a document: YAML would drop the first without a word.

    Also where an entry is part of itself by an alias: nothing could be merged with that; where << merges an entry into
    another one, since `like` is for that; and where a number is none that people write, such as 1:30, which is 90 for
    YAML. `open` are the ids of nodes that this one is part of, `done` those of nodes that were looked at.
    """
    if not isinstance(node, yaml.CollectionNode) or id(node) in done:
        return
    if id(node) in open:
        raise error(f"{file}:{node.start_mark.line + 1}: an entry is part of itself by an alias (*): write it out.")
    lines: dict[Any, int] = {}
    for item in node.value:
        key, value = item if isinstance(node, yaml.MappingNode) else (None, item)
        refuse_odd_number(loader, key, value, file, error)
        refuse_pitfalls(loader, value, file, error, open | {id(node)}, done)
        if not isinstance(key, yaml.ScalarNode):
            continue
        line = key.start_mark.line + 1
        if key.tag == MERGE:
            raise error(
                f"{file}:{line}: << takes keys from another entry: write `like: NAME`, with the name of that entry in "
                "the same section, or write the keys out."
            )
        name = loader.construct_object(key)
        if name in lines:
            raise error(
                f"{file}:{line}: the key {key.value} stands in line {lines[name]} already, and YAML would keep the "
                "last one alone: leave one of them."
            )
        lines[name] = line
    done.add(id(node))


def refuse_odd_number(loader: Any, key: yaml.Node | None, node: yaml.Node, file: str, error: type[UserError]) -> None:
    """Raise `error` where YAML reads as a number what people do not write as one: 1:30, 010, 0x1f or 1_000."""
    if node.tag in NUMBERS and not re.fullmatch(DECIMAL, node.value, re.IGNORECASE):
        name = f"{key.value} = " if isinstance(key, yaml.ScalarNode) else ""
        raise error(
            f"{file}:{node.start_mark.line + 1}: {name}{node.value} is {loader.construct_object(node)} for YAML: write "
            "the number in decimal, or put it in quotes if it is a name."
        )


def line_of(mistake: yaml.YAMLError) -> str:
    mark = getattr(mistake, "problem_mark", None)
    return f":{mark.line + 1}" if mark is not None else ""


def reason(mistake: yaml.YAMLError) -> str:
    """Return what is wrong in one line: without the excerpts that PyYAML adds."""
    parts = [getattr(mistake, name, None) for name in ("context", "problem")]
    return ", ".join(part for part in parts if part) or " ".join(str(mistake).split())
