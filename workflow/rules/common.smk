# All Python code of the workflow; the other files have only rules.
import shlex
import shutil
import sys

from snakemake.dag import DAG
from snakemake_interface_common.exceptions import WorkflowError
from snakemake_interface_executor_plugins.settings import DeploymentMethod

SRC = Path(workflow.basedir).parent / "src"
sys.path.insert(0, str(SRC))
from atebm.pipeline.artifacts import ARTIFACTS
from atebm.config.messages import resolve
from atebm.data.folder import changed
from atebm.device.gpus import gpus
from atebm.utils.errors import UserError, sentence
from atebm.pipeline.staleness import MANIFEST, PAGE, SITE, drawn_steps, provenance, request, request_file
from atebm.config.origins import BASE
from atebm.config.inheritance import LIKE
from atebm.config.load import base, layers, written
from atebm.pipeline.kinds import FILES, KINDS, goals
from atebm.maintenance.place import unfit
from atebm.pipeline.plan import Plan


def of_ours(ask, *about):
    """Return ask(*about); if it raises an error that a user can fix, end the workflow with the error's message."""
    try:
        return ask(*about)
    except (UserError, OSError) as error:
        if said := str(error) if isinstance(error, UserError) else sentence(error):
            sys.exit(f"error: {said}")
        raise


for said in filter(None, map(unfit, (SRC.parent, Path.cwd()))):
    sys.exit(f"error: {said}")
of_ours(base, Path())


# config.yaml states the experiments, the scale file reduces them, and --config overrides both.
configfile: BASE


for file in of_ours(layers, config.get("scale"), Path()):

    configfile: file


config.pop(LIKE, None)  # `like` of a scale was followed by the loop
# `config` is Snakemake's merged configuration; `overwrite_config` has what --config and --configfile set in it.
PLACE = written(config["scale"], workflow.config_settings.overwrite_config, Path())
PLAN = of_ours(Plan, of_ours(resolve, config, PLACE))
for said in changed(PLAN.config, Path()):  # user images that have changed since the scale was written
    sys.exit(f"error: {said}")
of_ours(PLAN.write, Path())
STALE = of_ours(request, PLAN, Path())  # renderings that do not show this plan
RESULTS, DRAWING = PLAN.results, f"logs/render{PLAN.apart}"  # the folders of renderings and of their logs
WORKERS = PLAN.workers  # processes that prepare a set, if there are enough cores
# One process per GPU of a run; torchrun ends all processes if one fails.
GPUS = config["gpus_per_run"]
LAUNCH = "python" if GPUS == 1 else f"python -m torch.distributed.run --standalone --nproc-per-node {GPUS}"
# Conda jobs start without PYTHONPATH. The other variables change no digest: they say where a step runs and how it is
# monitored, not what it computes.
ENVIRONMENT = {"PYTHONPATH": SRC, "ATEBM_DEVICE": config["device"]}
if config["tensorboard"]:
    ENVIRONMENT["ATEBM_TENSORBOARD"] = "work/tensorboard"
if config.get("micro_batch"):
    ENVIRONMENT["ATEBM_MICRO_BATCH"] = config["micro_batch"]
EXPORTS = " ".join(f"{name}={shlex.quote(str(value))}" for name, value in ENVIRONMENT.items())
shell.prefix(f"set -euo pipefail; export {EXPORTS}; ".replace("{", "{{").replace("}", "}}"))  # the prefix is formatted

# Run as many GPU jobs at once as there are GPUs, unless --resources or a profile sets another number; without a limit, all
# would start at once. On a cluster, the profile sets it.
if "gpu" not in workflow.global_resources and workflow.local_exec:
    workflow.global_resources["gpu"] = max(1, len(gpus()))


# Let the literal command `snakemake --use-conda ...` run on a machine without conda, where every job would fail with
# "Error running conda info". If conda is present, nothing changes.
deployment = workflow.deployment_settings
if DeploymentMethod.CONDA in deployment.deployment_method and not shutil.which("conda"):
    logger.warning("--use-conda: this machine has no conda, so jobs run in the current Python environment.")
    object.__setattr__(deployment, "deployment_method", deployment.deployment_method - {DeploymentMethod.CONDA})


wildcard_constraints:
    id=r"[\w.]+-[0-9a-f]{8}",
    shard=r"\d+-of-\d+",
    file=r"[\w-][\w.-]*",
    artifact="|".join(PLAN.artifacts),
    table="|".join(name for name in PLAN.artifacts if ARTIFACTS[name].is_table),
    figure="|".join(name for name in PLAN.artifacts if not ARTIFACTS[name].is_table),


async def as_it_is(dag, job, files):
    """Replace Snakemake's check that a job's outputs are younger than its inputs."""


