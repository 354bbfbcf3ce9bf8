"""Text of others (names and words of a configuration, of records of archives) in Markdown: it stays text."""

import re

# What Markdown takes for an escape, for HTML, for the end of a cell, for a link or a picture from elsewhere, and for a
# formula.
SPECIAL = {
    r"\\(?=[!-/:-@\[-`{-~])": r"\\\\",
    r"<(?=[a-zA-Z/!?])": "&lt;",
    r"\|": r"\\|",
    r"\](?=[\[(])": r"\\]",
    r"\$": r"\\$",
}


def plain(text: str) -> str:
    """`text` in one line, as readers shall see it, between or outside of a table's bars."""
    text = " ".join(text.split())
    for pattern, instead in SPECIAL.items():
        text = re.sub(pattern, instead, text)
    return text
