"""The command line: one verb per kind of step. Every rule calls it, a person can too:

python -m atebm train work/specs/train/cifar10-1a2b3c4d.json
"""

import json
import os
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .errors import ConfigError, UserError, sentence
from .job import Job
from .memory import keep_memory
from .warm import THREADS

if TYPE_CHECKING:
    import torch

    from .plan import Plan

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_show_locals=False, help=__doc__)

Overrides = Annotated[
    list[str] | None, typer.Option("--config", "-C", help='as Snakemake\'s, "scale=paper"; repeat for more')
]
Spec = Annotated[Path, typer.Argument(help="a step's spec, work/specs/<kind>/<id>.json", exists=True, dir_okay=False)]
OTHERS = {"ignore_unknown_options": True, "allow_interspersed_args": False}  # of commands whose arguments are another's
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or mps", envvar="ATEBM_DEVICE")]


@app.command()
def data(
    spec: Spec,
    workers: Annotated[
        int | None, typer.Option(min=1, help="processes that decode images; all cores by default", show_default=False)
    ] = None,
) -> None:
    """Prepare an image set as uint8 arrays, going on where a killed command stopped."""
    from .data.parallel import cores
    from .data.prepare import write_set

    with Job(spec).lock():
        write_set(Job(spec), workers=workers or cores())


@app.command()
def index(spec: Spec) -> None:
    """Index the image files of a set that is too large for an array."""
    from .data.index import write_index

    with Job(spec).lock():
        write_index(Job(spec))


@app.command()
def toy(spec: Spec) -> None:
    """Simulate Algorithm 1 in 2D."""
    from .toy import write_toy

    with Job(spec).lock():
        write_toy(Job(spec))


@app.command()
def minimax(spec: Spec) -> None:
    """Simulate Algorithm 3 in 2D."""
    from .minimax import write_minimax

    with Job(spec).lock():
        write_minimax(Job(spec))


@app.command()
def extractor(spec: Spec, device: Device = "auto") -> None:
    """Train the stand-in feature extractor, or take Inception's weights from their archive."""
    if Job(spec).settings["kind"] == "inception":
        from .metrics.inception import write_inception

        with Job(spec).lock():
            write_inception(Job(spec))
    else:
        train_a_classifier(spec, device)


@app.command()
def pretrain(spec: Spec, device: Device = "auto") -> None:
    """Train a classifier whose weights a run starts from; with torchrun, on several GPUs."""
    train_a_classifier(spec, device)


def train_a_classifier(spec: Path, device: str) -> None:
    from .training.classifier import train_classifier
    from .training.distributed import processes

    with processes(pick(device)) as (group, own), Job(spec).lock() if group.leads else nullcontext():
        if not group.collect(Job(spec).done)[0]:  # by a job that was waited for
            train_classifier(Job(spec), own, group)


@app.command()
def train(
    spec: Spec,
    device: Device = "auto",
    tensorboard: Annotated[
        Path | None, typer.Option(help="folder for TensorBoard", envvar="ATEBM_TENSORBOARD", show_default=False)
    ] = None,
) -> None:
    """Train one run (Algorithm 2), resuming where an interrupted one stopped; with torchrun, on several GPUs."""
    from .training.distributed import processes
    from .training.loop import train

    with processes(pick(device)) as (group, own), Job(spec).lock() if group.leads else nullcontext():
        if not group.collect(Job(spec).done)[0]:  # by a job that was waited for
            train(Job(spec), own, group, tensorboard if group.leads else None)


@app.command()
def sample(
    spec: Spec,
    shard: Annotated[str, typer.Argument(help='which part, such as "0-of-4"')],
    out: Annotated[Path, typer.Argument(help="the .npz to write")],
    device: Device = "auto",
) -> None:
    """Sample one shard by PGD from source images."""
    from .sampling.generate import sample_shard

    with Job(spec).lock(f"{shard}."):
        sample_shard(Job(spec), shard, out, pick(device))


@app.command()
def attack(
    spec: Spec,
    shard: Annotated[str, typer.Argument(help='which part, such as "0-of-4"')],
    out: Annotated[Path, typer.Argument(help="the .npz to write")],
    device: Device = "auto",
) -> None:
    """Score one shard of images in and out of distribution, clean and under attack."""
    from .metrics.worst_case import attack_shard

    with Job(spec).lock(f"{shard}."):
        attack_shard(Job(spec), shard, out, pick(device))


