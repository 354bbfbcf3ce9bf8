"""Read YAML files that people write, and reject pitfalls that YAML accepts silently, with file and line."""

import re
from typing import Any

import yaml

from .errors import ConfigError, UserError

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast, but PyYAML can be built without it
NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
DECIMAL = r"[-+]?(0|[1-9]\d*|\d*\.\d*)(e[-+]?\d+)?|[-+]?\.inf|\.nan"
MERGE = "tag:yaml.org,2002:merge"  # of the key <<


def mapping(file: str, text: str, error: type[UserError] = ConfigError, loader_of: Any = LOADER) -> dict[str, Any]:
    """Return the keys and values of a YAML text, which error messages call `file`.

    Raises `error` for text that is not YAML, with its line; for an entry that has a key twice, with both lines; and for
    text without keys and values, such as an empty file.
    """
    try:
        loader = loader_of(text)
    except yaml.YAMLError as mistake:  # letters that YAML does not allow
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
        what = "is empty" if found is None else f"has only a {'list' if isinstance(found, list) else 'value'}"
        raise error(f"{file} {what}: write keys and their values, such as `seeds: 3`.")
    return found


def refuse_pitfalls(
    loader: Any, node: yaml.Node | None, file: str, error: type[UserError], open: set[int], done: set[int]
) -> None:
    """Raise `error` if a key stands twice in one place of a document: YAML would silently drop the first.

    Also raise it if an entry contains itself by an alias, since such an entry cannot be merged; if << merges an entry
    into another, since `like` does this; and for numbers that people do not write, such as 1:30, which YAML reads as
    90. `open` has the ids of nodes that contain this one, `done` those of nodes that were checked.
    """
    if not isinstance(node, yaml.CollectionNode) or id(node) in done:
        return
    if id(node) in open:
        raise error(f"{file}:{node.start_mark.line + 1}: an entry contains itself by an alias (*): write it out.")
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
                f"{file}:{line}: << is not supported: to take keys from another entry of the same section, write "
                "`like: NAME` with its name, or write the keys out."
            )
        name = loader.construct_object(key)
        if name in lines:
            raise error(
                f"{file}:{line}: the key {key.value} is already in line {lines[name]}, and YAML would keep only the "
                "last one: remove one of them."
            )
        lines[name] = line
    done.add(id(node))


def refuse_odd_number(loader: Any, key: yaml.Node | None, node: yaml.Node, file: str, error: type[UserError]) -> None:
    """Raise `error` if YAML reads something as a number that people do not write as one: 1:30, 010, 0x1f or 1_000."""
    if node.tag in NUMBERS and not re.fullmatch(DECIMAL, node.value, re.IGNORECASE):
        name = f"{key.value} = " if isinstance(key, yaml.ScalarNode) else ""
        raise error(
            f"{file}:{node.start_mark.line + 1}: {name}{node.value}: YAML reads this as "
            f"{loader.construct_object(node)}: write the number in decimal, or put it in quotes if it is a name."
        )


def line_of(mistake: yaml.YAMLError) -> str:
    mark = getattr(mistake, "problem_mark", None)
    return f":{mark.line + 1}" if mark is not None else ""


def reason(mistake: yaml.YAMLError) -> str:
    """Return the problem on one line, without the excerpts that PyYAML adds."""
    parts = [getattr(mistake, name, None) for name in ("context", "problem")]
    return ", ".join(part for part in parts if part) or " ".join(str(mistake).split())