def inputs(kind):
    """Return the input function of a step: its spec, its parents' files, and the archives that are still to be fetched.

    A path that has its digest can never be out of date, so these inputs are ancient(): clones, `dvc pull` and
    `git checkout` change mtimes, but nothing is trained again.
    """

    def files(wildcards):
        try:
            step = PLAN.step(kind, wildcards.id)
        except UserError as error:
            raise WorkflowError(str(error)) from None
        return {
            "spec": ancient(step.spec_file),
            "parents": [ancient(file) for file in step.parent_files()],
            "archives": [ancient(str(path)) for path in to_fetch(step)],
        }

    return files


def to_fetch(step):
    """Return the archives that a step still needs.

    Archives that are here are not inputs: with `--forceall`, Snakemake would delete and fetch them again, and nobody
    wants to register for ImageNet twice. The archives of a complete step are not inputs either: when another step's
    archives are fetched, Snakemake would run this step too, since ancient() has no effect if the file is missing.
    """
    return [] if all(Path(file).exists() for file in step.files) else step.missing_archives()


def outputs(kind):
    """Return all files of a step of this kind, as patterns."""
    return [f"work/{kind}/{{id}}/{file}" for file in FILES[kind]]


def part(kind):
    """Return the pattern of what a job of this kind computes: a step, or one of its shards."""
    return "{id}.{shard}" if kind.joins else "{id}"


def parts(kind):
    """Return the files that a job of this kind writes."""
    return temp(f"work/{kind.name}/{{id}}/{{shard}}.npz") if kind.joins else outputs(kind.name)


def options_of(kind):
    """Return the parameter function for the options of a job of this kind."""

    def options(wildcards, output, threads):
        workers = f"--workers {threads}" if "workers" in kind.takes else ""
        return f"--shard {wildcards.shard} --out {output}" if kind.joins else workers

    return options


def threads_of(kind):
    """Return one thread: two jobs with one thread are faster than one with two, and --cores must not change the bytes.

    A job that must run alone reserves all cores, so that no other job of this workflow runs meanwhile, but uses one.
    """
    return every_core if kind.alone else WORKERS if "workers" in kind.takes else 1


def gpus_of(kind):
    """Return the resource function for the GPUs that a job needs.

    A job requests GPUs if there may be some: on this machine, or on other machines of a cluster. A profile or
    `--resources gpu=N` limits how many are in use at once.
    """
    needed = {"none": 0, "one": 1, "run": GPUS}[kind.gpus]

    def gpus(wildcards):
        present = shutil.which("nvidia-smi") is not None or not workflow.local_exec
        return needed * int(config["device"] == "cuda" or config["device"] == "auto" and present)

    return gpus


def every_core(wildcards):
    """Return the number of --cores, or one if it was not given, as on a cluster."""
    try:
        return workflow.cores
    except WorkflowError:
        return 1


def every_set(wildcards):
    """Return the inputs of `prepared`: all sets, whether or not an artifact needs them."""
    return [file for step in PLAN.sets.values() for file in step.files]


def unless_stale(artifact, file):
    """Return the file as an input whose age counts only if the rendering does not show the plan."""
    return file if artifact in STALE else ancient(file)


def drawn(wildcard):
    """Return the input function of a rendering: the files of its steps, its request, and its notebook."""

    def files(wildcards):
        artifact = wildcards[wildcard]
        return {
            "steps": [ancient(file) for step in drawn_steps(PLAN, artifact, Path()) for file in step.files],
            "request": unless_stale(artifact, request_file(PLAN, artifact)),
            "notebook": ancient(f"notebooks/{artifact}.ipynb"),
        }

    return files


def everything():
    """Return the targets of a scale: all renderings, or the pictures of a run on user images."""
    if PLAN.overviews:
        return [file for step in PLAN.overviews for file in step.files]
    renderings = [file for artifact in PLAN.usual for file in rendered(artifact)]
    return [*renderings, *(f"{RESULTS}/{file}" for file in (provenance(MANIFEST), PAGE, provenance(SITE)))]


def shown_on_the_page(wildcards):
    """Return the inputs of the overview: its request, and the manifest, which is written after all renderings."""
    return {
        "manifest": unless_stale(SITE, f"{RESULTS}/{provenance(MANIFEST)}"),
        "request": unless_stale(SITE, request_file(PLAN, SITE)),
    }


def rendered(artifact):
    """Return the files that readers of an artifact get."""
    notebooks = [f"{RESULTS}/notebooks/{artifact}.{suffix}" for suffix in ("ipynb", "html")]
    return [f"{RESULTS}/{artifact}.{suffix}" for suffix in ARTIFACTS[artifact].suffixes] + notebooks


def title(wildcards):
    """Return the paper's name for an artifact, for captions in `snakemake --report`."""
    (artifact,) = wildcards
    return PLAN.title(artifact)


def shown(what):
    """Return the function for the columns of an artifact's row in `snakemake --report`."""
    return lambda wildcards: {"artifact": title(wildcards), "shown": what}
