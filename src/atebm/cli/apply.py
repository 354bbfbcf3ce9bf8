"""PGD with trained models on images: sampling, translation, restoration, interpolation, composition."""

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
        help="The folder to write to; nothing in it is overwritten. By default a new one in work/apply/.",
        show_default=False,
        metavar="FOLDER",
    ),
]
Count = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=MOST_SOURCES,
        help="Instead of images of your own: so many held-out ones that the run's samples start from.",
        show_default=False,
        metavar="N",
    ),
]
Steps = Annotated[
    int | None,
    typer.Option(min=1, max=MOST_STEPS, help="PGD steps; by default the run's own.", show_default=False, metavar="N"),
]
StepSize = Annotated[
    float | None,
    typer.Option(
        max=MOST_LENGTH,
        callback=above_zero,
        help="L2 length of a step, in [0, 1] pixel units; by default the run's own.",
        show_default=False,
        metavar="LENGTH",
    ),
]
PHOTOGRAPHS = "data/embedded/photographs"
USUAL = "cifar10"  # the run where none is named


def offer(name: str, what: str, example: str, **ways: Any) -> None:
    """Offer a command that wants no more than images."""

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
    "Generate images of the run's data.\n\nFrom images of yours, or with --count from held-out ones.",
    "--count 64",
)
offer(
    "translate",
    "Turn images into the run's data (Figure 7).\n\nThe same ascent as `sample`, from images of another kind.",
    f"{PHOTOGRAPHS} --run demo/celebahq256",
)
offer(
    "denoise",
    "Take noise from images (Figure S18).\n\nOf the run's kind. The model does not know how much noise there is: "
    "give more --steps for more of it.",
    f"{PHOTOGRAPHS}/fig.jpg --run demo/celebahq256 --steps 2",
    way="denoising",
)
offer(
    "trajectory",
    "Show the way to each sample (Figure S14).\n\nAn image after every step, and an animation.",
    "--count 2 --run demo/celebahq256",
    every_step=True,
)


@app.command("inpaint", epilog=f"Example: atebm apply inpaint {PHOTOGRAPHS}/fig.jpg --run demo/celebahq256")
def inpaint(
    inputs: Images,
    mask: Annotated[
        Path | None,
        typer.Option(
            help="An image, white where to paint; by default the middle.",
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
    """Paint a part of images anew (Figure S18).

    Of images of the run's kind; all other pixels stay.
    """
    from ..inference.apply import AS_THEY_ARE, HOLE

    start = HOLE if mask is None else AS_THEY_ARE
    climb = Climb(out, steps, step_size, fit, device, config, as_json)
    applied_to("inpaint", inputs, [run], climb, way="inpainting", mask=mask, start=start)


@app.command("interpolate", epilog=f"Example: atebm apply interpolate {PHOTOGRAPHS}/fig.jpg {PHOTOGRAPHS}/dogs.jpg")
def interpolate(
    inputs: Images,
    count: Annotated[
        int, typer.Option(min=2, max=MOST_BLENDS, help="Images of each pair, both ends included.", metavar="N")
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
    """Generate from blends of pairs (Figure S11).

    Of the first image with the second, of the third with the fourth, and so on.
    """
    climb = Climb(out, steps, step_size, fit, device, config, as_json)
    applied_to("interpolate", inputs, [run], climb, start={"name": "blends", "count": count})


@app.command("compose", epilog="Example: atebm apply compose --run demo/celebahq256 --and demo/afhqcat256 --count 8")
def compose(
    others: Annotated[
        list[str],
        typer.Option(
            "--and", help="A run whose f is added; repeat for more.", autocompletion=model_names, metavar="RUN"
        ),
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
    """Generate by the sum of several f (Figure S17)."""
    climb = Climb(out, steps, step_size, fit, device, config, as_json)
    applied_to("compose", inputs or [], [run, *others], climb, count)


@dataclass(frozen=True)
class Climb:
    """What all commands above are told alike."""

    out: Path | None
    steps: int | None
    step_size: float | None
    fit: str
    device: str
    config: list[str] | None
    as_json: bool

    def usual(self, model: "Trained", way: str) -> tuple[int, float]:
        """Return the steps and their size: those of the run for a way of applying it, where none are named."""
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
    """Do what the commands above share: check what can be known before the work, climb, write, and report."""
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
    made, images = named_inputs(models[0], inputs, count, climb.fit, notes)
    if blends := options.get("start", {}).get("count"):
        made = pairs(made, blends)
    ends = [out / f"{name}.{'gif' if every_step else 'png'}" for name in made]
    between = [[out / f"{name}_{step:03}.png" for step in range(steps + 1)] if every_step else [] for name in made]
    refuse([*ends, *itertools.chain(*between), sheet], out)
    found = apply_models(models, images(), where, steps, step_size, every_step=every_step, fit=climb.fit, **options)
    files: dict[Path, Any] = dict(zip(ends, found.frames if every_step else found.frames[:, -1], strict=True))
    for paths, way_there in zip(between, found.frames, strict=True):
        files |= dict(zip(paths, way_there, strict=False))
    title = f"Before, and after {steps} steps of length {step_size:g}. E: the energy, low for images like the data."
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
    """Say what was made of images."""
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
    """Return what is made of each image is called, and what reads the images, uint8 (n, C, H, W), when it is called.

    Raises DataError for both images and a count, and for neither.
    """
    from ..inference.outputs import labels
    from ..inference.score import list_images, read_images
    from ..inference.sources import held_out_sources

    if bool(inputs) == (count is not None):
        raise DataError("name image files, or folders of them; or say --count 64, for held-out images of the run.")
    if count is not None:
        return [f"sample_{number:04}" for number in range(count)], partial(held_out_sources, model, count)
    channels, side, _ = model.record["shape"]
    files = list_images(inputs, notes)

    def read() -> "Tensor":
        return read_images(files, channels, side, notes, fit)

    return labels(files), read


def pairs(made: list[str], count: int) -> list[str]:
    """Return the names of what is made between the first and the second, the third and the fourth, and so on."""
    if len(made) % 2:
        raise ConfigError(f"{len(made)} images are no pairs: name as many again as are to be blended.")
    both = [f"{a}_to_{b}" for a, b in zip(made[::2], made[1::2], strict=True)]
    return [f"{pair}_{number:02}" for pair in both for number in range(count)]
