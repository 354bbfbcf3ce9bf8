"""The place of the hole in an occluded image. Imports no torch, since figures need it too."""

from collections.abc import Sequence


def hole(size: Sequence[int], side: float) -> tuple[slice, slice]:
    """Return the rows and columns of the hole in the middle, whose sides are the share `side` of an image's (H, W)."""
    inner = [round(side * length) for length in size]
    rows, columns = (
        slice((length - part) // 2, (length + part) // 2) for length, part in zip(size, inner, strict=True)
    )
    return rows, columns
