"""Verbs that use a trained run on your own images, and that train a run on them."""

import itertools
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from ..utils.bounds import MOST_BLENDS, MOST_LENGTH, MOST_STEPS
from ..utils.errors import ConfigError, shown
from .options import (
    OWN,
    USE,
    Device,
    Json,
    Overrides,
    RunName,
    above_zero,
    model_names,
    note,
    pick_device,
    present_plan,
    show,
    verb,
)

app = typer.Typer()
command = partial(verb, app, USE)

Images = Annotated[list[Path], typer.Argument(help="image files, or folders of them", exists=True)]


@command("atebm score photographs/ picture.jpg --run cifar10_ood")
def score(
    images: Images,
    run: RunName = "cifar10_ood",
    config: Overrides = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Print the energy of images, and the share of in-distribution images that have a higher one.

    Exit code 1: some of them cannot be read.
    """
    from ..data.pictures import Notes
    from ..inference.score import Scored, describe_scores, score_images
    from ..inference.trained import find, said_of

    notes, errors = Notes(), []
    model = find(present_plan(config), run, Path())

    def told() -> Iterator[Scored]:
        for image in score_images(model, images, pick_device(device), notes):
            if image.error:
                errors.append(image.error)
            yield image

    show([image.facts for image in told()] if as_json else told(), describe_scores, as_json)
    note(said_of([model]))
    note(notes.lines())
    note(errors, "error")
    raise typer.Exit(bool(errors))


@verb(app, OWN, "atebm own photographs/ --name cats")
def own(
    folder: Annotated[Path, typer.Argument(help="where the images are, there and below; at least 100")],
    name: Annotated[str, typer.Option(help="what scale and run are called", metavar="NAME")],
    p_0: Annotated[
        Path | None,
        typer.Option(
            "--p0", help="images of anything, as p_0; by default crops of embedded photographs", show_default=False
        ),
    ] = None,
    size: Annotated[
        int, typer.Option(help="pixels a side: 8, 16, 32 or 64; training takes four times as long for twice")
    ] = 32,
    replace: Annotated[bool, typer.Option("--replace", help="write the scale of this name anew")] = False,
    as_json: Json = False,
) -> None:
    """Look at a folder of images, and write a scale of the workflow that trains on them."""
    from ..data.own_images import describe_scale, said, write_scale

    made = write_scale(folder, name, Path(), p_0, size, replace)
    show(said(made), describe_scale, as_json)
    note(made.warnings, "warning")


# --- PGD on your own images -------------------------------------------------------------------------------------------

apply = typer.Typer(no_args_is_help=True)
app.add_typer(
    apply,
    name="apply",
    rich_help_panel=USE,
    help="PGD with a trained model on images of your own, of any size and format.",
    epilog="Example: atebm apply sample photographs/ --run celebahq256 -o out",
)

Out = Annotated[Path, typer.Option("--out", "-o", help="the folder for what is made; nothing in it is overwritten")]
Steps = Annotated[
    int | None,
    typer.Option(min=1, max=MOST_STEPS, help="PGD steps; by default the run's own", show_default=False),
]
StepSize = Annotated[
    float | None,
    typer.Option(
        max=MOST_LENGTH, callback=above_zero, help="L2, in [0, 1] pixel units, above 0; likewise", show_default=False
    ),
]


def example(verb: str, more: str = "") -> str:
    return f"Example: atebm apply {verb} photographs/ --run celebahq256{more} -o out"


def offer(name: str, what: str, **ways: Any) -> None:
    """Return what a command gives that wants no more than images."""

    @apply.command(name, help=what, epilog=example(name))
    def command(
        inputs: Images,
        run: RunName,
        out: Out,
        steps: Steps = None,
        step_size: StepSize = None,
        device: Device = "auto",
        config: Overrides = None,
    ) -> None:
        applied_to(inputs, [run], out, device, config, steps=steps, step_size=step_size, **ways)


offer("sample", "Generate an image of the run's data from each input.")
offer("translate", "Translate images of another kind to the run's data (Fig. 7): the same ascent as `sample`.")
offer("denoise", "Take noise from images of the run's kind (Fig. S18); more noise wants more steps.", way="denoising")
offer(
    "trajectory",
    "Show the way from each input to the sample: an image after every step, and an animation (Fig. S14).",
    every_step=True,
)


@apply.command("inpaint", epilog=example("inpaint", " --mask mask.png"))
def apply_inpaint(
    inputs: Images,
    run: RunName,
    out: Out,
    mask: Annotated[
        Path | None,
        typer.Option(
            help="an image, white where to paint; by default the middle",
            exists=True,
            dir_okay=False,
            show_default=False,
        ),
    ] = None,
    steps: Steps = None,
    step_size: StepSize = None,
    device: Device = "auto",
    config: Overrides = None,
) -> None:
    """Paint a part of images of the run's kind anew; all other pixels stay (Fig. S18)."""
    from ..inference.apply import AS_THEY_ARE, HOLE

    start = HOLE if mask is None else AS_THEY_ARE
    ways: dict[str, Any] = {"way": "inpainting", "mask": mask, "start": start}
    applied_to(inputs, [run], out, device, config, steps=steps, step_size=step_size, **ways)


@apply.command("interpolate", epilog=example("interpolate", " --count 5"))
def apply_interpolate(
    inputs: Images,
    run: RunName,
    out: Out,
    count: Annotated[int, typer.Option(min=2, max=MOST_BLENDS, help="images of each pair, both ends included")] = 9,
    steps: Steps = None,
    step_size: StepSize = None,
    device: Device = "auto",
    config: Overrides = None,
) -> None:
    """Generate from blends of the first input with the second, the third with the fourth, ... (Fig. S11)."""
    start = {"name": "blends", "count": count}
    applied_to(inputs, [run], out, device, config, steps=steps, step_size=step_size, start=start)


@apply.command("compose", epilog=example("compose", " --and afhqcat256"))
def apply_compose(
    inputs: Images,
    run: RunName,
    out: Out,
    others: Annotated[
        list[str], typer.Option("--and", help="a run whose f is added; repeat for more", autocompletion=model_names)
    ],
    steps: Steps = None,
    step_size: StepSize = None,
    device: Device = "auto",
    config: Overrides = None,
) -> None:
    """Generate by the sum of several runs' f (Fig. S17)."""
    applied_to(inputs, [run, *others], out, device, config, steps=steps, step_size=step_size)


def applied_to(
    inputs: list[Path],
    runs: list[str],
    out: Path,
    device: str,
    config: list[str] | None,
    *,
    steps: int | None,
    step_size: float | None,
    way: str = "sampling",
    every_step: bool = False,
    **options: Any,
) -> None:
    """Do what the commands above share: check what can be known before, climb, write, and say what was done."""
    from ..data.pictures import Notes
    from ..inference.apply import apply_models
    from ..inference.outputs import labels, refuse, write
    from ..inference.score import list_images
    from ..inference.trained import find, said_of

    notes, plan, where = Notes(), present_plan(config), pick_device(device)
    files, models = list_images(inputs, notes), [find(plan, run, Path()) for run in runs]
    if steps is None or step_size is None:
        usual_steps, usual_size = models[0].steps(way)
        steps = usual_steps if steps is None else steps
        step_size = usual_size if step_size is None else step_size
    made = labels(files)
    if count := options.get("start", {}).get("count"):
        made = pairs(made, count)
    ends = [out / f"{name}.{'gif' if every_step else 'png'}" for name in made]
    between = [[out / f"{name}_{step:03}.png" for step in range(steps + 1)] if every_step else [] for name in made]
    refuse([*ends, *itertools.chain(*between)], out)
    frames = apply_models(models, files, where, steps, step_size, every_step=every_step, notes=notes, **options)
    images = dict(zip(ends, frames if every_step else frames[:, -1], strict=True))
    for paths, way_there in zip(between, frames, strict=True):
        images |= dict(zip(paths, way_there, strict=False))
    written = write(images)
    note(said_of(models))
    note(notes.lines())
    print(f"{shown(out)}: {written} {'files' if every_step else 'images'} written, after {steps} steps")


def pairs(made: list[str], count: int) -> list[str]:
    """Return the names of what is made between the first and the second, the third and the fourth, and so on."""
    if len(made) % 2:
        raise ConfigError(f"{len(made)} images are no pairs: name as many again as are to be blended.")
    both = [f"{a}_to_{b}" for a, b in zip(made[::2], made[1::2], strict=True)]
    return [f"{pair}_{number:02}" for pair in both for number in range(count)]
