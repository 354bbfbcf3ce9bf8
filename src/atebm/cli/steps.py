"""Commands for the rules of the workflow; the help of `atebm` does not list them.

`step` takes any spec, work/specs/<kind>/<id>.json, and computes the step's folder.

You can also call it by hand: atebm step work/specs/train/cifar10-1a2b3c4d.json
"""

import json
import os
import re
import zipfile
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from ..inference.outputs import check_file
from ..pipeline.job import Job
from ..pipeline.kinds import KINDS, Kind
from ..utils.bounds import MOST_PROCESSES
from ..utils.errors import ConfigError, shown
from ..utils.files import assure_writable
from .options import Device, pick_device, present_plan
from .verbs import OTHERS, PLUMBING, group, verb

app = group()
verb_of = partial(verb, app, PLUMBING)


def parsed(path: Path) -> Any:
    """Return the JSON in a file; None if it is not JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
    except (ValueError, RecursionError):
        return None


def spec_of_kind(context: typer.Context, path: Path) -> Path:
    """Check that the file is the spec of a step; for `join`, of one that is computed in shards."""
    kinds = [name for name, kind in KINDS.items() if kind.joins or context.info_name != "join"]
    found = parsed(path)
    sound = isinstance(found, dict) and found.keys() >= {"kind", "name", "settings", "parents"}
    if not (sound and found["kind"] in kinds and path.absolute().match(f"specs/{found['kind']}/*.json")):
        of = " or ".join(kinds) if context.info_name == "join" else "<kind>"
        raise typer.BadParameter(
            f"{shown(path)} is not the spec of a step, work/specs/{of}/<id>.json. `snakemake -n` writes the specs."
        )
    return path if len(path.parents) >= 3 else path.absolute()


def request_of(path: Path) -> Path:
    """Check that the file is the request of a rendering."""
    found = parsed(path)
    if not (isinstance(found, dict) and isinstance(found.get("request"), dict)):
        raise typer.BadParameter(
            f"{shown(path)} is not a request, work/specs/artifact/<id>.json. `snakemake -n` writes the requests."
        )
    return path


def notebook_of(path: Path) -> Path:
    """Check that the file is a notebook."""
    found = parsed(path)
    if not (isinstance(found, dict) and isinstance(found.get("cells"), list)):
        raise typer.BadParameter(f"{shown(path)} is not a notebook.")
    return path


def shard_of(name: str | None) -> str | None:
    """Check that the text is "i-of-k" with i from 0 to k - 1."""
    found = re.fullmatch(r"(\d{1,6})-of-(\d{1,6})", name or "0-of-1", re.ASCII)
    if not (found and int(found[1]) < int(found[2])):
        raise typer.BadParameter(f"{name!r} is not a shard: write 0-of-4 for the first of four.")
    return name


def shards_of(paths: list[Path]) -> list[Path]:
    """Check that the files are shards written by `step`."""
    for path in paths:
        if not zipfile.is_zipfile(path):
            raise typer.BadParameter(f"{shown(path)} is not a shard: `atebm step SPEC --shard` writes them as .npz.")
    return paths


Spec = Annotated[
    Path,
    typer.Argument(
        help="The spec of a step, work/specs/<kind>/<id>.json.", exists=True, dir_okay=False, callback=spec_of_kind
    ),
]
Request = Annotated[
    Path,
    typer.Argument(
        help="The request, work/specs/artifact/<id>.json.", exists=True, dir_okay=False, callback=request_of
    ),
]


MicroBatch = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="For trainings: images of a batch that are in memory at once; by default all.",
        envvar="ATEBM_MICRO_BATCH",
        show_default=False,
    ),
]


@verb_of("atebm step work/specs/train/cifar10-1a2b3c4d.json")
def step(
    context: typer.Context,
    spec: Spec,
    shard: Annotated[
        str | None,
        typer.Option(
            help='For samples and attacks: the part to compute, such as "0-of-4".',
            callback=shard_of,
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="For samples and attacks: the .npz file to write.", show_default=False)
    ] = None,
    device: Device = "auto",
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=MOST_PROCESSES,
            help="For data: processes that decode images; by default one per core.",
            show_default=False,
        ),
    ] = None,
    tensorboard: Annotated[
        Path | None,
        typer.Option(help="For trainings: a folder for TensorBoard.", envvar="ATEBM_TENSORBOARD", show_default=False),
    ] = None,
    micro_batch: MicroBatch = None,
) -> None:
    """Compute one step of the workflow, or resume it if it was killed.

    With torchrun, trainings and pre-trainings run on several GPUs. Sample and attack steps are computed in shards,
    which `atebm join` joins.
    """
    job = Job(spec)
    kind = KINDS[job.spec["kind"]]
    assure_options_fit(context, kind)
    given = arguments(kind, shard, out, device, workers, tensorboard) | optional(kind, micro_batch)
    if "group" in kind.takes:
        compute_in_group(job, kind.function(), given)
        return
    done = job.done
    with job.lock(f"{shard}." if shard else ""):
        if done or not job.done:  # unless another job computed it while this one waited for the lock
            kind.function()(job, **given)


def arguments(
    kind: Kind, shard: str | None, out: Path | None, device: str, workers: int | None, tensorboard: Path | None
) -> dict[str, Any]:
    """Return the arguments that the function of a kind takes. Raises DataError if `out` cannot be written."""
    given: dict[str, Any] = {}
    if shard and out:
        check_file(out)
        given = {"shard": shard, "out": out}
    if "workers" in kind.takes:
        from ..data.parallel import cores

        given["workers"] = workers or cores()
    if "device" in kind.takes:
        given["device"] = pick_device(device)
    if "tensorboard" in kind.takes:
        given["tensorboard"] = tensorboard
    return given


def optional(kind: Kind, micro_batch: int | None) -> dict[str, Any]:
    """Return the size of a micro-batch, for kinds that take it."""
    return {"micro_batch": micro_batch} if "micro_batch" in kind.takes else {}


def compute_in_group(job: Job, function: Callable[..., None], given: dict[str, Any]) -> None:
    """Compute a step on all processes that torchrun started; only the first one locks the step and writes files."""
    from ..training.distributed import processes

    with processes(given["device"]) as (group, own), job.lock() if group.leads else nullcontext():
        if not group.leads and "tensorboard" in given:
            given["tensorboard"] = None
        if not group.collect(job.done)[0]:  # unless another job computed it while this one waited for the lock
            function(job, **given | {"device": own, "group": group})


def assure_options_fit(context: typer.Context, kind: Kind) -> None:
    """Raise BadParameter for an option that a kind does not take, and for a missing shard."""
    for parameter in context.command.params:
        name, source = str(parameter.name), context.get_parameter_source(str(parameter.name))
        if name != "spec" and source and source.name == "COMMANDLINE" and name not in kind.options:
            fitting = ", ".join(f"--{option.replace('_', '-')}" for option in kind.options) or "none"
            option = name.replace("_", "-")
            raise typer.BadParameter(f"a step of kind {kind.name} does not take --{option}. Its options: {fitting}.")
    if kind.joins and not (context.params["shard"] and context.params["out"]):
        raise typer.BadParameter(
            f"a step of kind {kind.name} is computed in shards: name the shard and its file, such as --shard 0-of-1 "
            "--out shard.npz, then join the shards with `atebm join SPEC shard.npz`."
        )


@verb_of("atebm join work/specs/sample/cifar10.best-1a2b3c4d.json shard.npz")
def join(
    spec: Spec,
    shards: Annotated[
        list[Path], typer.Argument(help="The shards, in order.", exists=True, dir_okay=False, callback=shards_of)
    ],
) -> None:
    """Join the shards of a sample or attack step."""
    job = Job(spec)
    with job.lock():
        KINDS[job.spec["kind"]].join()(job, shards)


@verb_of("atebm render work/specs/artifact/fig1.json notebooks/fig1.ipynb fig1.ipynb results/fig1.png")
def render(
    request: Request,
    notebook: Annotated[
        Path, typer.Argument(help="The notebook in notebooks/.", exists=True, dir_okay=False, callback=notebook_of)
    ],
    executed: Annotated[Path, typer.Argument(help="Where papermill writes the executed notebook.")],
    out: Annotated[Path, typer.Argument(help="The figure or table, results/<id>.csv or .png.")],
) -> None:
    """Execute an artifact's notebook, which writes its figure or table, and an HTML page of it."""
    from ..publish.notebook import render

    for folder in (out.parent, out.parent / "notebooks", out.parent / "provenance"):
        assure_writable(folder)
    render(request, notebook, executed, out)


