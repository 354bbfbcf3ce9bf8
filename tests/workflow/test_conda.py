"""The conda environments: that they are what the lock says, are well-formed, and that jobs run in them.

There is no conda on PyPI or in Debian, so tests/conda_standin answers for it; its docstring says what that leaves open.
"""

import json
import os
import platform
import re
import shutil
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from conda_standin.jobs import WITNESSES
from conftest import REPOSITORY, checkout, run
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from atebm.maintenance.environments import ENVIRONMENTS, environments, pinned
from atebm.utils.errors import ConfigError

LOCK = (REPOSITORY / "requirements.lock").read_text()
RULES = sorted((REPOSITORY / "workflow/rules").glob("*.smk"))
STANDIN = Path(__file__).parents[1] / "conda_standin"
CHANNELS = {"conda-forge", "nodefaults"}

# --- their text ---


@pytest.mark.parametrize("path", ENVIRONMENTS)
def test_environments_are_those_of_the_lock(path):
    assert (REPOSITORY / path).read_text() == environments(LOCK)[path], "run: make environments"


def test_no_environment_is_written_by_hand():
    found = {"environment.yml", *(f"workflow/envs/{path.name}" for path in (REPOSITORY / "workflow/envs").iterdir())}
    assert found == set(ENVIRONMENTS)


@pytest.mark.parametrize("pin", ["", "scipy>=1.17", "# scipy==1.17.1"])
def test_a_package_that_the_lock_does_not_pin_is_refused(pin):
    with pytest.raises(
        ConfigError, match=r"^requirements\.lock pins no version of scipy, which environment\.yml needs"
    ):
        environments(re.sub("^scipy==.*$", pin, LOCK, flags=re.MULTILINE))


def mistakes(environment: dict[str, Any]) -> list[str]:
    """The channels and lines of an environment that conda or pip would not understand."""
    rattler = pytest.importorskip("rattler", reason="py-rattler reads conda's match specifications")
    from rattler.exceptions import InvalidMatchSpecError

    wrong = [channel for channel in environment["channels"] if channel not in CHANNELS]
    for line in environment["dependencies"]:
        try:
            if isinstance(line, str):
                rattler.MatchSpec(line, strict=True)
            else:
                for requirement in line["pip"]:
                    Requirement(requirement)
        except (InvalidMatchSpecError, InvalidRequirement):
            wrong.append(line)
    return wrong


@pytest.mark.parametrize("path", ENVIRONMENTS)
def test_environments_are_well_formed(path):
    assert mistakes(yaml.safe_load((REPOSITORY / path).read_text())) == []


@pytest.mark.parametrize("line", ["pytorch>=2.4,<", "=3.11", "nump y", {"pip": ["torch-fidelity=0.4.0"]}])
def test_malformed_lines_are_found(line):
    environment = {"channels": ["conda-forge", "defaults"], "dependencies": ["python =3.11", line]}
    assert mistakes(environment) == ["defaults", line]


def test_every_rule_names_an_environment_that_exists():
    """Snakemake answers a missing one with a traceback, and only where there is a conda."""
    for path in RULES:
        for rule in re.split(r"^ *rule\b", path.read_text(), flags=re.MULTILINE)[1:]:
            named = re.search(r'^ +conda:\n +"(.+)"$', rule, flags=re.MULTILINE)
            assert named, f"{path.name}: rule{rule.split(':')[0]} has no conda:"
            assert (path.parent / named[1]).exists(), f"{path.name}: {named[1]}"


# --- jobs in them ---

TABLE = "results/table2.csv"
# The small wheel that each light environment holds instead.
LIGHT = dict(zip(("workflow/envs/torch.yaml", "workflow/envs/report.yaml"), WITNESSES, strict=True))


class Checkout(NamedTuple):
    """A checkout with light environments, and the stand-in for conda that makes them."""

    folder: Path
    conda: Path

    def snakemake(self, *arguments: str) -> str:
        """What Snakemake says; it must succeed."""
        path = os.pathsep.join([f"{self.conda}/bin", str(Path(sys.executable).parent), os.environ["PATH"]])
        command = ["snakemake", "--cores", "1", *arguments, "--config", "scale=smoke", "device=cpu"]
        answer = run(self.folder, *command, PATH=path)
        assert answer.returncode == 0, answer.stdout + answer.stderr
        return answer.stdout + answer.stderr

    def created(self) -> list[str]:
        """The calls that create an environment."""
        return [call for call in lines(self.conda / "calls.log") if call.startswith("env create")]

    def jobs(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in lines(self.folder / "jobs.log")]


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines()


@pytest.fixture(scope="module", params=[pytest.param("stand-in", marks=pytest.mark.slow)])
def light(tmp_path_factory) -> Checkout:
    """A checkout whose jobs compute nothing, in environments of one small wheel each."""
    pytest.importorskip("rattler", reason="py-rattler solves and links the environments")
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        pytest.skip("the stand-in's channel is for linux-64")
    base = tmp_path_factory.mktemp("conda")
    wheels = {path: f"{witness}=={pinned(LOCK)[witness]}" for path, witness in LIGHT.items()}
    require_package_index(*wheels.values(), folder=base)
    folder = checkout(base / "checkout")
    shutil.copy(STANDIN / "jobs.py", folder / "src/atebm/cli/app.py")
    python = "python ={}.{}".format(*sys.version_info)
    for path, wheel in wheels.items():
        environment = {"channels": sorted(CHANNELS), "dependencies": [python, "pip", {"pip": [wheel]}]}
        (folder / path).write_text(yaml.safe_dump(environment))
    return Checkout(folder, install_conda(base / "conda"))


