"""The steps of the workflow, one verb per kind: each takes a spec, work/specs/<kind>/<id>.json, and leaves a folder.

Every rule calls one, a person can too: atebm train work/specs/train/cifar10-1a2b3c4d.json
"""

import json
import os
import re
import zipfile
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from ..inference.outputs import check_file
from ..pipeline.job import Job
from ..utils.bounds import MOST_PROCESSES
from ..utils.errors import ConfigError, shown
from ..utils.files import assure_writable
from .options import OTHERS, STEPS, Device, pick_device, present_plan, verb

app = typer.Typer()
step = partial(verb, app, STEPS)


def parsed(path: Path) -> Any:
    """The JSON in a file; None where it is something else."""
    try:
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
    except (ValueError, RecursionError):
        return None


def spec_of_kind(context: typer.Context, path: Path) -> Path:
    """Callback: a spec of the kind of step that the verb computes."""
    kinds = GATHERED if context.info_name == "gather" else (context.info_name,)
    found = parsed(path)
    sound = isinstance(found, dict) and found.keys() >= {"kind", "name", "settings", "parents"}
    if not (sound and found["kind"] in kinds and path.absolute().match(f"specs/{found['kind']}/*.json")):
        raise typer.BadParameter(
            f"{shown(path)} is no spec of this kind, work/specs/{' or '.join(map(str, kinds))}/<id>.json; the workflow "
            "writes them: snakemake -n."
        )
    return path if len(path.parents) >= 3 else path.absolute()


def request_of(path: Path) -> Path:
    """Callback: what a rendering is asked to show."""
    found = parsed(path)
    if not (isinstance(found, dict) and isinstance(found.get("plan"), dict)):
        raise typer.BadParameter(
            f"{shown(path)} is no request, work/specs/artifact/<id>.json: snakemake -n writes them."
        )
    return path


def notebook_of(path: Path) -> Path:
    """Callback: a notebook."""
    found = parsed(path)
    if not (isinstance(found, dict) and isinstance(found.get("cells"), list)):
        raise typer.BadParameter(f"{shown(path)} is no notebook.")
    return path


def shard_of(name: str) -> str:
    """Callback: "i-of-k", i from 0 to k - 1."""
    found = re.fullmatch(r"(\d{1,6})-of-(\d{1,6})", name, re.ASCII)
    if not (found and int(found[1]) < int(found[2])):
        raise typer.BadParameter(f"{name!r} is no shard: such as 0-of-4, the first of four.")
    return name


def shards_of(paths: list[Path]) -> list[Path]:
    """Callback: archives that `sample` and `attack` wrote."""
    for path in paths:
        if not zipfile.is_zipfile(path):
            raise typer.BadParameter(f"{shown(path)} is no shard, an .npz that `atebm sample` or `atebm attack` wrote.")
    return paths


GATHERED = ("sample", "attack")  # kinds that come in shards

Spec = Annotated[
    Path,
    typer.Argument(
        help="a step's spec, work/specs/<kind>/<id>.json", exists=True, dir_okay=False, callback=spec_of_kind
    ),
]
Shard = Annotated[str, typer.Argument(help='which part, such as "0-of-4"', callback=shard_of)]
Request = Annotated[
    Path,
    typer.Argument(
        help="what to show, work/specs/artifact/<id>.json", exists=True, dir_okay=False, callback=request_of
    ),
]


@step("atebm data work/specs/data/fashion-1a2b3c4d.json --workers 4")
def data(
    spec: Spec,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1, max=MOST_PROCESSES, help="processes that decode images; all cores by default", show_default=False
        ),
    ] = None,
) -> None:
    """Prepare an image set as uint8 arrays, going on where a killed command stopped."""
    from ..data.parallel import cores
    from ..data.prepare import write_set

    with Job(spec).lock():
        write_set(Job(spec), workers=cores() if workers is None else workers)


@step("atebm index work/specs/index/imagenet-1a2b3c4d.json")
def index(spec: Spec) -> None:
    """Index the image files of a set that is too large for an array."""
    from ..data.index import write_index

    with Job(spec).lock():
        write_index(Job(spec))


@step("atebm toy work/specs/toy/relu-1a2b3c4d.json")
def toy(spec: Spec) -> None:
    """Simulate Algorithm 1 in 2D."""
    from ..toy2d.maximin import write_toy

    with Job(spec).lock():
        write_toy(Job(spec))


