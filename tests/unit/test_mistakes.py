"""Every mistake in the configuration is answered with one sentence: file, line, key, what is wrong, what to write."""

import json
import re
import shutil
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import REPOSITORY, configuration
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from atebm.config.inheritance import FAMILIES, TAGS
from atebm.config.json_schema import FILE as SCHEMA
from atebm.config.json_schema import MODELINE, json_schema, schema_text
from atebm.config.load import load
from atebm.config.messages import resolve
from atebm.utils.errors import ConfigError

MISTAKEN = "workflow/scales/mistaken.yaml"
TABLE = yaml.safe_load((Path(__file__).parent / "mistakes.yaml").read_text(encoding="utf-8"))
ROWS = [(kind, row) for kind, rows in TABLE.items() for row in rows]
FILES = [
    "config.yaml",
    *(str(path.relative_to(REPOSITORY)) for path in (REPOSITORY / "workflow/scales").glob("*.yaml")),
]


def text_of(row: dict[str, str]) -> bytes:
    """Return the scale file of a row of the table."""
    return row["whole"].encode("latin-1") if "whole" in row else f"like: smoke\n{row['write']}\n".encode()


@pytest.fixture(scope="session")
def root(tmp_path_factory) -> Path:
    """Return a checkout of the files of the configuration alone."""
    folder = tmp_path_factory.mktemp("mistakes")
    shutil.copy(REPOSITORY / "config.yaml", folder)
    shutil.copytree(REPOSITORY / "workflow/scales", folder / "workflow/scales")
    return folder


def refusal(root: Path, content: bytes) -> str:
    """Return the sentence that a scale file is refused with."""
    (root / MISTAKEN).write_bytes(content)
    with pytest.raises(ConfigError) as error:
        load(root, ["scale=mistaken"])
    return str(error.value).replace(f"{root}/", "").replace(MISTAKEN, "FILE")


def with_lines(says: str) -> str:
    """Return what a row says with the number of a line in place of how it begins: config.yaml:<init: imagenet>."""

    def number(found: re.Match[str]) -> str:
        lines = (REPOSITORY / found[1]).read_text(encoding="utf-8").splitlines()
        return f"{found[1]}:{[line.strip().startswith(found[2]) for line in lines].index(True) + 1}"

    return re.sub(r"(\S+\.yaml):<(.*?)>", number, says)


@pytest.mark.parametrize("row", [row for _, row in ROWS], ids=[f"{kind}-{n}" for n, (kind, _) in enumerate(ROWS)])
def test_a_mistake_is_answered_with_one_sentence(root, row):
    assert refusal(root, text_of(row)) == with_lines(row["says"])


def test_the_table_has_a_sentence_for_each_of_many_mistakes():
    assert len(ROWS) >= 80
    assert not [row for _, row in ROWS if "\n" in row["says"] or row["says"][-1] not in ".?"]


@pytest.mark.parametrize("then", [row["then"] for _, row in ROWS if "then" in row])
def test_what_a_sentence_says_to_write_is_taken(root, then):
    text = f"like: smoke\n{then}\n" if then[0] != "{" else f"{then[:-1]}, like: smoke }}"
    (root / MISTAKEN).write_text(text)
    assert load(root, ["scale=mistaken"])[0].scale == "mistaken"


# --- the schema that editors use --------------------------------------------------------------------------------------

VALIDATOR = Draft202012Validator(json_schema())


def test_the_schema_in_git_is_that_of_the_code():
    """If not: python -m atebm docs."""
    assert (REPOSITORY / SCHEMA).read_text(encoding="utf-8") == schema_text()
    Draft202012Validator.check_schema(json.loads(schema_text()))


@pytest.mark.parametrize("file", FILES)
def test_the_schema_accepts_the_files_and_is_named_in_them(file):
    text = (REPOSITORY / file).read_text(encoding="utf-8")
    assert [error.message for error in VALIDATOR.iter_errors(yaml.safe_load(text))] == []
    (line,) = [line for line in text.splitlines()[:3] if line.startswith(MODELINE)]
    assert (REPOSITORY / file).parent.joinpath(line.removeprefix(MODELINE)).resolve() == (REPOSITORY / SCHEMA).resolve()


@pytest.mark.parametrize("kind", ["types", "bounds", "choices"])
def test_the_schema_rejects_mistakes(kind):
    """All that one file shows: other mistakes are in how files fit together. JSON has no .nan."""
    accepted = [row["write"] for row in TABLE[kind] if VALIDATOR.is_valid(yaml.safe_load(row["write"]))]
    assert [text for text in accepted if ".nan" not in text] == []


# --- mistakes made of the schema --------------------------------------------------------------------------------------

CONFIGURATION = configuration("smoke")
PARTS = json_schema()["$defs"]


