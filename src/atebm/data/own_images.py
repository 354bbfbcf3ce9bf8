"""User images as p_data: a scale of the workflow with a single run, which is trained on a folder of images.

`atebm own` reads the folder and writes workflow/scales/<name>.yaml; the workflow does the rest, as for every scale.
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

LEAST = 100  # images in a user's folder for p_data or p_0
MOST_HELD_OUT = 200
OURS = "# Written by `atebm own`"  # the beginning of such a scale file
NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
NO_NAMES = ("nan", "inf", "infinity")  # --config reads these as numbers
SIZES = (8, 16, 32, 64, 128, 256)  # sizes that the network `small` accepts
LARGE = 64  # for larger images, batches and sets are smaller
BATCHES = {128: 32, 256: 16}  # training batch by size; 16 GB of memory are far more than enough


@dataclass(frozen=True)
class Folder:
    """A folder of images, and facts about them."""

    path: str  # absolute, or relative to the checkout
    files: int
    bytes: int
    sha256: str
    channels: int  # 1 if all images are grey
    sizes: tuple[tuple[str, int], ...]  # sizes such as "640x480" with their counts, the most frequent first

    def entry(self, channels: int, size: int) -> str:
        return (
            f"reader: folder, folder: {quoted(self.path)}, files: {self.files}, bytes: {self.bytes}, "
            f"sha256: {quoted(self.sha256)}, channels: {channels}, size: {size}"
        )


def quoted(text: str) -> str:
    """Return any text as a YAML string on one line."""
    return yaml.safe_dump(text, default_style='"', allow_unicode=True, width=math.inf).rstrip()


@dataclass(frozen=True)
class Look:
    """The findings about a folder, for the scale and for messages."""

    found: Folder
    contents: tuple[str, ...]  # sha256 of each image file, in the order from which sets are drawn
    notes: tuple[str, ...]  # messages on files that were left out or changed


def looked_at(folder: Path, root: Path) -> Look:
    """Read every image of a folder once.

    Raises DataError if there is no such folder, if its name is not UTF-8, if it has fewer than LEAST images, or if some
    cannot be read; the message names these.
    """
    if not folder.is_dir():
        raise DataError(f"there is no folder {shown(folder)}: name one with at least {LEAST} image files.")
    here = folder.resolve()
    path = str(here.relative_to(root.resolve()) if here.is_relative_to(root.resolve()) else here)
    if not is_text(path):
        raise DataError(f"{shown(path)}: the name is not UTF-8, as a scale file must be: rename the folder.")
    inside, bad, notes, sizes, channels = walk(folder), [], Notes(), Counter[str](), 1
    notes.left += inside.lines()
    files = inside.files
    if len(files) < LEAST:
        raise DataError(
            f"{shown(folder)} has {len(files)} image files, but at least {LEAST} are needed, better 500. "
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
    """Return whether a file name is UTF-8."""
    return not any("\ud800" <= letter <= "\udfff" for letter in name)


def is_grey(picture: Image.Image) -> bool:
    """Return whether all pixels of an "L" or "RGB" picture are grey; for "RGB", a reduced copy is checked."""
    if picture.mode == "L":
        return True
    small = picture.copy()
    small.thumbnail((64, 64))
    red, green, blue = (band.tobytes() for band in small.split())
    return red == green == blue


@dataclass(frozen=True)
class Own:
    """A written scale, and the folders that it uses."""

    name: str
    file: str
    images: Folder
    p_0: Folder | None
    channels: int
    size: int
    held_out: int
    config: Config
    warnings: tuple[str, ...]  # messages on odd images, and on images that were left out or changed


def write_scale(
    folder: Path, name: str, root: Path, p_0: Path | None = None, size: int = 32, replace: bool = False
) -> Own:
    """Read a folder of images and write workflow/scales/<name>.yaml, which trains on them.

    About a tenth of the images is held out from training. p_0 is crops of embedded photographs, or the images of
    another folder. Images are grey if all images in both folders are grey, else in colour. Raises ConfigError if the
    name is invalid or taken. Raises DataError if a folder cannot be used, and if p_0 has the same images as p_data.
    """
    check_scale_name(name, root, replace)
    if size not in SIZES or not isinstance(size, int):
        raise ConfigError(f"--size {size}: choose one of {', '.join(map(str, SIZES))} pixels.")
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
    """Return messages on files with equal contents, and on held-out images that are also in the training set.

    `trained` is the number of training images, which come first in the order of the sets.
    """
    different = len(set(own.contents))
    if different == len(own.contents):
        return []
    order = draw(len(own.contents), len(own.contents), 0)  # as in the scale, whose sets have seed 0
    seen = {own.contents[number] for number in order[:trained]}
    leaked = sum(own.contents[number] in seen for number in order[trained:])
    messages = [
        f"{own.found.path} has {different} different images in {own.found.files} files: the others are exact copies. "
        "Remove the copies, since images with copies count more than others."
    ]
    if leaked:
        messages.append(f"{leaked} of {len(order) - trained} held-out images are copies of training images.")
    return messages


def shared(own: Look, other: Look) -> list[str]:
    """Return a message on images that are in both p_data and p_0. Raises DataError if all images are in both."""
    both = set(own.contents) & set(other.contents)
    if both == set(own.contents) == set(other.contents):
        raise DataError(
            f"--p0 {shown(other.found.path)} has the same images as {shown(own.found.path)}, but p_0 must differ from "
            "the images to learn. Leave --p0 out, or name a folder of other images."
        )
    if not both:
        return []
    return [f"{len(both)} images are also in p_0, but one energy cannot be both low and high. Remove them there."]


def scale_path(name: str) -> str:
    return f"workflow/scales/{name}.yaml"


def check_scale_name(name: str, root: Path, replace: bool) -> None:
    if not NAME.fullmatch(name):
        raise ConfigError(f"--name {name!r}: use at most 40 lower-case letters, digits and _, beginning with a letter.")
    if name in NO_NAMES or yaml.safe_load(name) != name:
        raise ConfigError(f"--name {name}: YAML and Snakemake read it as a value, not as a name: choose another.")
    config = configured(root)
    for section in ("sets", "tasks", "runs", "samplers"):
        if name in getattr(config, section):
            raise ConfigError(f"--name {name}: config.yaml has this name in {section}: choose another.")
    if name not in scales(root):
        return
    if not (root / scale_path(name)).read_text(encoding="utf-8").startswith(OURS):
        raise ConfigError(
            f"--name {name}: there is a scale with this name that `atebm own` did not write: choose another."
        )
    if not replace:
        raise ConfigError(
            f"--name {name}: {scale_path(name)} exists already: choose another name, or overwrite it with --replace "
            "(its trained models stay in work/ until `atebm prune`)."
        )


def said(own: Own) -> dict[str, Any]:
    """Return what was written, and the next commands, as JSON data."""
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
    """Return in words how long training and the steps after it take; twice the size takes four times as long."""
    return {64: "about 40 minutes of a CPU", 128: "hours of a CPU", 256: "3 hours of a CPU, or a GPU"}.get(
        size, "a few minutes on 2 CPU cores"
    )


def describe_scale(found: dict[str, Any]) -> Iterator[str]:
    """Yield lines that describe what was written, and the next commands."""
    for role in ("p_data", "p_0"):
        if images := found[role]:
            sizes = ", ".join(f"{count} of {size}" for size, count in images["sizes"][:3])
            more = f", and {len(images['sizes']) - 3} other sizes" if len(images["sizes"]) > 3 else ""
            kind = "grey" if images["channels"] == 1 else "in colour"
            yield f"{role}: {shown(images['path'])}, {images['files']} images {kind}: {sizes}{more}"
            oblong = [size for size, _ in images["sizes"] if len(set(size.split("x"))) > 1]
            if oblong:
                yield f"Images that are not square, such as {oblong[0]}, are stretched; to avoid that, crop them first."
    how = f"{found['size']}x{found['size']} {'grey' if found['channels'] == 1 else 'colour'}"
    yield f"{found['file']}: trained on {found['trained_on']}, {found['held_out']} held out, {how}"
    yield ""
    yield f"Next, train, sample, score and draw ({found['time']}; for an estimate: {found['cost']}):"
    yield f"  {found['run']}"
    yield f"Then look at {found['picture']}, and score other images:"
    yield f"  {found['score']}"


def scale_text(name: str, p_data: Folder, p_0: Folder | None, channels: int, size: int, held_out: int) -> str:
    """Return the text of the scale file: the demo scale's recipe, in own_scale.yaml.j2, for these images."""
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
        crops=8000 if size <= LARGE else 2000,  # 2,000 crops of 256 pixels in colour take 0.4 GB
        n=min(250, p_0.files // 4) if p_0 else 250,
        attacks={name: attack.few for name, attack in ATTACKS.items() if attack.few},
        ratio=(size / 16) * channels**0.5,  # length of an image vector relative to that of a 16x16 grey image
    )