def require_package_index(*wheels: str, folder: Path) -> None:
    """Skips where pip can't fetch `wheels`, without the patience that pip has for a network that is there."""
    fetch = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--retries", "0", "--timeout", "20"]
    answer = run(folder, *fetch, "--dest", "wheels", *wheels)
    if answer.returncode != 0:
        pytest.skip(f"pip can't fetch {' '.join(wheels)}: {answer.stderr.strip().splitlines()[-1]}")


def install_conda(base: Path) -> Path:
    """An installation of the stand-in, with a command `conda`, at `base`."""
    from conda_standin.channel import write_channel

    write_channel(base / "channel")
    (base / "bin").mkdir()
    shutil.copy(STANDIN / "activate", base / "bin")
    command = base / "bin/conda"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{STANDIN}/conda.py" "{base}" "$@"\n')
    command.chmod(0o755)
    return base


@pytest.fixture(scope="module")
def used(light) -> str:
    """What the literal command says the first time."""
    return light.snakemake("--use-conda", TABLE)


def test_use_conda_runs_each_job_in_its_own_environment(light, used):
    assert used.count("Creating conda environment") == len(light.created()) == len(LIGHT)
    assert "this machine has no conda" not in used
    jobs = light.jobs()
    assert {"data", "train", "sample", "metric", "artifact"} <= {job["of"] for job in jobs}
    for job in jobs:
        assert Path(job["prefix"]).parent == light.folder / ".snakemake/conda"
        assert job["executable"] == f"{job['prefix']}/bin/python"
        assert job["pythonpath"] == f"{light.folder}/src" and job["device"] == "cpu"
        path = "workflow/envs/report.yaml" if job["verb"] == "render" else "workflow/envs/torch.yaml"
        assert job["witnesses"] == [LIGHT[path]]


def test_again_there_is_nothing_to_do(light, used):
    jobs, created = light.jobs(), light.created()
    assert "Nothing to be done" in light.snakemake("--use-conda", TABLE)
    assert light.jobs() == jobs and light.created() == created


def test_the_profile_does_what_use_conda_does(light, used):
    profile = ("--profile", "workflow/profiles/conda")
    jobs, created = light.jobs(), light.created()
    assert "Nothing to be done" in light.snakemake(TABLE, *profile)
    (light.folder / TABLE).unlink()
    light.snakemake(TABLE, *profile)
    assert light.jobs()[len(jobs) :] == [job for job in jobs if job["verb"] == "render"]
    assert light.created() == created


# --- what they hold ---


def with_dependencies(packages: Iterable[str]) -> set[str]:
    """Packages, and what they want to be installed with them, as conda's solver would find it: normalised names."""
    found: set[tuple[str, str]] = set()
    todo = [(canonicalize_name(package), "") for package in packages]
    while todo:
        name, extra = each = todo.pop()
        if each in found or next(iter(metadata.distributions(name=name)), None) is None:
            continue
        found.add(each)
        wanted = map(Requirement, metadata.requires(name) or [])
        needed = [it for it in wanted if it.marker is None or it.marker.evaluate({"extra": extra})]
        todo += [(canonicalize_name(it.name), extra) for it in needed for extra in ("", *it.extras)]
    return {name for name, _ in found}


@cache
def installed() -> Mapping[str, list[str]]:
    """Top-level modules -> the packages that have them."""
    return metadata.packages_distributions()


IN_ENVIRONMENT = """
import importlib, importlib.util, sys
absent, modules = set(sys.argv[1].split()), sys.argv[2].split()
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in absent:
            raise ModuleNotFoundError(f"{name} is not in this environment")
sys.meta_path.insert(0, Absent())
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name in absent else found(name, package)
for module in modules:
    importlib.import_module(module)
"""


@pytest.mark.parametrize(
    ("path", "modules"),
    [
        ("workflow/envs/report.yaml", "atebm.cli.app atebm.report atebm.publish.notebook atebm.publish.page"),
        ("workflow/envs/fetch.yaml", "atebm.cli.app atebm.archives.fetch"),
        (
            "workflow/envs/torch.yaml",
            "atebm.cli.app atebm.training.loop atebm.evaluation.metrics atebm.provenance.manifest",
        ),
    ],
)
def test_jobs_import_nothing_that_their_environment_lacks(path, modules):
    """With every other installed package out of sight, as in the conda environment that the job would run in."""
    inside = with_dependencies(ENVIRONMENTS[path][1])
    absent = {top for top, by in installed().items() if not inside.intersection(map(canonicalize_name, by))}
    assert {"pytest", "snakemake"} <= absent
    answer = run(REPOSITORY, sys.executable, "-c", IN_ENVIRONMENT, " ".join(sorted(absent - {"atebm"})), modules)
    assert answer.returncode == 0, answer.stderr