@app.command()
def gather(spec: Spec, shards: Annotated[list[Path], typer.Argument(help="the shards, in order")]) -> None:
    """Join the shards of a sample or attack step."""
    from .metrics.scores import gather_scores
    from .sampling.gather import gather

    with Job(spec).lock():
        (gather_scores if Job(spec).spec["kind"] == "attack" else gather)(Job(spec), shards)


@app.command()
def ascent(spec: Spec, device: Device = "auto") -> None:
    """Climb f from images, blends, noisy or occluded images, and keep what is seen on the way."""
    from .sampling.ascent import write_ascent

    with Job(spec).lock():
        write_ascent(Job(spec), pick(device))


@app.command()
def neighbours(spec: Spec, device: Device = "auto") -> None:
    """Find the training and held-out images that are nearest to samples."""
    from .metrics.neighbours import write_neighbours

    with Job(spec).lock():
        write_neighbours(Job(spec), pick(device))


@app.command()
def detection(spec: Spec) -> None:
    """Compute how well logits tell images of other sets from in-distribution ones."""
    from .metrics.detection import write_detection

    with Job(spec).lock():
        write_detection(Job(spec))


@app.command()
def features(spec: Spec, device: Device = "auto") -> None:
    """Extract the features of a set or of samples."""
    from .metrics.features import write_features

    with Job(spec).lock():
        write_features(Job(spec), pick(device))


@app.command()
def metric(spec: Spec) -> None:
    """Compute one metric from features."""
    from .metrics.score import write_metric

    with Job(spec).lock():
        write_metric(Job(spec))


@app.command()
def network(spec: Spec) -> None:
    """List the layers of the 256x256 network."""
    from .energy.outline import write_network

    with Job(spec).lock():
        write_network(Job(spec))


@app.command()
def timing(spec: Spec, device: Device = "auto") -> None:
    """Measure how long sampling takes here; let nothing else run meanwhile."""
    from .sampling.timing import write_timing

    with Job(spec).lock():
        write_timing(Job(spec), pick(device))


@app.command()
def check(spec: Spec) -> None:
    """Compute the numbers behind Table 1."""
    from .checks import write_check

    with Job(spec).lock():
        write_check(Job(spec))


@app.command()
def render(
    request: Annotated[Path, typer.Argument(help="what to show, work/specs/artifact/<id>.json", exists=True)],
    notebook: Annotated[Path, typer.Argument(help="notebooks/<id>.ipynb", exists=True)],
    executed: Annotated[Path, typer.Argument(help="where the notebook goes as papermill leaves it")],
    out: Annotated[Path, typer.Argument(help="results/<id>.csv or .png")],
) -> None:
    """Execute an artifact's notebook: its figure or table, the notebook and an HTML page of it."""
    from .report.render import render

    render(request, notebook, executed, out)


@app.command(hidden=True, context_settings=OTHERS)
def kernel(arguments: Annotated[list[str], typer.Argument(help="as for ipykernel_launcher")]) -> None:
    """Execute a notebook's cells for `render`."""
    from .report.render import serve_cells

    serve_cells(arguments)


@app.command()
def manifest(
    results: Annotated[Path, typer.Argument(help="the folder results/")],
    request: Annotated[Path, typer.Argument(help="work/specs/artifact/manifest.json", exists=True)],
) -> None:
    """Write what the results were made with and from, and the numbers and curves that DVC compares."""
    from .report.manifest import write_manifest
    from .report.summary import write_summary

    write_summary(results, request)
    write_manifest(results, request)


@app.command()
def status(config: Overrides = None) -> None:
    """List the steps and artifacts of the plan, and what of them is here."""
    from .lineage.status import status

    for line in status(present_plan(config), Path()):
        print(line)


@app.command()
def plan(
    scale: Annotated[str | None, typer.Option(help="as -C scale=...", show_default=False)] = None,
    config: Overrides = None,
    device: Device = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="all that was measured and computed, for programs")] = False,
) -> None:
    """Say what each artifact costs before it is computed: hours on this device, whose speed is measured, and disk."""
    from .cost.table import costs, lines
    from .cost.throughput import Throughput

    wanted = present_plan([*(config or []), *([f"scale={scale}"] if scale else [])])
    found = costs(wanted, Path(), Throughput(pick(device)))
    print(json.dumps(found, indent=1) if as_json else "\n".join(lines(found)))


@app.command()
def explain(
    what: Annotated[str, typer.Argument(help="an artifact (table2), a step or a run (cifar10)")],
    config: Overrides = None,
) -> None:
    """Trace numbers to files, specs, lines of the configuration, and the paper."""
    from .layers import load
    from .lineage.explain import explain
    from .plan import Plan

    typed, origins = load(Path(), config or [])
    for line in explain(what, Plan(typed), origins, Path()):
        print(line)


