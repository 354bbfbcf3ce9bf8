"""Commands that apply PGD with trained models: sampling, translation, restoration, interpolation, composition."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..utils.bounds import MOST_BLENDS, MOST_LENGTH, MOST_SOURCES, MOST_STEPS
from ..utils.errors import ConfigError, DataError, shown
from .options import (
    Device,
    Fit,
    Images,
    Json,
    Overrides,
    RunName,
    above_zero,
    model_names,
    model_of,
    note,
    pick_device,
    show,
)
from .verbs import group

if TYPE_CHECKING:
    from torch import Tensor

    from ..inference.trained import Trained

app = group(no_args_is_help=True)
SOME = typer.Argument(help="Image files, or folders of them.", exists=True, show_default=False, metavar="IMAGES...")
Inputs = Annotated[list[Path] | None, SOME]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        "-o",
        help="The folder to write to; existing files are not overwritten. By default a new one in work/apply/.",
        show_default=False,
        metavar="FOLDER",
    ),
]
Count = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=MOST_SOURCES,
        help="Start from N of the run's source images instead of your own images.",
        show_default=False,
        metavar="N",
    ),
]
Steps = Annotated[
    int | None,
    typer.Option(min=1, max=MOST_STEPS, help="PGD steps; by default the run's.", show_default=False, metavar="N"),
]
StepSize = Annotated[
    float | None,
    typer.Option(
        max=MOST_LENGTH,
        callback=above_zero,
        help="L2 length of a step, in units of [0, 1] pixels; by default the run's.",
        show_default=False,
        metavar="LENGTH",
    ),
]
PHOTOGRAPHS = "data/embedded/photographs"
USUAL = "cifar10"  # the default run


def offer(name: str, what: str, example: str, **ways: Any) -> None:
    """Add a command that takes only images and the common options."""

    @app.command(name, help=what, epilog=f"Example: atebm apply {name} {example}")
    def command(
        inputs: Inputs = None,
        count: Count = None,
        run: RunName = None,
        out: Out = None,
        steps: Steps = None,
        step_size: StepSize = None,
        fit: Fit = "squash",
        device: Device = "auto",
        config: Overrides = None,
        as_json: Json = False,
    ) -> None:
        climb = Climb(out, steps, step_size, fit, device, config, as_json)
        applied_to(name, inputs or [], [run], climb, count, **ways)


offer(
    "sample",
    "Generate images like the run's training data.\n\nStarts from your images, or with --count from the run's sources.",
    "--count 64",
)
offer(
    "translate",
    "Turn images into the run's kind of data (Figure 7).\n\nThe same ascent as `sample`, from other kinds of images.",
    f"{PHOTOGRAPHS} --run demo/celebahq256",
)
offer(
    "denoise",
    "Remove noise from images (Figure S18).\n\nThe images must be like the run's data. The model does not know the "
    "noise level: use more --steps for noisier images.",
    f"{PHOTOGRAPHS}/fig.jpg --run demo/celebahq256 --steps 2",
    way="denoising",
)
offer(
    "trajectory",
    "Show how each sample develops (Figure S14).\n\nWrites an image after every step, and an animation.",
    "--count 2 --run demo/celebahq256",
    every_step=True,
)


@app.command("inpaint", epilog=f"Example: atebm apply inpaint {PHOTOGRAPHS}/fig.jpg --run demo/celebahq256")
def inpaint(
    inputs: Images,
    mask: Annotated[
        Path | None,
        typer.Option(
            help="An image that is white where to paint; by default, the middle is painted.",
            exists=True,
            dir_okay=False,
            show_default=False,
            metavar="FILE",
        ),
    ] = None,
    run: RunName = None,
    out: Out = None,
    steps: Steps = None,
    step_size: StepSize = None,
    fit: Fit = "squash",
    device: Device = "auto",
    config: Overrides = None,
    as_json: Json = False,
) -> None:
    """Fill in a part of each image (Figure S18).

    The images must be like the run's data. All other pixels stay as they are.
    """
    from ..inference.apply import AS_THEY_ARE, HOLE

    start = HOLE if mask is None else AS_THEY_ARE
    climb = Climb(out, steps, step_size, fit, device, config, as_json)
    applied_to("inpaint", inputs, [run], climb, way="inpainting", mask=mask, start=start)


@app.command("interpolate", epilog=f"Example: atebm apply interpolate {PHOTOGRAPHS}/fig.jpg {PHOTOGRAPHS}/dogs.jpg")
def interpolate(
    inputs: Images,
    count: Annotated[
        int, typer.Option(min=2, max=MOST_BLENDS, help="Images per pair, both ends included.", metavar="N")
    ] = 9,
    run: RunName = None,
    out: Out = None,
    steps: Steps = None,
    step_size: StepSize = None,
    fit: Fit = "squash",
    device: Device = "auto",
    config: Overrides = None,
    as_json: Json = False,
) -> None:
    """Generate images from blends of pairs (Figure S11).

    Blends the first image with the second, the third with the fourth, and so on.
    """
    climb = Climb(out, steps, step_size, fit, device, config, as_json)
    applied_to("interpolate", inputs, [run], climb, start={"name": "blends", "count": count})


@app.command("compose", epilog="Example: atebm apply compose --run demo/celebahq256 --and demo/afhqcat256 --count 8")
def compose(
    others: Annotated[
        list[str],
        typer.Option("--and", help="A run whose f is added; repeatable.", autocompletion=model_names, metavar="RUN"),
    ],
    inputs: Inputs = None,
    count: Count = None,
    run: RunName = None,
    out: Out = None,
    steps: Steps = None,
    step_size: StepSize = None,
    fit: Fit = "squash",
    device: Device = "auto",
    config: Overrides = None,
    as_json: Json = False,
) -> None:
    """Generate images from the sum of several f (Figure S17)."""
    climb = Climb(out, steps, step_size, fit, device, config, as_json)
    applied_to("compose", inputs or [], [run, *others], climb, count)


@dataclass(frozen=True)
class Climb:
    """The options that all commands above share."""

    out: Path | None
    steps: int | None
    step_size: float | None
    fit: str
    device: str
    config: list[str] | None
    as_json: bool

    def usual(self, model: "Trained", way: str) -> tuple[int, float]:
        """Return the number of steps and their size: as given, or else the model's own for this way of applying it."""
        if self.steps is not None and self.step_size is not None:
            return self.steps, self.step_size
        steps, step_size = model.steps(way)
        return (
            steps if self.steps is None else self.steps,
            step_size if self.step_size is None else self.step_size,
        )


