"""Commands that score your own images or train on them; the commands of `apply` are in apply.py."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import apply
from .options import Device, Fit, Images, Json, Overrides, RunName, model_of, note, pick_device, show, sizes
from .verbs import OWN, USE, group, verb

if TYPE_CHECKING:
    from ..inference.score import Scored

app = group()
command = partial(verb, app, USE)
app.add_typer(
    apply.app,
    name="apply",
    rich_help_panel=USE,
    help="Transform images: sample, translate, restore.\n\nClimbs a model's f from images of any size or format.",
    epilog="Example: atebm apply sample --count 64",
)


@command("atebm score data/embedded/photographs")
def score(
    images: Images,
    run: RunName = None,
    fit: Fit = "squash",
    config: Overrides = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Find images that are unlike the training data.

    Prints each image's energy, the share of in-distribution images with a higher energy, and "in" or "out": "in" if the
    energy is low enough to accept 95 % of the in-distribution images. Exit code 1: some images cannot be read.
    """
    from ..data.pictures import Notes
    from ..inference.score import describe_scores, describe_threshold, score_images
    from ..inference.trained import said_of

    notes, model = Notes(), model_of(run, "cifar10_ood", config)
    seen: list[Scored] = []

    def told() -> "Iterator[Scored]":
        for image in score_images(model, images, pick_device(device), notes, fit):
            seen.append(image)
            yield image

    show([image.facts for image in told()] if as_json else told(), describe_scores, as_json)
    note(said_of([model]))
    note(describe_threshold(image.threshold) for image in seen[:1] if image.threshold is not None)
    note(notes.lines())
    errors = [image.error for image in seen if image.error]
    note(errors, "error")
    raise typer.Exit(bool(errors))


@verb(app, OWN, "atebm own photographs/ --name cats")
def own(
    folder: Annotated[Path, typer.Argument(help="The folder of the images, with its subfolders; at least 100 images.")],
    name: Annotated[str, typer.Option(help="The name of the new scale and run.", metavar="NAME")],
    p_0: Annotated[
        Path | None,
        typer.Option(
            "--p0",
            help="A folder of any images to start from; by default crops of photographs.",
            show_default=False,
            metavar="FOLDER",
        ),
    ] = None,
    size: Annotated[
        int,
        typer.Option(
            help="Side of the images in pixels: 8, 16, 32, 64, 128 or 256. Doubling it quadruples training time.",
            autocompletion=sizes,
            metavar="SIZE",
        ),
    ] = 32,
    replace: Annotated[bool, typer.Option("--replace", help="Overwrite an existing scale.")] = False,
    as_json: Json = False,
) -> None:
    """Prepare to train on a folder of images.

    Checks every image, writes a scale of the workflow, and prints the command to train.
    """
    from ..data.own_images import describe_scale, said, write_scale

    made = write_scale(folder, name, Path(), p_0, size, replace)
    show(said(made), describe_scale, as_json)
    note(made.warnings, "warning")