@step("atebm minimax work/specs/minimax/relu-1a2b3c4d.json")
def minimax(spec: Spec) -> None:
    """Simulate Algorithm 3 in 2D."""
    from ..toy2d.minimax import write_minimax

    with Job(spec).lock():
        write_minimax(Job(spec))


@step("atebm extractor work/specs/extractor/classifier-1a2b3c4d.json")
def extractor(spec: Spec, device: Device = "auto") -> None:
    """Train the stand-in feature extractor, or take Inception's weights from their archive."""
    if Job(spec).settings["kind"] == "inception":
        from ..evaluation.inception import write_inception

        with Job(spec).lock():
            write_inception(Job(spec))
    else:
        train_a_classifier(spec, device)


@step("atebm pretrain work/specs/pretrain/imagenet-1a2b3c4d.json")
def pretrain(spec: Spec, device: Device = "auto") -> None:
    """Train a classifier whose weights a run starts from; with torchrun, on several GPUs."""
    train_a_classifier(spec, device)


def train_a_classifier(spec: Path, device: str) -> None:
    from ..training.classifier import train_classifier
    from ..training.distributed import processes

    with processes(pick_device(device)) as (group, own), Job(spec).lock() if group.leads else nullcontext():
        if not group.collect(Job(spec).done)[0]:  # by a job that was waited for
            train_classifier(Job(spec), own, group)


@step("atebm train work/specs/train/cifar10-1a2b3c4d.json")
def train(
    spec: Spec,
    device: Device = "auto",
    tensorboard: Annotated[
        Path | None, typer.Option(help="folder for TensorBoard", envvar="ATEBM_TENSORBOARD", show_default=False)
    ] = None,
) -> None:
    """Train one run (Algorithm 2), resuming where an interrupted one stopped; with torchrun, on several GPUs."""
    from ..training.distributed import processes
    from ..training.loop import train

    with processes(pick_device(device)) as (group, own), Job(spec).lock() if group.leads else nullcontext():
        if not group.collect(Job(spec).done)[0]:  # by a job that was waited for
            train(Job(spec), own, group, tensorboard if group.leads else None)


@step("atebm sample work/specs/sample/cifar10.best-1a2b3c4d.json 0-of-1 shard.npz")
def sample(
    spec: Spec,
    shard: Shard,
    out: Annotated[Path, typer.Argument(help="the .npz to write")],
    device: Device = "auto",
) -> None:
    """Sample one shard by PGD from source images."""
    from ..sampling.sample import sample_shard

    check_file(out)
    with Job(spec).lock(f"{shard}."):
        sample_shard(Job(spec), shard, out, pick_device(device))


@step("atebm attack work/specs/attack/cifar10_ood-1a2b3c4d.json 0-of-1 shard.npz")
def attack(
    spec: Spec,
    shard: Shard,
    out: Annotated[Path, typer.Argument(help="the .npz to write")],
    device: Device = "auto",
) -> None:
    """Score one shard of images in and out of distribution, clean and under attack."""
    from ..detection.attack_step import attack_shard

    check_file(out)
    with Job(spec).lock(f"{shard}."):
        attack_shard(Job(spec), shard, out, pick_device(device))


@step("atebm gather work/specs/sample/cifar10.best-1a2b3c4d.json shard.npz")
def gather(
    spec: Spec,
    shards: Annotated[
        list[Path], typer.Argument(help="the shards, in order", exists=True, dir_okay=False, callback=shards_of)
    ],
) -> None:
    """Join the shards of a sample or attack step."""
    from ..detection.gather import gather_scores
    from ..sampling.gather import gather

    with Job(spec).lock():
        (gather_scores if Job(spec).spec["kind"] == "attack" else gather)(Job(spec), shards)


@step("atebm ascent work/specs/ascent/cifar10_trajectory-1a2b3c4d.json")
def ascent(spec: Spec, device: Device = "auto") -> None:
    """Climb f from images, blends, noisy or occluded images, and keep what is seen on the way."""
    from ..sampling.ascent import write_ascent

    with Job(spec).lock():
        write_ascent(Job(spec), pick_device(device))


@step("atebm neighbours work/specs/neighbours/cifar10.best-1a2b3c4d.json")
def neighbours(spec: Spec, device: Device = "auto") -> None:
    """Find the training and held-out images that are nearest to samples."""
    from ..evaluation.neighbours import write_neighbours

    with Job(spec).lock():
        write_neighbours(Job(spec), pick_device(device))


