"""The JSON schema of config.yaml and of scale files, by which editors complete keys and mark mistakes.

It is of one file, which may hold any part of a configuration: no key is required. Whether what files make together is
complete and consistent, only `resolve` can say.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

from .base import Section, Variant, sections
from .inheritance import FAMILIES, LIKE
from .schema import Config

FILE = "workflow/schemas/config.schema.json"  # `python -m atebm docs` writes it
MODELINE = "# yaml-language-server: $schema="  # before its path, in the first lines of a file


def schema_text() -> str:
    """Return the text of the schema's file."""
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
    whole["properties"][LIKE] = {"type": "string", "description": "scale that this scale's file is laid over"}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **whole}


def described(model: type[Section], part: dict[str, Any]) -> str:
    """Return what a section is, in a line, and its source."""
    words = " ".join(str(part.get("description", "")).split())
    return f"{words} Source: {model.paper.where}.".lstrip() if hasattr(model, "paper") else words


def about(spec: dict[str, Any]) -> str:
    """Return what a key is, with its unit and its source, which are no words of JSON schema."""
    unit, source = spec.pop("unit", ""), spec.pop("source", "")
    words = f"{spec.get('description', '')}{f' ({unit})' if unit else ''}."
    return f"{words} Source: {source}." if source else words


def unions(spec: Any) -> Iterator[list[str]]:
    """Yield the names of the variants of each union, whose tag a file need not repeat: any of them will do."""
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
    """Let each variant set to null what only others have: a file further down may choose another variant."""
    keys = [key for name in union for key in parts[name]["properties"]]
    for name in union:
        if issubclass(models[name], Variant):
            own = parts[name]["properties"]
            own.update({key: {"type": "null"} for key in keys if key not in own})


def give_like(family: str, spec: dict[str, Any], parts: dict[str, Any]) -> None:
    """Let the entries of a section be like others, and have no other names than files can have."""
    spec["additionalProperties"] = False
    for name in re.findall(r"#/\$defs/(\w+)", json.dumps(spec)):
        about = f"entry of {family} that this one differs from by its own keys alone"
        parts[name]["properties"][LIKE] = {"type": "string", "reference": [family], "description": about}
