"""Merging config.yaml, the scale's file and `--config` as Snakemake does, and finding where each value is written.

This is for the command line; the workflow gets its configuration from Snakemake itself.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..utils.documents import mapping
from ..utils.errors import ConfigError
from ..utils.files import of_checkout, text_of
from ..utils.meant import suggestion
from .inheritance import LIKE, Place
from .messages import resolve
from .origins import BASE, Origins, inherited, origins_of, place
from .schema import Config


def scales(root: Path) -> list[str]:
    """Return the names of all scales. Raises ConfigError if `root` is not a checkout."""
    of_checkout(root / BASE)
    return sorted(path.stem for path in (root / "workflow/scales").glob("*.yaml"))


def scale_file(scale: Any, root: Path) -> str:
    """Return the file of a scale, relative to `root`. Raises ConfigError for an unknown scale."""
    if scale not in scales(root):
        raise ConfigError(f"there is no scale {scale!r}; choose one of {', '.join(scales(root))}.")
    return f"workflow/scales/{scale}.yaml"


def base(root: Path) -> dict[str, Any]:
    """Return the contents of config.yaml. Raises ConfigError if the file is malformed."""
    return mapping(BASE, of_checkout(root / BASE))


def layers(scale: Any, root: Path) -> dict[str, dict[str, Any]]:
    """Return the contents of a scale's files by name, beginning with the scale that it is `like`, if there is one.

    Raises ConfigError if a file is malformed, or if there is no such scale.
    """
    found: dict[str, dict[str, Any]] = {}
    while scale is not None or not found:  # None, if config.yaml names no scale, is reported as unknown
        file = scale_file(scale, root)
        if file in found:
            raise ConfigError(f"{file}: {LIKE} = {found[file].get(LIKE)!r} leads back to this file: leave it out.")
        found[file] = contents = mapping(file, text_of(root / file))
        if contents.get("scale", scale) != scale:
            raise ConfigError(
                f"{file}: scale = {contents['scale']!r}, but this is the file of scale {scale}: leave it out."
            )
        scale = contents.get(LIKE)
        if scale is not None and scale not in scales(root):
            raise ConfigError(
                f"{file}: {LIKE} = {scale!r}, but there is no such scale. {suggestion(str(scale), scales(root))}"
            )
    return {file: {key: value for key, value in found[file].items() if key != LIKE} for file in reversed(found)}


def load(root: Path, overrides: Sequence[str] = ()) -> tuple[Config, Origins]:
    """Return the typed configuration of the checkout `root` under `overrides`, and the origins of its values."""
    merged, last = merge(root, overrides)
    texts = texts_of(merged.get("scale"), root)
    found = origins_of(texts, last, " ".join(overrides))
    return resolve(merged, lambda path: place(path, found)), found | inherited(merged, found)


def configured(root: Path, overrides: Sequence[str] = ()) -> Config:
    """Return the typed configuration of the checkout `root`, under `overrides` such as "seeds=3".

    It comes without the origins of its values, which take longer than the rest. Raises ConfigError with one sentence
    for each mistake.
    """
    merged, last = merge(root, overrides)
    return resolve(merged, written(merged.get("scale"), last, root))


def merge(root: Path, overrides: Sequence[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the merged contents of the configuration's files and `overrides`, and the contents of `overrides`."""
    if not (root / BASE).exists():
        raise ConfigError(f"there is no {BASE} here: run this in the folder of the checkout.")
    from snakemake.cli import parse_config
    from snakemake.utils import update_config

    try:
        last = parse_config(list(overrides))
    except ValueError as error:
        raise ConfigError(f"--config {' '.join(overrides)}: {error}.") from None
    merged: dict[str, Any] = {}
    update_config(merged, base(root))
    scale = last.get("scale", merged.get("scale"))
    for contents in (*layers(scale, root).values(), last):
        update_config(merged, contents)
    return merged, last


def written(scale: Any, last: dict[str, Any], root: Path) -> Place:
    """Return a function that tells resolve() where a value is written; `last` are the overrides."""
    return lambda path: place(path, origins_of(texts_of(scale, root), last))  # the files are read only for a mistake


def texts_of(scale: Any, root: Path) -> dict[str, str]:
    """Return the texts of a configuration's files by name."""
    return {BASE: of_checkout(root / BASE)} | {file: text_of(root / file) for file in layers(scale, root)}
