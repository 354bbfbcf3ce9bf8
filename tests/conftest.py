"""Shared by all tests: the repository, and what a step needs to run outside Snakemake."""

import hashlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from collections.abc import Container, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from sharing import kept_for, shared
from snakemake.utils import update_config

from atebm.cli import fork_server
from atebm.cli.fork_server import SERVER
from atebm.config.messages import resolve
from atebm.config.schema import Config
from atebm.pipeline.artifacts import ARTIFACTS
from atebm.pipeline.job import Job
from atebm.pipeline.kinds import KINDS
from atebm.pipeline.plan import Plan
from atebm.pipeline.step import Step
from atebm.utils.files import write_text

REPOSITORY = Path(__file__).resolve().parents[1]
SECRET = "hunter2-of-the-tests"
SECRETS = {  # of the environment that `computed` is made in, as machines have them; nothing may write them down
    "AWS_SECRET_ACCESS_KEY": "{}",
    "GITHUB_TOKEN": "ghp_{}",
    "DATABASE_URL": "postgresql://user:{}@example.org/runs",
    "PIP_INDEX_URL": "https://user:{}@example.org/simple",
    "HTTPS_PROXY": "http://user:{}@proxy.example.org:3128",
    "WANDB_API_KEY": "{}",
    "SSH_AUTH_SOCK": "/run/{}",
}
# For unpacking archives that tests have made: the filter that Python wants from 3.12 on, and has from 3.11.4 on.
UNPACKED: dict[str, Any] = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
# What a checkout needs to run the workflow; .git, .venv and what was computed stay behind.
CHECKOUT = ("config.yaml", "dvc.yaml", ".dvc", ".dvcignore", ".gitignore", "workflow", "src", "notebooks", "data")
CHECKOUT += ("README.md", "LICENSE", "CITATION.cff", "requirements.lock")  # which the crate lists


def configuration(scale: str, **changes: Any) -> dict[str, Any]:
    """What Snakemake's `config` holds at a scale, with `--config` changes on top."""
    config: dict[str, Any] = {}  # as Snakemake begins: merging into YAML's own would change what an anchor shares
    for file in ("config.yaml", f"workflow/scales/{scale}.yaml"):
        update_config(config, yaml.safe_load((REPOSITORY / file).read_text()))
    update_config(config, {"scale": scale} | changes)
    return config


def typed(scale: str, **changes: Any) -> Config:
    return resolve(configuration(scale, **changes))


def planned(scale: str, **changes: Any) -> Plan:
    return Plan(typed(scale, **changes))


def write_specs(root: Path, *steps: Step) -> None:
    """Specs of steps and their ancestors under `root`, as parsing the Snakefile writes them."""
    from atebm.utils.hashing import canonical

    for ancestor in (ancestor for step in steps for ancestor in step.ancestry()):
        write_text(root / ancestor.spec_file, canonical(ancestor.spec))


def made(settings: dict[str, Any], embedded: Path = REPOSITORY / "data/embedded") -> tuple[Any, Any, list[str]]:
    """Images, labels and names of the labels of a set that is read from data/embedded/, or from nothing."""
    from atebm.data.content import Places, content_of

    content = content_of(settings, Places(embedded=embedded))
    return np.concatenate(list(content.images(0, 1))), *content.labels()


def checkout(folder: Path) -> Path:
    """A copy of the repository's files in `folder`, without anything computed."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in CHECKOUT:
        source = REPOSITORY / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=left_behind)
        elif source.exists():
            shutil.copy(source, folder / name)
    return folder


def left_behind(folder: str, names: list[str]) -> set[str]:
    """Of what is in a folder of the repository, what a checkout in a test goes without."""
    if Path(folder).parts[-2:] == ("data", "archives"):  # these can have gigabytes; their DVC pointers come along
        return {name for name in names if not name.endswith((".dvc", ".gitignore"))}
    return {"__pycache__", "cache", "tmp"}.intersection(names)


def run(folder: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A command in `folder`, with the commands of this Python's environment first on PATH."""
    return subprocess.run(
        command,
        cwd=folder,
        env=environment_of(environment),
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,
    )


@pytest.fixture(scope="module", params=[pytest.param("Chromium", marks=pytest.mark.slow)])
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("no Chromium on this machine")
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--headless"])
        yield started
        started.close()


def seldom(cases: dict[str, Any], often: Container[str]) -> list[Any]:
    """Parameters of a test, one for each case; those that are not named in `often` are slow."""
    return [
        pytest.param(case, id=name, marks=() if name in often else pytest.mark.slow) for name, case in cases.items()
    ]