@app.command()
def verify(config: Overrides = None) -> None:
    """Check every file in work/ and results/ against the records: missing, altered, stale."""
    from .lineage.verify import verify

    findings, checked = verify(present_plan(config), Path())
    for finding in findings:
        print(finding)
    print(f"{checked} files checked: {len(findings) or 'nothing'} to report.")
    raise typer.Exit(bool(findings))


@app.command()
def prune(
    config: Overrides = None,
    yes: Annotated[bool, typer.Option("--yes", help="remove them; otherwise they are only listed")] = False,
) -> None:
    """List, or remove, steps in work/ that no scale's plan names any more."""
    from .layers import scales
    from .lineage.prune import leftovers, remove

    plans = [present_plan([*(config or []), f"scale={scale}"]) for scale in scales(Path())]
    found = leftovers(plans, Path())
    for leftover in found:
        print(f"{leftover.bytes / 1e6:10.1f} MB  {leftover.step}")
    if yes:
        remove(found)
    total = sum(leftover.bytes for leftover in found) / 1e6
    print(f"{len(found)} steps, {total:.1f} MB, {'removed.' if yes else 'that no plan names; --yes removes them.'}")


@app.command()
def snapshot(
    artifacts: Annotated[
        list[str] | None,
        typer.Argument(help="such as table4: these beside what is kept; by default all", show_default=False),
    ] = None,
    config: Overrides = None,
) -> None:
    """Keep results/ of the configured scale in results/scales/<scale>/, once they are verified."""
    from .lineage.snapshot import snapshot, snapshot_of

    plan = present_plan(config)
    for line in snapshot_of(plan, Path(), artifacts) if artifacts else snapshot(plan, Path()):
        print(line)


@app.command()
def fetch(
    name: Annotated[str, typer.Argument(help="an archive, or one of its files, as data/README.md lists them")],
    given: Annotated[
        Path | None, typer.Option("--from", help="take the file, or the files in the folder, instead of a download")
    ] = None,
    url: Annotated[str | None, typer.Option(help="download from there; http is accepted, too")] = None,
) -> None:
    """Put an archive into data/archives/, verified, or say how to get it."""
    from .data.fetch import fetch

    fetch(name, given, url)


@app.command()
def import_weights(
    file: Annotated[Path, typer.Argument(help="a .pth that the authors released", exists=True, dir_okay=False)],
    task: Annotated[str, typer.Option(help="what it was trained for, such as cifar10 or celebahq256")],
    out: Annotated[Path, typer.Option(help="the folder for <task>.safetensors and <task>.json")] = Path("data/weights"),
) -> None:
    """Turn a checkpoint of the authors into weights of our network; nothing in the file is executed."""
    from .energy.released import import_weights

    import_weights(file, task, out, Path())


@app.command()
def score(
    images: Annotated[list[Path], typer.Argument(help="image files, or folders of them", exists=True)],
    run: Annotated[str, typer.Option(help="whose model, of config.yaml's runs")] = "cifar10_ood",
    config: Overrides = None,
    device: Device = "auto",
) -> None:
    """Print the energy of images, and the share of in-distribution images that have a higher one."""
    from .scoring import scored

    plan = present_plan(config)
    print("energy\tpercentile\timage")
    for image in scored(plan, run, images, Path(), pick(device)):
        print(f"{image.energy:.4f}\t{image.percentile:.1f}\t{image.path}")


@app.command(context_settings=OTHERS)
def warm(command: Annotated[list[str], typer.Argument(help="such as: snakemake --cores all")]) -> None:
    """Run a command in which each `python -m atebm ...` starts at once, since the libraries are imported only once."""
    from .warm import warm

    raise typer.Exit(warm(command))


@app.command()
def docs() -> None:
    """Bring what is generated in README.md, docs/ and data/ up to date with results/, the rules and data/sources.yaml."""
    from .data.pointers import write_pointers
    from .data.sources import write_source_table
    from .docs import write_docs

    write_docs(Path())
    write_source_table(Path("data/README.md"))
    write_pointers(Path("data/archives"))


@app.command()
def environments() -> None:
    """Bring environment.yml and workflow/envs/ up to date with requirements.lock."""
    from .environments import write_environments

    write_environments(Path())


def present_plan(overrides: list[str] | None) -> "Plan":
    """The plan of the checkout that the command runs in."""
    from .layers import load
    from .plan import Plan

    return Plan(load(Path(), overrides or [])[0])


# --- PGD on one's own images ------------------------------------------------------------------------------------------