@verb_of("atebm kernel -f connection.json", context_settings=OTHERS)
def kernel(arguments: Annotated[list[str], typer.Argument(help="As for ipykernel_launcher.")]) -> None:
    """Execute a notebook's cells for `render`."""
    from ..publish.notebook import serve_cells

    if "JPY_PARENT_PID" not in os.environ:
        raise ConfigError("`atebm kernel` is started by `atebm render`; it is of no use by hand.")
    serve_cells(arguments)


@verb_of("atebm manifest results work/specs/artifact/manifest.json")
def manifest(
    results: Annotated[Path, typer.Argument(help="The folder results/.")],
    request: Request,
) -> None:
    """Write the manifest of the results, with software, settings and data, and the numbers and curves for DVC."""
    from ..provenance.manifest import write_manifest

    write_manifest(results, request)


@verb_of("atebm site results work/specs/artifact/site.json")
def site(
    results: Annotated[Path, typer.Argument(help="The folder results/.")],
    request: Request,
) -> None:
    """Write results/index.html, the overview of all results, and its pages and pictures in results/site/."""
    from ..publish.page import write_site

    write_site(results, request)


@verb_of("atebm stages")
def stages() -> None:
    """Write the dependencies of each stage of dvc.yaml to work/plan/<stage>.json."""
    from ..pipeline.stages import write_stages

    write_stages(present_plan(None), Path())