def environment_of(changes: dict[str, str]) -> dict[str, str]:
    """This process's environment with `changes`, and the commands of this Python's environment first on PATH."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, **changes}


def snakemake(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Snakemake with `arguments` in `folder`; targets first, since --config takes all that follows.

    It is a fork of a process that has imported it, since a start takes longer than what many tests want of it. Where
    the start, or the process, is what a test is about: run(folder, "snakemake", ...).
    """
    arguments = ("--cores", "2", *arguments)
    caller = {
        "arguments": arguments,
        "environment": environment_of(environment),
        "folder": str(folder),
        "path": [place for place in sys.path if not Path(place).is_relative_to(REPOSITORY / "tests")],
        "umask": 0o022,
        "unbuffered": False,
    }
    with (
        socket.socket(socket.AF_UNIX) as connection,
        Path(os.devnull).open() as nothing,
        tempfile.TemporaryFile("w+") as output,
        tempfile.TemporaryFile("w+") as errors,
    ):
        streams = [stream.fileno() for stream in (nothing, output, errors)]
        _, answers = fork_server.start(connection, snakemake_server(), streams, caller)
        status = int(answers.readline())
        for stream in (output, errors):
            stream.seek(0)
        return subprocess.CompletedProcess(["snakemake", *arguments], status, output.read(), errors.read())


SERVERS = ExitStack()  # of the whole session
# What Snakemake and this workflow import.
IMPORTED = ("snakemake.cli", "snakemake.report", "smart_open", "pydantic", "scipy.io", "PIL.Image", "lmdb")


@cache
def snakemake_server() -> str:
    """The socket of a server whose jobs are Snakemake."""
    environment = SERVERS.enter_context(fork_server.serving("snakemake.cli", IMPORTED))
    return environment[SERVER].partition(":")[0]


@pytest.fixture(scope="session", autouse=True)
def served() -> Iterator[None]:
    """Every `python -m atebm` of the tests is served, as those of `make demo` are, unless a test says otherwise."""
    # A shell's background jobs ignore Ctrl-C, and so would all that tests start.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with SERVERS, pytest.MonkeyPatch.context() as patch:
        for name, value in SERVERS.enter_context(fork_server.serving()).items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="session")
def computed(tmp_path_factory, pytestconfig) -> Path:
    """A checkout in which everything was run once at scale smoke, as its config.yaml says. Copy it to change it.

    A later session of tests takes it from pytest's cache, if nothing has changed that it depends on; `made_in` beside
    it says where it was made.
    """

    def make(folder: Path) -> None:
        config = checkout(folder / "checkout") / "config.yaml"
        config.write_text(config.read_text().replace("scale: demo", "scale: smoke", 1))
        kept_for(pytestconfig, folder, compute)

    return shared(tmp_path_factory, "computed", make) / "checkout"


def compute(folder: Path) -> None:
    """Run everything in folder/checkout, in an environment with secrets; and remember where."""
    (home := folder / SECRET).mkdir()
    secrets = {name: value.format(SECRET) for name, value in SECRETS.items()}
    made = run(folder / "checkout", "snakemake", "--cores", "2", **secrets, HOME=str(home))
    assert made.returncode == 0, made.stdout + made.stderr
    (folder / "made_in").write_text(str(folder / "checkout"))


def compute_step(job: Job, shards: int = 1) -> None:
    """Compute a step of any kind on the CPU, in so many shards where it comes in these; its parents must be there."""
    import torch

    kind = KINDS[job.spec["kind"]]
    given = {"device": torch.device("cpu")} if "device" in kind.takes else {}
    if not kind.joins:
        kind.function()(job, **given)
        return
    parts = [job.work / f"{index}-of-{shards}.npz" for index in range(shards)]
    for part in parts:
        kind.function()(job, shard=part.stem, out=part, **given)
    kind.join()(job, parts)


@pytest.fixture(scope="session")
def smoke(tmp_path_factory) -> tuple[Path, Plan]:
    """(root, plan): scale smoke's data, extractor and reference, made once; each test adds steps of its own."""
    root, plan = tmp_path_factory.mktemp("smoke"), planned("smoke")
    write_specs(root, plan.sample("cifar10", 0, "best"), plan.pretrain("imagenet"))
    for spec in (root / "work/specs/data").glob("*.json"):
        compute_step(Job(spec))
    compute_step(Job(root / plan.extractor().spec_file))
    reference = plan.train("cifar10", 0).parents["reference"]
    compute_step(Job(root / reference.spec_file))
    return root, plan


