"""Escape foreign text (names in a configuration, records of archives) for Markdown, so that it stays plain text."""

import re

# Patterns that Markdown reads as an escape, as HTML, as the end of a cell, as a link or picture, and as a formula.
SPECIAL = {
    r"\\(?=[!-/:-@\[-`{-~])": r"\\\\",
    r"<(?=[a-zA-Z/!?])": "&lt;",
    r"\|": r"\\|",
    r"\](?=[\[(])": r"\\]",
    r"\$": r"\\$",
}


def plain(text: str) -> str:
    """Return `text` on one line, escaped so that readers see it unchanged, inside or outside a table."""
    text = " ".join(text.split())
    for pattern, instead in SPECIAL.items():
        text = re.sub(pattern, instead, text)
    return text
