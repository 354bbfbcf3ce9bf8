"""config.yaml, then the scale's file, then `--config`: merged as Snakemake merges them, and where each value stands.

For the command line; the workflow has its configuration from Snakemake itself.
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
    """Return the names of all scales. Raises ConfigError where `root` is no checkout."""
    of_checkout(root / BASE)
    return sorted(path.stem for path in (root / "workflow/scales").glob("*.yaml"))


def scale_file(scale: Any, root: Path) -> str:
    """Return the file of a scale, relative to `root`. Raises ConfigError for an unknown scale."""
    if scale not in scales(root):
        raise ConfigError(f"there is no scale {scale!r}; choose one of {', '.join(scales(root))}.")
    return f"workflow/scales/{scale}.yaml"


def base(root: Path) -> dict[str, Any]:
    """Return what config.yaml says. Raises ConfigError where that cannot be meant."""
    return mapping(BASE, of_checkout(root / BASE))


def layers(scale: Any, root: Path) -> dict[str, dict[str, Any]]:
    """Return what the files of a scale say, by file: first that of the scale that it is `like`, if it is like one.

    Raises ConfigError where that cannot be meant, or for no scale.
    """
    found: dict[str, dict[str, Any]] = {}
    while scale is not None or not found:  # a scale that config.yaml leaves out is none, too
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
    """Return the typed configuration in the checkout `root`, as `configured`, and the origins of its values."""
    merged, last = merge(root, overrides)
    texts = texts_of(merged.get("scale"), root)
    found = origins_of(texts, last, " ".join(overrides))
    return resolve(merged, lambda path: place(path, found)), found | inherited(merged, found)


def configured(root: Path, overrides: Sequence[str] = ()) -> Config:
    """Return the typed configuration in the checkout `root`, under `overrides` such as "seeds=3".

    Without the origins of its values, which take longer than the rest. Raises ConfigError for every mistake, one
    sentence each.
    """
    merged, last = merge(root, overrides)
    return resolve(merged, written(merged.get("scale"), last, root))


def merge(root: Path, overrides: Sequence[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what the files of a configuration and `overrides` say together, and what `overrides` say."""
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
    """Return, for resolve(), where the values of a merged configuration stand; `last` is what no file says."""
    return lambda path: place(path, origins_of(texts_of(scale, root), last))  # read again only for a mistake


def texts_of(scale: Any, root: Path) -> dict[str, str]:
    """Return what the files of a configuration hold, by name."""
    return {BASE: of_checkout(root / BASE)} | {file: text_of(root / file) for file in layers(scale, root)}
