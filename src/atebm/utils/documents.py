"""YAML files that people write: what YAML would take without a word is refused, with the file and its lines."""

from typing import Any

import yaml

from .errors import ConfigError, UserError

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast; PyYAML can be built without it
MERGE = "tag:yaml.org,2002:merge"  # of the key <<


def mapping(file: str, text: str, error: type[UserError] = ConfigError, loader_of: Any = LOADER) -> dict[str, Any]:
    """Return the keys and values of a YAML text, which messages call `file`.

    Raises `error` for what is no YAML, with its line; for an entry that has a key twice, with both lines; and where
    there are no keys and values at all, as in an empty file.
    """
    try:
        loader = loader_of(text)
    except yaml.YAMLError as mistake:  # letters that no YAML has
        raise error(f"{file}{line_of(mistake)}: not YAML: {reason(mistake)}.") from None
    try:
        node = loader.get_single_node()
        refuse_twins(loader, node, file, error, set(), set())
        found = loader.construct_document(node) if node is not None else None
    except yaml.YAMLError as mistake:
        raise error(f"{file}{line_of(mistake)}: not YAML: {reason(mistake)}.") from None
    except (ValueError, OverflowError, RecursionError) as mistake:  # such as a date in month 13
        raise error(f"{file}: not YAML: {mistake}.") from None
    finally:
        loader.dispose()
    if not isinstance(found, dict):
        what = "empty" if found is None else f"a {type(found).__name__}"
        raise error(f"{file} is {what}, where keys and their values are wanted, such as `seeds: 3`.")
    return found


def refuse_twins(
    loader: Any, node: yaml.Node | None, file: str, error: type[UserError], open: set[int], done: set[int]
) -> None:
    """Raise `error` where a key stands twice in one place of a document: YAML would drop the first without a word.

    Also where an entry is part of itself by an alias: nothing could be merged with that. `open` are the ids of nodes
    that this one is part of, `done` those of nodes that were looked at.
    """
    if not isinstance(node, yaml.CollectionNode) or id(node) in done:
        return
    if id(node) in open:
        raise error(f"{file}:{node.start_mark.line + 1}: an entry is part of itself by an alias (*): write it out.")
    lines: dict[Any, int] = {}
    for item in node.value:
        key, value = item if isinstance(node, yaml.MappingNode) else (None, item)
        refuse_twins(loader, value, file, error, open | {id(node)}, done)
        if not isinstance(key, yaml.ScalarNode):
            continue
        name = key.value if key.tag == MERGE else loader.construct_object(key)
        line = key.start_mark.line + 1
        if name in lines:
            raise error(
                f"{file}:{line}: the key {key.value} stands in line {lines[name]} already, and YAML would keep the "
                "last one alone: leave one of them."
            )
        lines[name] = line
    done.add(id(node))


def line_of(mistake: yaml.YAMLError) -> str:
    mark = getattr(mistake, "problem_mark", None)
    return f":{mark.line + 1}" if mark is not None else ""


def reason(mistake: yaml.YAMLError) -> str:
    """Return what is wrong in one line: without the excerpts that PyYAML adds."""
    parts = [getattr(mistake, name, None) for name in ("context", "problem")]
    return ", ".join(part for part in parts if part) or " ".join(str(mistake).split())
