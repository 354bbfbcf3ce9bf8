"""The records of embedded extractors. This module is separate from their training: plans need it, but not torch."""

import json
from pathlib import Path
from typing import Any

from ..utils.errors import DataError
from ..utils.files import repository
from ..utils.hashing import sha256

EXTRACTORS = repository() / "data/embedded/extractors"


def read_embedded(file: str, digest: str, folder: Path = EXTRACTORS) -> tuple[dict[str, Any], Path]:
    """Return the record of an embedded extractor, and the path of its weights, which are not read here.

    `digest` is the record's sha256. Raises DataError if the file is missing or has another sha256.
    """
    path = folder / file
    if not path.exists():
        known = ", ".join(sorted(path.name for path in folder.glob("*.json")))
        raise DataError(f"there is no embedded extractor {file!r}; data/embedded/extractors/ has: {known}.")
    if sha256(path) != digest:
        raise DataError(
            f"{path} is not the record that config.yaml names (its sha256 is not {digest[:12]}...): restore it with "
            f"'git checkout -- {file}' in data/embedded/extractors."
        )
    return json.loads(path.read_text(encoding="utf-8")), path.with_suffix(".safetensors")
