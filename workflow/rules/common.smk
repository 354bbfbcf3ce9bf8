# All the Python of the workflow; the other files hold rules only.
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
    """What a function of ours answers; where it raises what a user can mend, the workflow ends with its sentence."""
    try:
        return ask(*about)
    except (UserError, OSError) as error:
        if said := str(error) if isinstance(error, UserError) else sentence(error):
            sys.exit(f"error: {said}")
        raise


for said in filter(None, map(unfit, (SRC.parent, Path.cwd()))):
    sys.exit(f"error: {said}")
of_ours(base, Path())


# config.yaml states the experiments, the scale file shrinks them, --config has the last word.
configfile: BASE


for file in of_ours(layers, config.get("scale"), Path()):

    configfile: file


config.pop(LIKE, None)  # a scale's, which the loop has followed
# The first is Snakemake's merged configuration, the second what --config says in it, and --configfile.
PLACE = written(config["scale"], workflow.config_settings.overwrite_config, Path())
PLAN = of_ours(Plan, of_ours(resolve, config, PLACE))
for said in changed(PLAN.config, Path()):  # images of one's own that are not those that the scale was made for
    sys.exit(f"error: {said}")
of_ours(PLAN.write, Path())
STALE = of_ours(request, PLAN, Path())  # renderings that show something else than this plan
RESULTS, DRAWING = PLAN.results, f"logs/render{PLAN.apart}"  # where renderings go, and their logs
WORKERS = PLAN.workers  # processes that prepare a set, as far as there are cores
# One process per GPU of a run; torchrun ends them all when one fails.
GPUS = config["gpus_per_run"]
LAUNCH = "python" if GPUS == 1 else f"python -m torch.distributed.run --standalone --nproc-per-node {GPUS}"
# Conda jobs start without PYTHONPATH. The others change no digest: where a step runs and is watched, not what it computes.
ENVIRONMENT = {"PYTHONPATH": SRC, "ATEBM_DEVICE": config["device"]}
if config["tensorboard"]:
    ENVIRONMENT["ATEBM_TENSORBOARD"] = "work/tensorboard"
if config.get("micro_batch"):
    ENVIRONMENT["ATEBM_MICRO_BATCH"] = config["micro_batch"]
EXPORTS = " ".join(f"{name}={shlex.quote(str(value))}" for name, value in ENVIRONMENT.items())
shell.prefix(f"set -euo pipefail; export {EXPORTS}; ".replace("{", "{{").replace("}", "}}"))  # which it formats

# As many jobs that want a GPU as there are GPUs, unless --resources or a profile says another number: without a limit all would
# start at once. On a cluster the profile says it.
if "gpu" not in workflow.global_resources and workflow.local_exec:
    workflow.global_resources["gpu"] = max(1, len(gpus()))


# Lets the literal command `snakemake --use-conda ...` run on a machine without conda, where every job would stop with
# "Error running conda info". With conda present nothing changes.
deployment = workflow.deployment_settings
if DeploymentMethod.CONDA in deployment.deployment_method and not shutil.which("conda"):
    logger.warning("--use-conda: no conda on this machine, so jobs run in the current Python environment.")
    object.__setattr__(deployment, "deployment_method", deployment.deployment_method - {DeploymentMethod.CONDA})


wildcard_constraints:
    id=r"[\w.]+-[0-9a-f]{8}",
    shard=r"\d+-of-\d+",
    file=r"[\w-][\w.-]*",
    artifact="|".join(PLAN.artifacts),
    table="|".join(name for name in PLAN.artifacts if ARTIFACTS[name].is_table),
    figure="|".join(name for name in PLAN.artifacts if not ARTIFACTS[name].is_table),


async def as_it_is(dag, job, files):
    """Instead of Snakemake's check that what a job made is younger than its inputs."""


