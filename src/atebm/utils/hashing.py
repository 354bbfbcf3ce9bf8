"""Compute checksums, and write JSON that contains its own."""

import hashlib
import json
from pathlib import Path
from typing import Any

SHA256 = "^[0-9a-f]{64}$"  # a regular expression


def canonical(value: Any) -> str:
    """Return JSON with one spelling per value, for digests. Raises ValueError for NaN, which is not JSON."""
    return json.dumps(value, sort_keys=True, indent=1, allow_nan=False) + "\n"


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sealed(contents: dict[str, Any]) -> str:
    """Return canonical JSON that contains its own sha256, so any later change of the file can be detected."""
    return canonical({**contents, "seal": _seal(contents)})


def is_sealed(text: str) -> bool:
    """Return whether a text is, byte for byte, as `sealed` wrote it."""
    try:
        contents = json.loads(text)
        return contents.pop("seal") == _seal(contents) and text == sealed(contents)
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
        return False


def _seal(contents: dict[str, Any]) -> str:
    return hashlib.sha256(canonical(contents).encode()).hexdigest()
