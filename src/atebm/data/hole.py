"""Where the hole of an occluded image lies. No torch: figures fill it too."""

from collections.abc import Sequence


def hole(size: Sequence[int], side: float) -> tuple[slice, slice]:
    """Return the rows and columns of the middle square whose side is that share of an image's (H, W)."""
    inner = [round(side * length) for length in size]
    rows, columns = (
        slice((length - part) // 2, (length + part) // 2) for length, part in zip(size, inner, strict=True)
    )
    return rows, columns
