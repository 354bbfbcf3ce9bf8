"""Format tables for a terminal."""

from collections.abc import Iterator


def columns(rows: list[tuple[str, ...]]) -> Iterator[str]:
    """Yield rows of words, each column as wide as its longest word."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  " + "  ".join(f"{word:{width}}" for word, width in zip(row, widths, strict=True)).rstrip()
