"""Format numbers for people: three or four digits, commas between thousands, and a unit."""

import math

UNITS = ("bytes", "kB", "MB", "GB", "TB")


def rounded(value: float, figures: int = 3) -> str:
    """Return a number with `figures` significant digits and no exponent: "0.0241", "3.14", "1,496"."""
    if not value or not math.isfinite(value):
        return f"{value:g}"
    decimals = figures - 1 - math.floor(math.log10(abs(value)))
    return f"{value:,.{max(0, decimals)}f}"


def size(count: float) -> str:
    """Return a number of bytes in a suitable unit: "414 kB"."""
    power = min(len(UNITS) - 1, int(math.log10(count) // 3)) if count >= 1 else 0
    return f"{rounded(count / 1000**power)} {UNITS[power]}" if power else f"{count:.0f} bytes"


def duration(hours: float) -> str:
    """Return hours as seconds, minutes or hours."""
    if hours < 1 / 30:
        return f"{rounded(hours * 3600, 2)} seconds"
    return f"{rounded(hours * 60)} minutes" if hours < 2 else f"{rounded(hours)} hours"
