"""The command line: one verb per kind of step. Every rule calls it, a person can too:

python -m atebm train work/specs/train/cifar10-1a2b3c4d.json
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .errors import UserError
from .job import Job

if TYPE_CHECKING:
    import torch

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_show_locals=False, help=__doc__)

Spec = Annotated[Path, typer.Argument(help="a step's spec, work/specs/<kind>/<id>.json", exists=True, dir_okay=False)]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or mps", envvar="ATEBM_DEVICE")]


@app.command()
def data(spec: Spec) -> None:
    """Prepare an image set as uint8 arrays."""
    from .data.prepare import write_set

    write_set(Job(spec))


@app.command()
def toy(spec: Spec) -> None:
    """Simulate Algorithm 1 in 2D."""
    from .toy import write_toy

    write_toy(Job(spec))


@app.command()
def extractor(spec: Spec, device: Device = "auto") -> None:
    """Train the stand-in feature extractor."""
    from .training.classifier import train_classifier

    train_classifier(Job(spec), pick(device))


@app.command()
def train(spec: Spec, device: Device = "auto") -> None:
    """Train one run (Algorithm 2), resuming where an interrupted one stopped."""
    from .training.loop import train

    train(Job(spec), pick(device))


@app.command()
def sample(
    spec: Spec,
    shard: Annotated[str, typer.Argument(help='which part, such as "0-of-4"')],
    out: Annotated[Path, typer.Argument(help="the .npz to write")],
    device: Device = "auto",
) -> None:
    """Sample one shard by PGD from source images."""
    from .sampling.generate import sample_shard

    sample_shard(Job(spec), shard, out, pick(device))


@app.command()
def gather(spec: Spec, shards: Annotated[list[Path], typer.Argument(help="the shards, in order")]) -> None:
    """Join the shards of a sample step."""
    from .sampling.gather import gather

    gather(Job(spec), shards)


@app.command()
def features(spec: Spec, device: Device = "auto") -> None:
    """Extract the features of a set or of samples."""
    from .metrics.features import write_features

    write_features(Job(spec), pick(device))


@app.command()
def metric(spec: Spec) -> None:
    """Compute one metric from features."""
    from .metrics.score import write_metric

    write_metric(Job(spec))


@app.command()
def normalise(source: Path, target: Path) -> None:
    """Drop from an executed notebook what differs between two runs of it."""
    from .report.normalise_notebook import normalise

    normalise(source, target)


@app.command()
def manifest(out: Path, plans: Annotated[list[Path], typer.Argument(help="work/specs/artifact/<id>.json")]) -> None:
    """Write what the results were made with and from."""
    from .report.manifest import write_manifest

    write_manifest(out, plans)


@app.command()
def readme(path: Path = Path("README.md"), results: Path = Path("results")) -> None:
    """Bring the README's artifact table up to date with results/."""
    from .report.readme import write_readme

    write_readme(path, results)


def pick(device: str) -> "torch.device":
    """The device of a name; `auto` takes a GPU where there is one."""
    import torch

    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    return torch.device(device)


def main() -> None:
    try:
        app()
    except UserError as error:
        sys.exit(f"error: {error}")
