"""Your own images as p_data: a scale of the workflow whose only run is trained on a folder of them.

`atebm own` looks at the folder and writes workflow/scales/<name>.yaml; the workflow does the rest, as for every scale.
"""

import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from PIL import Image

from ..config.detection import ATTACKS
from ..config.load import configured, scales
from ..config.schema import Config
from ..pipeline.plan import Plan
from ..utils.errors import ConfigError, DataError, shown
from ..utils.files import write_text
from .folder import contents, digest, found_in
from .pictures import Notes, open_picture, unreadable
from .subsets import draw
from .walk import walk

LEAST = 100  # images in a folder of yours, as p_data or as p_0
MOST_HELD_OUT = 200
OURS = "# Written by `atebm own`"  # how such a scale file begins
NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
NO_NAMES = ("nan", "inf", "infinity")  # which --config takes for numbers
SIZES = (8, 16, 32, 64, 128, 256)  # that network `small` takes
LARGE = 64  # beyond it, fewer images at once and on disk
BATCHES = {128: 32, 256: 16}  # of training, by size: what 16 GB of memory hold many times over


@dataclass(frozen=True)
class Folder:
    """A folder of images that was looked at."""

    path: str  # absolute, or in the checkout
    files: int
    bytes: int
    sha256: str
    channels: int  # 1 where all are grey
    sizes: tuple[tuple[str, int], ...]  # "640x480" and how many have it, the most frequent first

    def entry(self, channels: int, size: int) -> str:
        return (
            f"reader: folder, folder: {quoted(self.path)}, files: {self.files}, bytes: {self.bytes}, "
            f"sha256: {quoted(self.sha256)}, channels: {channels}, size: {size}"
        )


def quoted(text: str) -> str:
    """Return a YAML string on one line, whatever is in the text."""
    return yaml.safe_dump(text, default_style='"', allow_unicode=True, width=math.inf).rstrip()


@dataclass(frozen=True)
class Look:
    """What a look at a folder has found, for the scale and to be said."""

    found: Folder
    contents: tuple[str, ...]  # sha256 of each image file, in the order that sets are drawn from
    notes: tuple[str, ...]  # what was left out or changed


def looked_at(folder: Path, root: Path) -> Look:
    """Read every image of a folder once.

    Raises DataError where there is no folder, where its name is no text, where it has fewer than LEAST images, and,
    naming them, where some cannot be read.
    """
    if not folder.is_dir():
        raise DataError(f"there is no folder {shown(folder)}: name one with at least {LEAST} image files.")
    here = folder.resolve()
    path = str(here.relative_to(root.resolve()) if here.is_relative_to(root.resolve()) else here)
    if not is_text(path):
        raise DataError(f"{shown(path)}: the name is not UTF-8, which a scale file is: rename the folder.")
    inside, bad, notes, sizes, channels = walk(folder), [], Notes(), Counter[str](), 1
    notes.left += inside.lines()
    files = inside.files
    if len(files) < LEAST:
        raise DataError(
            f"{shown(folder)} has {len(files)} image files: at least {LEAST} are wanted, and 500 do better. "
            f"{'; '.join([inside.taken, *inside.lines()])}."
        )
    for file in files:
        try:
            picture, changes = open_picture(file)
        except DataError as error:
            bad.append(str(error))
            continue
        for change in changes:
            notes.add(change, file)
        sizes[f"{picture.width}x{picture.height}"] += 1
        if channels == 1 and not is_grey(picture):
            channels = 3
    if bad:
        raise DataError(f"{shown(folder)}: {unreadable(bad, len(files))}")
    now, each = found_in(folder), contents(folder)
    found = Folder(path, now.files, now.bytes, digest(folder, each), channels, tuple(sizes.most_common()))
    return Look(found, tuple(each.values()), tuple(notes.lines()))


def is_text(name: str) -> bool:
    """Return whether a name of a file is UTF-8."""
    return not any("\ud800" <= letter <= "\udfff" for letter in name)


