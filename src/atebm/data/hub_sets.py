"""Sets of config.yaml from the Hugging Face Hub; `python -m atebm fetch` puts their shards into data/archives/."""

from functools import partial
from pathlib import PurePosixPath

import numpy as np
from PIL import Image

from ..archives.hub import folder_of, read_shards, verify_shards
from ..config.sets import Parquet
from ..utils.errors import DataError
from .content import Content, Images, Places, unnumbered
from .parallel import make_in_order
from .readers.parquet import parquet_rows
from .readers.transforms import area, lanczos, lsun, squash


def content(spec: Parquet, places: Places) -> Content:
    """Return the set of some shards of a data set, in the order of their paths.

    Raises DataError if shards are missing or do not match their list. Reading the content's images raises it if they
    are damaged.
    """
    listing = places.archives / spec.listing
    known = read_shards(listing)
    chosen = {path: shard for path, shard in sorted(known.shards.items()) if PurePosixPath(path).match(spec.files)}
    if not chosen:
        raise DataError(f"no shard is named {spec.files}; there are: {', '.join(sorted(known.shards))}.")
    verify_shards(listing, chosen)
    rows = parquet_rows(folder_of(listing), list(chosen), spec.image, spec.label, spec.only, spec.count)
    if spec.label and len(rows.classes) != spec.kinds:
        raise DataError(f"column {spec.label} has {len(rows.classes)} different labels, not {spec.kinds}.")
    doubt = f"the shards came from a local folder and were not verified as those of {spec.repository}"
    how = partial(unnumbered, partial(of_side, spec), spec.size)
    numbers = np.arange(spec.count)
    return Content(
        spec.count,
        (spec.size, spec.size, 3),
        partial(make_in_order, rows.pictures, numbers, how),
        lambda: (rows.labels, rows.classes if spec.label else [spec.repository]),
        {path: {"sha256": shard.sha256} for path, shard in chosen.items()},
        "" if known.verified else doubt,
    )


def of_side(spec: Parquet, picture: Image.Image, size: int) -> Images:
    """Return a picture in the set's size. Raises DataError unless the stored picture has the expected side."""
    if spec.pixels and picture.size != (spec.pixels, spec.pixels):
        width, height = picture.size
        raise DataError(f"an image has {width}x{height} pixels instead of {spec.pixels}x{spec.pixels}.")
    return RESIZED[spec.resize](picture, size)


# Each of these leaves images that have the set's size unchanged.
RESIZED = {"lanczos": lanczos, "bicubic": lsun, "area": area, "bilinear": squash}
