# All the Python of the workflow; the other files hold rules only.
import shutil
import sys

from snakemake_interface_executor_plugins.settings import DeploymentMethod

SCALES = sorted(path.stem for path in Path(workflow.basedir, "scales").glob("*.yaml"))
if config["scale"] not in SCALES:
    sys.exit(f"error: there is no scale {config['scale']!r}; choose one of {', '.join(SCALES)}.")


configfile: f"workflow/scales/{config['scale']}.yaml"


SRC = Path(workflow.basedir).parent / "src"
sys.path.insert(0, str(SRC))
# Conda jobs start without PYTHONPATH. The device changes no digest: it is where a step runs, not what it computes.
shell.prefix(f"set -euo pipefail; export PYTHONPATH='{SRC}' ATEBM_DEVICE={config['device']}; ")

from atebm.artifacts import is_table
from atebm.config import resolve
from atebm.errors import ConfigError
from atebm.plan import FILES, Plan

try:
    PLAN = Plan(resolve(config))
except ConfigError as error:
    sys.exit(f"error: {error}")
PLAN.write(Path())


# Lets the literal command `snakemake --use-conda ...` run on a machine without conda, where every job would stop with
# "Error running conda info". With conda present nothing changes.
deployment = workflow.deployment_settings
if DeploymentMethod.CONDA in deployment.deployment_method and not shutil.which("conda"):
    logger.warning("--use-conda: no conda on this machine, so jobs run in the current Python environment.")
    object.__setattr__(deployment, "deployment_method", deployment.deployment_method - {DeploymentMethod.CONDA})


wildcard_constraints:
    id=r"[\w.]+-[0-9a-f]{8}",
    shard=r"\d+-of-\d+",
    artifact="|".join(PLAN.artifacts),
    table="|".join(filter(is_table, PLAN.artifacts)),
    figure="|".join(artifact for artifact in PLAN.artifacts if not is_table(artifact)),


def inputs(kind):
    """The input function of a step: its spec and what its parents left.

    A path that carries its digest can never be out of date, so these are ancient():
    clones, `dvc pull` and `git checkout` scramble mtimes without retraining anything.
    """

    def files(wildcards):
        step = PLAN.steps[kind, wildcards.id]
        return {"spec": ancient(step.spec_file), "parents": [ancient(file) for file in step.parent_files()]}

    return files


def outputs(kind):
    """All files of a step of this kind, as patterns."""
    return [f"work/{kind}/{{id}}/{file}" for file in FILES[kind]]


def needs(artifact):
    """What an artifact is drawn from."""
    return [ancient(file) for step in PLAN.artifacts[artifact] for file in step.files]


def rendered(artifact):
    """What a reader gets of an artifact."""
    suffixes = ("csv", "md") if is_table(artifact) else ("png", "svg", "csv")
    notebooks = [f"results/notebooks/{artifact}.{suffix}" for suffix in ("ipynb", "html")]
    return [f"results/{artifact}.{suffix}" for suffix in suffixes] + notebooks


# What a rendering depends on beside its steps: the drawing code and the paper's own numbers.
DRAWING = sorted(map(str, [*Path("src/atebm/report").glob("*.py"), *Path("data/published").glob("*.csv")]))