def is_grey(picture: Image.Image) -> bool:
    """Return whether all pixels of an "L" or "RGB" picture are grey; of the latter by a reduced copy."""
    if picture.mode == "L":
        return True
    small = picture.copy()
    small.thumbnail((64, 64))
    red, green, blue = (band.tobytes() for band in small.split())
    return red == green == blue


@dataclass(frozen=True)
class Own:
    """What was written, and of what."""

    name: str
    file: str
    images: Folder
    p_0: Folder | None
    channels: int
    size: int
    held_out: int
    config: Config
    warnings: tuple[str, ...]  # what is odd about the images, and what of them was left out or changed


def write_scale(
    folder: Path, name: str, root: Path, p_0: Path | None = None, size: int = 32, replace: bool = False
) -> Own:
    """Look at a folder of images and write workflow/scales/<name>.yaml, which trains on them.

    About a tenth of the images is held out: no training sees it. p_0 are crops of embedded photographs, or the images
    of another folder. Images are grey where all in both folders are, else in colour. Raises ConfigError for a
    name that cannot be one or is taken, and DataError as `looked_at`, and where p_0 has the same images as p_data.
    """
    check_scale_name(name, root, replace)
    if size not in SIZES or not isinstance(size, int):
        raise ConfigError(f"--size {size}: images can have {', '.join(map(str, SIZES))} pixels a side.")
    own, other = looked_at(folder, root), None if p_0 is None else looked_at(p_0, root)
    images, others = own.found, None if other is None else other.found
    held_out = min(MOST_HELD_OUT, images.files // 10)
    odd = copies(own, images.files - held_out) + (shared(own, other) if other else [])
    channels = max(images.channels, others.channels if others else 1)
    write_text(root / scale_path(name), scale_text(name, images, others, channels, size, held_out))
    config = configured(root, [f"scale={name}"])
    notes = (*odd, *own.notes, *(other.notes if other else ()))
    return Own(name, scale_path(name), images, others, channels, size, held_out, config, notes)


def copies(own: Look, trained: int) -> list[str]:
    """Return a sentence on files of the same content: how many there are, and whether training sees held-out ones.

    `trained` is how many of them, first in the order of the sets, are trained on.
    """
    different = len(set(own.contents))
    if different == len(own.contents):
        return []
    order = draw(len(own.contents), len(own.contents), 0)  # as in the scale, whose sets have seed 0
    seen = {own.contents[number] for number in order[:trained]}
    leaked = sum(own.contents[number] in seen for number in order[trained:])
    said = [
        f"{own.found.path} has {different} different images in {own.found.files} files: the others are copies, byte by "
        "byte. Remove them, since some count more often than others."
    ]
    if leaked:
        said.append(f"{leaked} of {len(order) - trained} held-out images are copies of some that are trained on.")
    return said


def shared(own: Look, other: Look) -> list[str]:
    """Return a sentence on images that are in p_data and in p_0. Raises DataError where all are in both."""
    both = set(own.contents) & set(other.contents)
    if both == set(own.contents) == set(other.contents):
        raise DataError(
            f"--p0 {shown(other.found.path)} has the same images as {shown(own.found.path)}: p_0 must be other images "
            "than those to learn. Leave --p0 out, or name a folder of images of anything else."
        )
    if not both:
        return []
    return [f"{len(both)} images are in p_0, too: no energy is low and high for one image. Take them out of p_0."]


def scale_path(name: str) -> str:
    return f"workflow/scales/{name}.yaml"


def check_scale_name(name: str, root: Path, replace: bool) -> None:
    if not NAME.fullmatch(name):
        raise ConfigError(
            f"--name {name!r}: a name is of small letters, digits and _, at most 40, and begins with a letter."
        )
    if name in NO_NAMES or yaml.safe_load(name) != name:
        raise ConfigError(f"--name {name}: YAML and Snakemake read it as a value and not as a name: choose another.")
    config = configured(root)
    for section in ("sets", "tasks", "runs", "samplers"):
        if name in getattr(config, section):
            raise ConfigError(f"--name {name}: {section} of config.yaml have one of this name: choose another.")
    if name not in scales(root):
        return
    if not (root / scale_path(name)).read_text(encoding="utf-8").startswith(OURS):
        raise ConfigError(
            f"--name {name}: there is a scale of this name that `atebm own` did not write: choose another."
        )
    if not replace:
        raise ConfigError(
            f"--name {name}: {scale_path(name)} is there already: choose another name, or let --replace write it anew "
            "(what was trained for it stays in work/ until `atebm prune`)."
        )


def said(own: Own) -> dict[str, Any]:
    """Return what was done, and what comes next, as JSON."""
    return {
        "name": own.name,
        "file": own.file,
        "p_data": asdict(own.images),
        "p_0": asdict(own.p_0) if own.p_0 else None,
        "channels": own.channels,
        "size": own.size,
        "trained_on": own.images.files - own.held_out,
        "held_out": own.held_out,
        "run": f"atebm warm snakemake --cores all --config scale={own.name}",
        "picture": Plan(own.config).overviews[0].files[0],
        "cost": f"atebm cost -C scale={own.name}",
        "time": time_of(own.size),
        "warnings": list(own.warnings),
        "score": f"atebm score --run {own.name} -C scale={own.name} IMAGES...",
    }


def time_of(size: int) -> str:
    """Say roughly how long one core of a CPU takes for a training and what follows: four times as long for twice."""
    return {64: "about 40 minutes of a CPU", 128: "hours of a CPU", 256: "3 hours of a CPU, or a GPU"}.get(
        size, "a few minutes on 2 CPU cores"
    )


def describe_scale(found: dict[str, Any]) -> Iterator[str]:
    """Yield the lines that describe what was done."""
    for role in ("p_data", "p_0"):
        if images := found[role]:
            sizes = ", ".join(f"{count} of {size}" for size, count in images["sizes"][:3])
            more = f", and {len(images['sizes']) - 3} other sizes" if len(images["sizes"]) > 3 else ""
            kind = "grey" if images["channels"] == 1 else "in colour"
            yield f"{role}: {shown(images['path'])}, {images['files']} images {kind}: {sizes}{more}"
            oblong = [size for size, _ in images["sizes"] if len(set(size.split("x"))) > 1]
            if oblong:
                yield f"Those that are no squares, such as {oblong[0]}, are stretched; crop them before if you mind."
    how = f"{found['size']}x{found['size']} {'grey' if found['channels'] == 1 else 'colour'}"
    yield f"{found['file']}: trained on {found['trained_on']}, {found['held_out']} held out, {how}"
    yield ""
    yield f"Next, to train, sample, score and draw ({found['time']}; {found['cost']} says more):"
    yield f"  {found['run']}"
    yield f"Then look at {found['picture']}, and score other images:"
    yield f"  {found['score']}"


def scale_text(name: str, p_data: Folder, p_0: Folder | None, channels: int, size: int, held_out: int) -> str:
    """Return the text of the scale file: scale demo's recipe, in own_scale.yaml.j2, for these images."""
    import jinja2

    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True, keep_trailing_newline=True)  # nosec B701  # YAML, where `quoted` escapes
    environment.filters["quoted"] = quoted
    template = environment.from_string((files(__package__) / "own_scale.yaml.j2").read_text(encoding="utf-8"))
    return template.render(
        ours=OURS,
        name=name,
        p_data=p_data,
        p_0=p_0,
        entry=partial(Folder.entry, channels=channels, size=size),
        channels=channels,
        size=size,
        train=p_data.files - held_out,
        held_out=held_out,
        part=p_0.files // 4 if p_0 else 0,
        batch=BATCHES.get(size, 64),
        large=size > LARGE,
        crops=8000 if size <= LARGE else 2000,  # of 256 pixels in colour they take 0.4 GB
        n=min(250, p_0.files // 4) if p_0 else 250,
        attacks={name: attack.few for name, attack in ATTACKS.items() if attack.few},
        ratio=(size / 16) * channels**0.5,  # of lengths of image vectors to those of 16x16 grey images
    )