apply = typer.Typer(no_args_is_help=True, help="PGD with a trained run on images of your own, of any size and format.")
app.add_typer(apply, name="apply")

RunName = Annotated[str, typer.Option("--run", help="whose model, such as celebahq256")]
Inputs = Annotated[list[Path], typer.Argument(help="image files, or folders of them", exists=True)]
Out = Annotated[Path, typer.Option("--out", "-o", help="the folder for what is made; nothing in it is overwritten")]
Steps = Annotated[int | None, typer.Option(min=1, help="PGD steps; by default the run's own", show_default=False)]
StepSize = Annotated[float | None, typer.Option(help="L2, in [0, 1] pixel units; likewise", show_default=False)]


def offer(name: str, what: str, **ways: Any) -> None:
    """A command that wants no more than images."""

    @apply.command(name, help=what)
    def command(
        inputs: Inputs,
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


@apply.command("inpaint")
def apply_inpaint(
    inputs: Inputs,
    run: RunName,
    out: Out,
    mask: Annotated[
        Path | None,
        typer.Option(help="an image, white where to paint; by default the middle", exists=True, show_default=False),
    ] = None,
    steps: Steps = None,
    step_size: StepSize = None,
    device: Device = "auto",
    config: Overrides = None,
) -> None:
    """Paint a part of images of the run's kind anew; all other pixels stay (Fig. S18)."""
    from .applying import AS_THEY_ARE, HOLE

    start = HOLE if mask is None else AS_THEY_ARE
    ways: dict[str, Any] = {"way": "inpainting", "mask": mask, "start": start}
    applied_to(inputs, [run], out, device, config, steps=steps, step_size=step_size, **ways)


@apply.command("interpolate")
def apply_interpolate(
    inputs: Inputs,
    run: RunName,
    out: Out,
    count: Annotated[int, typer.Option(min=2, help="images of each pair, both ends included")] = 9,
    steps: Steps = None,
    step_size: StepSize = None,
    device: Device = "auto",
    config: Overrides = None,
) -> None:
    """Generate from blends of the first input with the second, the third with the fourth, ... (Fig. S11)."""
    start = {"name": "blends", "count": count}
    applied_to(inputs, [run], out, device, config, steps=steps, step_size=step_size, start=start)


@apply.command("compose")
def apply_compose(
    inputs: Inputs,
    run: RunName,
    out: Out,
    others: Annotated[list[str], typer.Option("--and", help="a run whose f is added; repeat for more")],
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
    every_step: bool = False,
    **options: Any,
) -> None:
    """What the commands above share: read, climb, write, and say what was done."""
    from .applying import applied, names, resized, write
    from .scoring import found

    files, plan = found(inputs), present_plan(config)
    count = options.get("start", {}).get("count")
    if count and len(files) % 2:
        raise ConfigError(f"{len(files)} images are no pairs: name as many again as are to be blended.")
    frames = applied(plan, runs, files, Path(), pick(device), **options)
    for line in resized(files, frames.shape[2]):
        print(line)
    made = names(files)
    if count:
        pairs = [f"{a}_to_{b}" for a, b in zip(made[::2], made[1::2], strict=True)]
        made = [f"{pair}_{number:02}" for pair in pairs for number in range(count)]
    images = dict(zip(made, frames if every_step else frames[:, -1], strict=True))
    if every_step:
        images |= {f"{name}_{step:03}": image for name in made for step, image in enumerate(images[name])}
    write(images, out)
    print(f"{out}: {len(frames)} after {frames.shape[1] - 1} steps")


def pick(device: str) -> "torch.device":
    """The device of a name; `auto` takes a GPU where there is one. On it products are float32 until a run says else."""
    import torch

    from .gpus import take_gpu
    from .training.precision import set_precision

    if device in ("auto", "cuda"):
        take_gpu()
    set_precision("fp32")
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    if device == "cpu":
        keep_memory()
    try:
        found = torch.device(device)
    except RuntimeError:
        raise ConfigError(f"there is no device {device!r}; choose auto, cpu, cuda or mps.") from None
    if found.type == "cuda" and not torch.cuda.is_available():
        raise ConfigError(f"device {device}: PyTorch finds no GPU here; --device cpu works everywhere.")
    return found


def main() -> None:
    for name, one in THREADS.items():
        os.environ.setdefault(name, one)  # as in Snakemake's jobs: the last bits must not depend on who calls
    try:
        app(prog_name="python -m atebm")
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except (OSError, RuntimeError, MemoryError) as error:
        if (said := sentence(error)) is None:
            raise
        print(f"error: {said}", file=sys.stderr)
        sys.exit(1)