@step("atebm detection work/specs/detection/cifar10_ood-1a2b3c4d.json")
def detection(spec: Spec) -> None:
    """Compute how well logits tell images of other sets from in-distribution ones."""
    from ..detection.detection_step import write_detection

    with Job(spec).lock():
        write_detection(Job(spec))


@step("atebm features work/specs/features/fashion-1a2b3c4d.json")
def features(spec: Spec, device: Device = "auto") -> None:
    """Extract the features of a set or of samples."""
    from ..evaluation.features import write_features

    with Job(spec).lock():
        write_features(Job(spec), pick_device(device))


@step("atebm metric work/specs/metric/cifar10.best.frechet-1a2b3c4d.json")
def metric(spec: Spec) -> None:
    """Compute one metric from features."""
    from ..evaluation.metrics import write_metric

    with Job(spec).lock():
        write_metric(Job(spec))


@step("atebm network work/specs/network/discriminator256_stem3-1a2b3c4d.json")
def network(spec: Spec) -> None:
    """List the layers of the 256x256 network."""
    from ..models.layer_table import write_network

    with Job(spec).lock():
        write_network(Job(spec))


@step("atebm timing work/specs/timing/cifar10-1a2b3c4d.json")
def timing(spec: Spec, device: Device = "auto") -> None:
    """Measure how long sampling takes here; let nothing else run meanwhile."""
    from ..sampling.timing import write_timing

    with Job(spec).lock():
        write_timing(Job(spec), pick_device(device))


@step("atebm check work/specs/check/cifar10-1a2b3c4d.json")
def check(spec: Spec) -> None:
    """Compute the numbers behind Table 1."""
    from ..training.gradient_check import write_check

    with Job(spec).lock():
        write_check(Job(spec))


@step("atebm overview work/specs/overview/cats-1a2b3c4d.json")
def overview(spec: Spec) -> None:
    """Draw samples of a run on images of one's own, and collect how well its model detects."""
    from ..report.overview import write_overview

    with Job(spec).lock():
        write_overview(Job(spec))


@step("atebm render work/specs/artifact/fig1.json notebooks/fig1.ipynb fig1.ipynb results/fig1.png")
def render(
    request: Request,
    notebook: Annotated[
        Path, typer.Argument(help="notebooks/<id>.ipynb", exists=True, dir_okay=False, callback=notebook_of)
    ],
    executed: Annotated[Path, typer.Argument(help="where the notebook goes as papermill leaves it")],
    out: Annotated[Path, typer.Argument(help="results/<id>.csv or .png")],
) -> None:
    """Execute an artifact's notebook: its figure or table, the notebook and an HTML page of it."""
    from ..report.notebook import render

    for folder in (out.parent, out.parent / "notebooks", out.parent / "plans"):
        assure_writable(folder)
    render(request, notebook, executed, out)


@app.command(hidden=True, context_settings=OTHERS, epilog="Example: atebm kernel -f connection.json")
def kernel(arguments: Annotated[list[str], typer.Argument(help="as for ipykernel_launcher")]) -> None:
    """Execute a notebook's cells for `render`."""
    from ..report.notebook import serve_cells

    if "JPY_PARENT_PID" not in os.environ:
        raise ConfigError("`atebm kernel` is what `atebm render` starts; by hand it does nothing.")
    serve_cells(arguments)


@step("atebm manifest results work/specs/artifact/manifest.json")
def manifest(
    results: Annotated[Path, typer.Argument(help="the folder results/")],
    request: Request,
) -> None:
    """Write what the results were made with and from, and the numbers and curves that DVC compares."""
    from ..provenance.manifest import write_manifest
    from ..provenance.summary import write_summary

    write_summary(results, request)
    write_manifest(results, request)


@step("atebm site results work/specs/artifact/site.json")
def site(
    results: Annotated[Path, typer.Argument(help="the folder results/")],
    request: Request,
) -> None:
    """Write results/index.html, the page that shows all results, and its pictures."""
    from ..publish.page import write_site

    write_site(results, request)


@step("atebm stages")
def stages() -> None:
    """Write what each stage of dvc.yaml depends on, work/plan/<stage>.json."""
    from ..pipeline.stages import write_stages

    write_stages(present_plan(None), Path())
