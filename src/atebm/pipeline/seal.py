"""A page that carries its own record on its last line: what it was made from, and the sha256 of both.

No imports but the standard library's: the Snakefile reads the record whenever it is parsed.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

PAGE = "results/index.html"
_BEGIN, _END = "<!-- made from ", " -->\n"


def sealed_page(page: str, record: dict[str, Any]) -> str:
    """`page`, which ends with a line break, and below it `record` in a comment."""
    digest = hashlib.sha256((page + json.dumps(record, sort_keys=True)).encode()).hexdigest()
    text = json.dumps({**record, "sha256": digest}, sort_keys=True)
    return page + _BEGIN + text.replace("--", "-\\u002d") + _END  # two hyphens could end the comment


def record_in(text: str) -> dict[str, Any] | None:
    """The record of a page; None unless the text is, byte for byte, what `sealed_page` wrote."""
    page, _, last = text.rpartition(_BEGIN)
    try:
        record = json.loads(last.removesuffix(_END))
        known = {key: value for key, value in record.items() if key != "sha256"}
        return known if text == sealed_page(page, known) else None
    except (ValueError, AttributeError):
        return None


def page_record(root: Path) -> dict[str, Any] | None:
    """The record of the page in a checkout; None where there is no page, or one that was altered."""
    try:
        return record_in((root / PAGE).read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return None