def keys_of(value: Any, spec: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield each key of a configuration, by its path, with its schema."""
    spec = chosen(value, spec)
    if path:
        yield path, spec
    named = [*spec.get("patternProperties", {}).values(), spec.get("additionalProperties")][0]
    for key, item in value.items() if isinstance(value, dict) else ():
        if inner := spec.get("properties", {}).get(key) or named:
            yield from keys_of(item, inner, (*path, str(key)))


def chosen(value: Any, spec: dict[str, Any]) -> dict[str, Any]:
    """Return the part of a schema that a value is of: the variant that its tag names, or that of its type."""
    if "$ref" in spec:
        return {**spec, **chosen(value, PARTS[spec["$ref"].rpartition("/")[2]])}
    kinds = [chosen(value, kind) for kind in spec.get("anyOf", ())]
    tagged = [
        kind
        for kind in kinds
        for tag in TAGS
        if isinstance(value, dict) and value.get(tag) == kind.get("properties", {}).get(tag, {}).get("const", 0)
    ]
    typed = [kind for kind in kinds if kind.get("type") != "null"]
    return {**spec, **(tagged or typed or [{}])[0]}


def once(keys: Iterator[tuple[tuple[str, ...], Any]]) -> dict[tuple[str, ...], tuple[tuple[str, ...], Any]]:
    """Return the keys of one entry for each key of the schema: what names an entry is left out."""
    return {(path[0], str(spec.get("title")), *path[2:]): (path, spec) for path, spec in keys}


KEYS = [key for key in once(keys_of(CONFIGURATION, json_schema())).values() if key[0] != ("scale",)]


def wrongs(path: tuple[str, ...], spec: dict[str, Any]) -> list[Any]:
    """Return values that a key cannot have: of another type, out of bounds, unknown choices and references."""
    kind = spec.get("type", "object" if "properties" in spec else "string")
    wrong: list[Any] = {
        "integer": ["many", 1.5, [1], {"a": 1}, True, "1:30"],
        "number": ["many", [1], {"a": 1}, True, float("nan")],
        "string": [3, [1], {"a": 1}, True],
        "boolean": ["maybe", 3, [1]],
        "array": ["many", 3, {"a": 1}, True],
        "object": ["many", 3, [1], True],
        "null": ["many", 3, True],
    }[kind]
    wrong += [spec["minimum"] - 1] if "minimum" in spec else []
    wrong += [spec["exclusiveMinimum"]] if "exclusiveMinimum" in spec else []
    wrong += [spec["maximum"] + 1] if "maximum" in spec else []
    wrong += [spec["exclusiveMaximum"]] if "exclusiveMaximum" in spec else []
    wrong += ["nowhere"] if spec.get("reference") or "enum" in spec or "const" in spec or "pattern" in spec else []
    wrong += [["nowhere"]] if spec.get("items", {}).get("reference") else []
    return wrong


def sentences(config: dict[str, Any]) -> list[str]:
    """Return the sentences that a configuration is refused with. Any other error is a failure of the test."""
    with pytest.raises(ConfigError) as error:
        resolve(config)
    return str(error.value).splitlines()


def at(path: tuple[str, ...]) -> Any:
    """Return the value of the configuration at a path."""
    value: Any = CONFIGURATION
    for key in path:
        value = value[key]
    return value


def changed(path: tuple[str, ...], value: Any) -> dict[str, Any]:
    """Return the configuration with another value at a path."""
    config = deepcopy(CONFIGURATION)
    *above, last = path
    section: Any = config
    for key in above:
        section = section[key]
    section[last] = value
    return config


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_wrong_value_of_any_key_is_answered_with_its_key(data):
    path, spec = data.draw(st.sampled_from(KEYS))
    value = data.draw(st.sampled_from(wrongs(path, spec)))
    told = sentences(changed(path, value))
    named = ".".join(path[:2] if path[0] in FAMILIES else path[:1])
    assert told[0].startswith("config.yaml: ") and any(named in sentence for sentence in told), (path, value, told)
    assert len(told) == 1 or path[0] in FAMILIES, (path, value, told)  # others may be like an entry


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_an_unknown_key_anywhere_is_answered_with_its_name(data):
    sections = [path for path, spec in KEYS if "properties" in spec and isinstance(at(path), dict)]
    path = data.draw(st.sampled_from([(), *sections]))
    told = sentences(changed((*path, "unheard_of"), 1))
    assert f"config.yaml: unknown key {'.'.join((*path, 'unheard_of'))}. " in told[0] + " ", (path, told)


@pytest.mark.slow
def test_each_wrong_value_of_each_key_is_answered():
    for path, spec in KEYS:
        for value in wrongs(path, spec):
            told = sentences(changed(path, value))
            assert all(sentence.startswith("config.yaml: ") for sentence in told), (path, value, told)
