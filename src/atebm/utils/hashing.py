"""Checksums, and JSON that carries its own."""

import hashlib
import json
from pathlib import Path
from typing import Any

SHA256 = "^[0-9a-f]{64}$"  # a regular expression


def canonical(value: Any) -> str:
    """Return JSON with one spelling per value: what digests are taken of. NaN is refused: it is not JSON."""
    return json.dumps(value, sort_keys=True, indent=1, allow_nan=False) + "\n"


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sealed(contents: dict[str, Any]) -> str:
    """Return canonical JSON with its own sha256 inside, so that any later change of the file shows."""
    return canonical({**contents, "seal": _seal(contents)})


def is_sealed(text: str) -> bool:
    """Return whether a text is, byte for byte, what `sealed` wrote."""
    try:
        contents = json.loads(text)
        return contents.pop("seal") == _seal(contents) and text == sealed(contents)
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
        return False


def _seal(contents: dict[str, Any]) -> str:
    return hashlib.sha256(canonical(contents).encode()).hexdigest()