def inputs(kind):
    """The input function of a step: its spec, what its parents left, and the archives that are still to be fetched.

    A path that carries its digest can never be out of date, so these are ancient():
    clones, `dvc pull` and `git checkout` scramble mtimes without retraining anything.
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
    """Archives that a step still needs.

    Those that are here are no inputs: Snakemake deletes what its jobs made before it makes it again, as `--forceall`
    asks for, and nobody wants to register for ImageNet twice. Nor are those of a step that is complete: once another
    one's are fetched, Snakemake would run this one too, since ancient() counts for nothing where the file is missing.
    """
    return [] if all(Path(file).exists() for file in step.files) else step.missing_archives()


def outputs(kind):
    """All files of a step of this kind, as patterns."""
    return [f"work/{kind}/{{id}}/{file}" for file in FILES[kind]]


def part(kind):
    """What a job of this kind computes, as a pattern: a step or, where it comes in shards, one of these."""
    return "{id}.{shard}" if kind.joins else "{id}"


def parts(kind):
    """What a job of this kind leaves."""
    return temp(f"work/{kind.name}/{{id}}/{{shard}}.npz") if kind.joins else outputs(kind.name)


def options_of(kind):
    """The parameter function of the options that a job of this kind is called with."""

    def options(wildcards, output, threads):
        workers = f"--workers {threads}" if "workers" in kind.takes else ""
        return f"--shard {wildcards.shard} --out {output}" if kind.joins else workers

    return options


def threads_of(kind):
    """One thread: on CPU two jobs of one thread beat one of two, and the bytes do not depend on --cores.

    What must be alone takes all cores, so that no other job of this workflow runs meanwhile, and uses one.
    """
    return every_core if kind.alone else WORKERS if "workers" in kind.takes else 1


def gpus_of(kind):
    """The resource function of the GPUs that a job asks for.

    One or more where there may be some: here, or on other machines, which may have what this one lacks. A profile or
    `--resources gpu=N` says how many are in use at once.
    """
    wanted = {"none": 0, "one": 1, "run": GPUS}[kind.gpus]

    def gpus(wildcards):
        present = shutil.which("nvidia-smi") is not None or not workflow.local_exec
        return wanted * int(config["device"] == "cuda" or config["device"] == "auto" and present)

    return gpus


def every_core(wildcards):
    """All cores that were given with --cores; one where none were, as on a cluster."""
    try:
        return workflow.cores
    except WorkflowError:
        return 1


def every_set(wildcards):
    """The input function of `prepared`: sets, whether or not an artifact needs them."""
    return [file for step in PLAN.sets.values() for file in step.files]


def unless_stale(artifact, file):
    """An input whose age counts only where the rendering shows something else than the plan."""
    return file if artifact in STALE else ancient(file)


def drawn(wildcard):
    """The input function of a rendering: the files of its steps, the request, and the notebook that draws it."""

    def files(wildcards):
        artifact = wildcards[wildcard]
        return {
            "steps": [ancient(file) for step in drawn_steps(PLAN, artifact, Path()) for file in step.files],
            "request": unless_stale(artifact, request_file(PLAN, artifact)),
            "notebook": ancient(f"notebooks/{artifact}.ipynb"),
        }

    return files


def everything():
    """What a scale is for: all renderings, or what was made of images of one's own."""
    if PLAN.overviews:
        return [file for step in PLAN.overviews for file in step.files]
    renderings = [file for artifact in PLAN.usual for file in rendered(artifact)]
    return [*renderings, *(f"{RESULTS}/{file}" for file in (provenance(MANIFEST), PAGE, provenance(SITE)))]


def shown_on_the_page(wildcards):
    """The input function of the overview: the manifest, which comes after all that it shows."""
    return {
        "manifest": unless_stale(SITE, f"{RESULTS}/{provenance(MANIFEST)}"),
        "request": unless_stale(SITE, request_file(PLAN, SITE)),
    }


def rendered(artifact):
    """What a reader gets of an artifact."""
    notebooks = [f"{RESULTS}/notebooks/{artifact}.{suffix}" for suffix in ("ipynb", "html")]
    return [f"{RESULTS}/{artifact}.{suffix}" for suffix in ARTIFACTS[artifact].suffixes] + notebooks


def title(wildcards):
    """What the paper calls an artifact, for captions of `snakemake --report`."""
    (artifact,) = wildcards
    return PLAN.title(artifact)


def shown(what):
    """The columns of an artifact's line in `snakemake --report`."""
    return lambda wildcards: {"artifact": title(wildcards), "shown": what}