def applied_to(
    verb: str,
    inputs: list[Path],
    runs: list[str | None],
    climb: Climb,
    count: int | None = None,
    *,
    way: str = "sampling",
    every_step: bool = False,
    **options: Any,
) -> None:
    """Do the common work of the commands above: check the options, climb, write images, and report."""
    from ..data.pictures import Notes
    from ..inference.apply import apply_models, shape_of
    from ..inference.outputs import SHEET, free, refuse, write
    from ..inference.sheet import contact_sheet
    from ..inference.trained import said_of

    notes, where = Notes(), pick_device(climb.device)
    models = [model_of(run, USUAL, climb.config) for run in runs]
    shape_of(models)
    out = climb.out or free(Path("work/apply") / verb)
    sheet = free(out / SHEET)
    steps, step_size = climb.usual(models[0], way)
    names, images = named_inputs(models[0], inputs, count, climb.fit, notes)
    if blends := options.get("start", {}).get("count"):
        names = pairs(names, blends)
    ends = [out / f"{name}.{'gif' if every_step else 'png'}" for name in names]
    between = [[out / f"{name}_{step:03}.png" for step in range(steps + 1)] if every_step else [] for name in names]
    refuse([*ends, *itertools.chain(*between), sheet], out)
    found = apply_models(models, images(), where, steps, step_size, every_step=every_step, fit=climb.fit, **options)
    files: dict[Path, Any] = dict(zip(ends, found.frames if every_step else found.frames[:, -1], strict=True))
    for paths, way_there in zip(between, found.frames, strict=True):
        files |= dict(zip(paths, way_there, strict=False))
    title = f"Before and after {steps} steps of length {step_size:g}. E is the energy: low for images like the data."
    files[sheet] = contact_sheet(found.frames[:, 0], found.frames[:, -1], found.energies, title)
    written = write(files) - 1
    note(said_of(models))
    note(notes.lines())
    before, after = found.energies.mean(axis=0)
    images_made = [
        {"file": str(path), "energy_before": float(first), "energy_after": float(last)}
        for path, (first, last) in zip(ends, found.energies, strict=True)
    ]
    facts = {"out": str(out), "written": written, "sheet": str(sheet), "steps": steps, "step_size": step_size}
    facts |= {"energy": {"before": float(before), "after": float(after)}, "images": images_made}
    show(facts, describe_applied, climb.as_json)


def describe_applied(found: dict[str, Any]) -> list[str]:
    """Return lines about the written images."""
    from ..utils.quantities import rounded

    steps, written = found["steps"], found["written"]
    before, after = (rounded(found["energy"][end]) for end in ("before", "after"))
    return [
        f"{shown(found['out'])}: {written:,} {'file' if written == 1 else 'files'} written, after {steps:,} "
        f"{'step' if steps == 1 else 'steps'}; mean energy {before} before, {after} after",
        f"{shown(found['sheet'])} shows them side by side",
    ]


def named_inputs(
    model: "Trained", inputs: list[Path], count: int | None, fit: str, notes: Any
) -> "tuple[list[str], Callable[[], Tensor]]":
    """Return the names of the images to make, and a function that reads the starting images, uint8 (n, C, H, W).

    Raises DataError unless there are either images or a count.
    """
    from ..inference.outputs import labels
    from ..inference.score import list_images, read_images
    from ..inference.sources import held_out_sources

    if bool(inputs) == (count is not None):
        raise DataError("name image files or folders, or use --count 64 to start from the run's source images.")
    if count is not None:
        return [f"sample_{number:04}" for number in range(count)], partial(held_out_sources, model, count)
    channels, side, _ = model.record["shape"]
    files = list_images(inputs, notes)

    def read() -> "Tensor":
        return read_images(files, channels, side, notes, fit)

    return labels(files), read


def pairs(names: list[str], count: int) -> list[str]:
    """Return the names of `count` blends per pair: of the first and second name, the third and fourth, and so on."""
    if len(names) % 2:
        raise ConfigError(f"{len(names)} images cannot be paired: name an even number of images.")
    both = [f"{a}_to_{b}" for a, b in zip(names[::2], names[1::2], strict=True)]
    return [f"{pair}_{number:02}" for pair in both for number in range(count)]
