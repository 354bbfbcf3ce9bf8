"""The JSON schema of config.yaml and of scale files, with which editors complete keys and mark mistakes.

The schema describes one file. A file may hold any part of a configuration, so no key is required. Only `resolve` checks
that the merged files are complete and consistent.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

from .base import Section, Variant, sections
from .inheritance import FAMILIES, LIKE
from .schema import Config

FILE = "workflow/schemas/config.schema.json"  # `python -m atebm docs` writes it
MODELINE = "# yaml-language-server: $schema="  # precedes the schema's path, in the first lines of a file


def schema_text() -> str:
    """Return the text of the schema file."""
    return json.dumps(json_schema(), indent=1, ensure_ascii=False) + "\n"


def json_schema() -> dict[str, Any]:
    """Return the schema of one file."""
    whole = Config.model_json_schema()
    parts: dict[str, Any] = whole["$defs"]
    models = {model.__name__: model for model in sections(Section)}
    for name, part in [*parts.items(), ("Config", whole)]:
        part.pop("required", None)
        part["description"] = described(models[name], part)
        for key, spec in part["properties"].items():
            spec["description"] = about(spec)
            spec.pop("title", None)
            for union in unions(spec):
                forget_others(union, parts, models)
            if key in FAMILIES and part is whole:
                give_like(key, spec, parts)
    whole["properties"][LIKE] = {"type": "string", "description": "scale whose keys this scale's file overrides"}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **whole}


def described(model: type[Section], part: dict[str, Any]) -> str:
    """Return the description of a section, in one line, with its source."""
    words = " ".join(str(part.get("description", "")).split())
    return f"{words} Source: {model.paper.where}.".lstrip() if hasattr(model, "paper") else words


def about(spec: dict[str, Any]) -> str:
    """Return the description of a key with its unit and source, for which JSON schema has no keywords."""
    unit, source = spec.pop("unit", ""), spec.pop("source", "")
    words = f"{spec.get('description', '')}{f' ({unit})' if unit else ''}."
    return f"{words} Source: {source}." if source else words


def unions(spec: Any) -> Iterator[list[str]]:
    """Yield the variants' names of each union, and let a file omit the tag, so that any variant may match."""
    if isinstance(spec, dict):
        if "oneOf" in spec:
            spec.pop("discriminator", None)
            spec["anyOf"] = spec.pop("oneOf")
            yield [kind["$ref"].rpartition("/")[2] for kind in spec["anyOf"]]
        for value in spec.values():
            yield from unions(value)
    elif isinstance(spec, list):
        for value in spec:
            yield from unions(value)


def forget_others(union: list[str], parts: dict[str, Any], models: dict[str, type[Section]]) -> None:
    """Let each variant set the other variants' keys to null, since a later file may choose another variant."""
    keys = [key for name in union for key in parts[name]["properties"]]
    for name in union:
        if issubclass(models[name], Variant):
            own = parts[name]["properties"]
            own.update({key: {"type": "null"} for key in keys if key not in own})


def give_like(family: str, spec: dict[str, Any], parts: dict[str, Any]) -> None:
    """Allow `like` in the entries of a section, and only names that are valid in file names."""
    spec["additionalProperties"] = False
    for name in re.findall(r"#/\$defs/(\w+)", json.dumps(spec)):
        about = f"entry of {family} whose keys this entry overrides"
        parts[name]["properties"][LIKE] = {"type": "string", "reference": [family], "description": about}
