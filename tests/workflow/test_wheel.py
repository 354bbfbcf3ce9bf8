"""The sdist and the wheel: what is in them, what they say of themselves, and that the wheel works in a clean venv."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest
from conftest import REPOSITORY, UNPACKED, left_behind
from packaging.metadata import Metadata

BULK = (".venv", ".git", ".snakemake", "work", "logs", "__pycache__", ".peers", "*.egg-info")
SITE = Path(pytest.__file__).parents[1]
pytestmark = pytest.mark.slow
VERSION = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["version"]


def bulk(folder: str, names: list[str]) -> set[str]:
    """Of what is in a folder of the repository, what takes space and is in no distribution."""
    return left_behind(folder, names) | shutil.ignore_patterns(*BULK)(folder, names)


def call(folder: Path, *command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """A command in `folder` as in a fresh shell: without what these tests or their caller set."""
    environment |= {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    return subprocess.run(
        [str(part) for part in command], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> tuple[Path, Path]:
    """(sdist, wheel), the latter made from the former, as `python -m build` does it, with the installed setuptools."""
    pytest.importorskip("build", reason="build is not installed")
    folder = tmp_path_factory.mktemp("wheel")
    source = shutil.copytree(REPOSITORY, folder / "source", ignore=bulk)
    made = call(source, sys.executable, "-m", "build", "--no-isolation", "--outdir", folder / "dist")
    assert made.returncode == 0, made.stdout + made.stderr
    (sdist,), (wheel,) = folder.glob("dist/*.tar.gz"), folder.glob("dist/*.whl")
    return sdist, wheel


@pytest.fixture(scope="module")
def unpacked(built, tmp_path_factory) -> Path:
    """The sdist's one folder."""
    folder = tmp_path_factory.mktemp("sdist")
    with tarfile.open(built[0]) as archive:
        archive.extractall(folder, **UNPACKED)
    (only,) = folder.iterdir()
    return only


@pytest.fixture(scope="module")
def installed(built, tmp_path_factory) -> Path:
    """The bin/ of a clean venv with the wheel alone; what it depends on is read from the Python of the tests."""
    folder = tmp_path_factory.mktemp("clean")
    venv.create(folder / "venv", with_pip=False, symlinks=True)
    python = folder / "venv/bin/python"
    options = ("--quiet", "--no-deps", "--no-index", "--disable-pip-version-check")
    pip = call(folder, sys.executable, "-m", "pip", "--python", python, "install", *options, built[1])
    assert pip.returncode == 0, pip.stderr
    (site,) = (folder / "venv/lib").glob("python*/site-packages")
    (site / "dependencies.pth").write_text(f"{SITE}\n")  # after its own; .pth files in there are not read
    return python.parent


def test_the_wheel_is_the_package_and_nothing_else(built):
    with zipfile.ZipFile(built[1]) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    ours = {path for path in (REPOSITORY / "src/atebm").rglob("*") if path.is_file() and path.suffix != ".pyc"}
    assert names == {str(path.relative_to(REPOSITORY / "src")) for path in ours}
    assert "atebm/py.typed" in names


def test_the_sdist_is_a_checkout_without_results_and_tests(built, unpacked):
    files = {str(path.relative_to(unpacked)) for path in unpacked.rglob("*") if path.is_file()}
    assert {"pyproject.toml", "README.md", "LICENSE", "CITATION.cff", "config.yaml", "requirements.lock"} <= files
    for part in ("workflow", "notebooks", "data/embedded", "data/published", "src/atebm"):
        ours = {path for path in (REPOSITORY / part).rglob("*") if path.is_file() and path.suffix != ".pyc"}
        assert {str(path.relative_to(REPOSITORY)) for path in ours if ".ipynb_checkpoints" not in path.parts} <= files
    assert not [file for file in files if file.startswith(("results", "tests", "work/", "benchmarks"))]
    assert built[0].stat().st_size < 12e6  # of which data and models are 10


def test_the_metadata_is_valid_and_complete(built):
    """As `twine check` and PyPI look at it: packaging raises for what the specification forbids."""
    with zipfile.ZipFile(built[1]) as wheel:
        (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
        (entries,) = (name for name in wheel.namelist() if name.endswith(".dist-info/entry_points.txt"))
        metadata, scripts = Metadata.from_email(wheel.read(name)), wheel.read(entries).decode()
        assert name.replace("METADATA", "licenses/LICENSE") in wheel.namelist()
    assert metadata.name == "atebm" and str(metadata.version) == VERSION and metadata.summary
    assert metadata.license_expression == "Apache-2.0" and metadata.author and metadata.keywords
    assert metadata.description_content_type == "text/markdown" and (metadata.description or "").startswith("# atebm")
    assert "Typing :: Typed" in (metadata.classifiers or ())
    assert "atebm = atebm.cli.app:main" in scripts
    assert VERSION in (REPOSITORY / "CITATION.cff").read_text(), "CITATION.cff names another version"


@pytest.mark.parametrize("command", [("atebm",), ("python", "-m", "atebm")], ids=" ".join)
def test_the_command_works_anywhere(installed, tmp_path, command):
    program = [installed / command[0], *command[1:]]
    told = call(tmp_path, *program, "--version")
    assert told.returncode == 0 and re.search(rf"\b{re.escape(VERSION)}$", told.stdout.strip()), told.stderr
    helped = call(tmp_path, *program, "--help")
    assert helped.returncode == 0 and "train" in helped.stdout
    where = call(tmp_path, installed / "python", "-c", "import atebm; print(atebm.__file__)")
    assert Path(where.stdout.strip()).is_relative_to(installed.parent), "not the wheel's"


@pytest.mark.parametrize(
    "arguments",
    [("status",), ("prune", "--yes"), ("fetch", "cifar10"), ("environments",), ("crate",), ("docs",)],
    ids=" ".join,
)
def test_what_needs_a_checkout_says_so(installed, tmp_path, arguments):
    """And touches nothing, above all not a folder work/ of something else."""
    precious = tmp_path / "work/train/mine/model"
    precious.parent.mkdir(parents=True)
    precious.write_text("precious")
    told = call(tmp_path, installed / "atebm", *arguments)
    assert told.returncode == 1 and re.fullmatch(
        r"error: there is no [\w./-]+ here: run this in the folder of the checkout\.\n", told.stderr
    )
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [precious]


def test_in_a_checkout_the_wheel_does_what_the_source_does(installed, unpacked):
    """The plan of the sdist's folder, and where its data comes from, by the code in the venv."""
    command = ("-m", "atebm", "status", "--todo", "-C", "scale=smoke")
    told = call(unpacked, installed / "python", *command)
    ours = call(unpacked, sys.executable, *command, PYTHONPATH=str(REPOSITORY / "src"))
    assert told.returncode == 0, told.stderr
    assert told.stdout == ours.stdout and re.search(r"^to do +train/cifar10-", told.stdout, re.MULTILINE)
    code = (
        "import atebm.archives.catalogue as s, atebm.archives.releases as r; print(len(s.find('svhn')), *r.releases())"
    )
    known = call(unpacked, installed / "python", "-c", code).stdout.split()
    assert known[0] == "2" and "cifar10" in known