def job_of(smoke: tuple[Path, Plan], **changes: Any) -> Job:
    """A train job beside the data of `smoke`, with some settings changed."""
    root, _ = smoke
    # a sampler's length of its own, since a run without a monitor selects none
    step = planned("smoke", runs={"cifar10": changes}, samplers={"cifar10": {"steps": 2}}).train("cifar10", 0)
    write_specs(root, step)
    return Job(root / step.spec_file)


@pytest.fixture
def results() -> Path:
    """results/ as it is committed; your own run replaces it, on another machine with other numbers."""
    if shutil.which("git") and (REPOSITORY / ".git").exists():
        changed = run(REPOSITORY, "git", "status", "--porcelain", "--", "results").stdout
        if changed:
            pytest.skip("results/ is not as committed; to commit yours: make docs")
    return REPOSITORY / "results"


@pytest.fixture
def unchecked(monkeypatch) -> Any:
    """torchvision's readers, without their checks that files are the official ones."""
    import torchvision

    for module in (torchvision.datasets.cifar, torchvision.datasets.svhn, torchvision.datasets.imagenet):
        monkeypatch.setattr(module, "check_integrity", lambda *_: True)
    return torchvision.datasets


@pytest.fixture
def folder(tmp_path) -> Path:
    """Where `fetch` puts archives."""
    (tmp_path / "archives").mkdir()
    return tmp_path / "archives"


@pytest.fixture
def documented(monkeypatch):
    """Let the records of data/sources.yaml be those of miniatures: documented(path) gives a file's its checksum.

    Of one, md5 before sha256; what a miniature need not have, members and images of so many pixels, is left out.
    """
    from atebm.archives import catalogue

    records = {source.file: source for source in catalogue.sources()}

    def document(path: Path) -> Path:
        changes: dict[str, Any] = {"bytes": path.stat().st_size, "members": (), "pixels": None, "sha256": None}
        known = records[path.name].checksums  # where none is documented of the archive, none is of its miniature
        if known:
            algorithm = next(iter(known))
            changes[algorithm] = hashlib.new(algorithm, path.read_bytes()).hexdigest()
        records[path.name] = records[path.name].model_copy(update=changes)
        return path

    monkeypatch.setattr(catalogue, "sources", lambda: tuple(records.values()))
    return document


def seed(name: str) -> None:
    """Seed everything that a test draws from without a seed of its own, by a name."""
    import torch

    number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4])
    random.seed(number)
    np.random.seed(number)  # noqa: NPY002  # libraries draw from it
    torch.manual_seed(number)


# Of a test and of each of its fixtures: the fixtures of a module are made by whichever test runs first.
@pytest.hookimpl(tryfirst=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest) -> None:
    seed(f"{request.node.nodeid}::{fixturedef.argname}")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> None:
    seed(item.nodeid)


@pytest.fixture(autouse=True)
def one_thread():
    """As in the workflow: bytes must not depend on how many cores a machine has."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture
def double_precision() -> Iterator[None]:
    """Compute in float64, where CPUs agree to 1e-12 or so: tensors and networks that a test makes are of that type."""
    import torch

    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-golden", action="store_true", help="write tests/golden/ anew where that is all it takes")


def pytest_configure() -> None:
    os.environ.setdefault("KILL_SEED", str(random.randrange(10**6)))  # the processes of pytest-xdist take it over


def pytest_report_header() -> str:
    return f"moments of kills: KILL_SEED={os.environ['KILL_SEED']}"


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say where the minutes went: the files that took longest, with what was made for them."""
    seconds: Counter[str] = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                seconds[report.nodeid.partition("::")[0]] += report.duration
    terminalreporter.section("seconds by file")
    for file, spent in seconds.most_common(12):
        terminalreporter.line(f"{spent:6.0f} {file}")


def request_for(root: Path, artifact: str, needs: dict[str, str], scale: str = "demo", **more: Any) -> str:
    """Write the request of an artifact that is drawn from results at `root`, by role, and return its path."""
    config = typed(scale)
    contents = {
        "artifact": artifact,
        "scale": scale,
        "draws": ARTIFACTS[artifact].draws,
        "tasks": {name: task.model_dump() for name, task in config.tasks.items()},
        "sets": {name: config.title_of(name) for task in config.tasks.values() for name in task.sets},
        "needs": needs,
    }
    path = root / f"work/specs/artifact/{artifact}.json"
    write_text(path, json.dumps({"request": contents | more}))
    return str(path)
