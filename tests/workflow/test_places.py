"""Where a checkout lies, what its files' ages are, and who may write there: it works, or it ends in one sentence."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import REPOSITORY, checkout, run, snakemake

from atebm.cli.fork_server import SERVER
from atebm.maintenance.doctor import unwritable
from atebm.maintenance.place import unfit
from atebm.provenance.manifest import commit

AWKWARD = "an o'ther ü"  # a space, an apostrophe, and what is not ASCII
DRAWN = "tableS3"  # waits for no computation


def with_dummy_steps(folder: Path) -> Path:
    """A checkout whose steps compute nothing."""
    shutil.copy(Path(__file__).with_name("dummy_cli.py"), checkout(folder) / "src/atebm/cli/app.py")
    return folder


def draw(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return snakemake(folder, f"results/{DRAWN}.csv", *arguments, RAN=str(folder / "ran.log"))


@pytest.fixture
def long_temporary(tmp_path) -> str:
    """A folder for temporary files with a path of more than 120 characters: too long for a Unix socket."""
    folder = tmp_path / ("t" * 120)
    folder.mkdir()
    return str(folder)


# --- paths ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [AWKWARD, 'a"$HOME`id`\\n;&#%[x]*?!~', "two\nlines"])
def test_jobs_run_wherever_a_checkout_lies(tmp_path, name):
    folder = with_dummy_steps(tmp_path / name)
    drawn = draw(folder)
    assert drawn.returncode == 0, drawn.stdout + drawn.stderr
    assert (folder / "ran.log").read_text() == f"render/{DRAWN}\n"


@pytest.mark.parametrize("name", ["a {b} c", "a:b"])
def test_where_it_cannot_work_that_is_said_at_once(tmp_path, name):
    refused = draw(with_dummy_steps(tmp_path / name))
    assert refused.returncode == 1
    (said,) = [line for line in (refused.stdout + refused.stderr).splitlines() if line.startswith("error:")]
    assert "move the checkout elsewhere" in said and "Traceback" not in refused.stderr
    assert not (tmp_path / name / "work").exists()
    made = run(
        tmp_path / name, sys.executable, "-m", "atebm.maintenance.place", PYTHONPATH="src" if ":" in name else "./src"
    )
    assert made.returncode == 1 and made.stderr.strip() == said, "what `make` asks before it installs anything"


def test_all_other_paths_are_fit():
    assert unfit(Path('/home/o\'ther ü/two\nlines/$x "y" [z]*')) is None
    assert "'{' and '}'" in (unfit(Path("/a/{b}")) or "") and "':'" in (unfit(Path("/a:b")) or "")


@pytest.mark.slow
def test_a_real_run_at_an_awkward_path_with_a_server_and_a_long_temporary_folder(tmp_path, long_temporary):
    """Trained, sampled and drawn at scale smoke, by jobs that a server forks."""
    folder = checkout(tmp_path / AWKWARD)
    targets = ["results/table2.csv", "results/fig1.png"]
    command = ["-m", "atebm", "warm", "snakemake", "--cores", "2", *targets, "--config", "scale=smoke"]
    made = run(folder, sys.executable, *command, TMPDIR=long_temporary, **{SERVER: ""})
    assert made.returncode == 0, made.stdout + made.stderr
    assert "no server" not in made.stdout + made.stderr
    assert all((folder / target).stat().st_size for target in targets)


def test_workers_hand_over_their_batches_under_a_long_temporary_folder(tmp_path, long_temporary):
    """A DataLoader's batches pass through sockets in the folder of temporary files, too."""
    script = tmp_path / "loader.py"
    script.write_text(
        "import torch\nfrom torch.utils.data import DataLoader\nfrom atebm.data.stream import begin_worker\n"
        "loader = DataLoader(torch.arange(4.0), num_workers=1, worker_init_fn=begin_worker)\n"
        "print(sum(float(batch) for batch in loader))\n"
    )
    command = ["timeout", "--signal", "KILL", "60", sys.executable, str(script)]  # without its socket a worker hangs
    loaded = run(tmp_path, *command, TMPDIR=long_temporary, PYTHONPATH=f"{REPOSITORY}/src")
    assert (loaded.returncode, loaded.stdout) == (0, "6.0\n"), loaded.stderr


# --- ages -------------------------------------------------------------------------------------------------------------


def test_a_file_from_the_future_costs_nothing(tmp_path):
    """Snakemake would refuse what was made of it, and remove it."""
    folder = with_dummy_steps(tmp_path / "checkout")
    tomorrow = time.time() + 86_400
    for path in folder.rglob("*"):
        os.utime(path, (tomorrow, tomorrow))
    drawn = draw(folder)
    assert drawn.returncode == 0, drawn.stdout + drawn.stderr
    assert (folder / f"results/{DRAWN}.csv").exists()
    assert draw(folder).returncode == 0
    assert (folder / "ran.log").read_text() == f"render/{DRAWN}\n", "it was drawn twice"


# --- who may write ----------------------------------------------------------------------------------------------------


@pytest.fixture
def read_only(tmp_path) -> Iterator[Path]:
    """A checkout on a disk that cannot be written."""
    if os.geteuid() != 0:
        pytest.skip("only root mounts a disk")
    folder = tmp_path / "disk"
    folder.mkdir()
    if run(tmp_path, "mount", "-t", "tmpfs", "tmpfs", str(folder)).returncode:
        pytest.skip("nothing can be mounted here")
    with_dummy_steps(folder)
    run(tmp_path, "mount", "-o", "remount,ro", str(folder))
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_dry_run_in_a_read_only_checkout_is_one_sentence(read_only):
    planned = draw(read_only, "--dry-run")
    assert planned.returncode == 1
    said = planned.stdout + planned.stderr
    assert "error: work: Read-only file system. Make it readable and writable" in said and "Traceback" not in said


def test_doctor_says_what_cannot_be_written(read_only, monkeypatch, tmp_path):
    assert unwritable(REPOSITORY) == []
    assert any("the workflow keeps its results in" in said for said in unwritable(read_only))
    monkeypatch.setenv("XDG_CACHE_HOME", str(read_only / "cache"))
    (said,) = unwritable(REPOSITORY)
    assert str(read_only / "cache/snakemake") in said and "set XDG_CACHE_HOME to a writable folder" in said
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))  # as it says
    assert unwritable(REPOSITORY) == [] and not (tmp_path / "cache").exists(), "it looks, and makes nothing"


# --- git --------------------------------------------------------------------------------------------------------------


def git(folder: Path, *arguments: str) -> str:
    done = run(folder, "git", "-c", "user.name=Test", "-c", "user.email=test@example.org", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="no git on this machine")


@needs_git
def test_the_commit_is_the_checkouts_own(tmp_path, monkeypatch):
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "commit", "--quiet", "--allow-empty", "--message", "another project's")
    (inside := tmp_path / "download").mkdir()
    monkeypatch.chdir(inside)
    assert commit() is None, "a zip that was unpacked in another repository"
    monkeypatch.chdir(tmp_path)
    assert commit() == git(tmp_path, "rev-parse", "--short", "HEAD").strip()


@needs_git
def test_a_clone_has_the_bytes_that_were_committed_whatever_git_does_with_line_ends(tmp_path):
    """With core.autocrlf, as on Windows: every sha256 that a record names would be another one."""
    (origin := tmp_path / "origin").mkdir()
    shutil.copy(REPOSITORY / ".gitattributes", origin)
    for kind in ("csv", "json", "ipynb", "md", "svg", "html", "py", "smk", "dvc"):
        (origin / f"text.{kind}").write_bytes(b"one\ntwo\n")
    for kind in ("png", "gif", "gz", "npz", "safetensors"):
        (origin / f"bytes.{kind}").write_bytes(b"one\r\ntwo\n")
    git(origin, "init", "--quiet")
    git(origin, "add", "--all")
    git(origin, "commit", "--quiet", "--message", "all")
    git(tmp_path, "-c", "core.autocrlf=true", "clone", "--quiet", "origin", "clone")
    for path in origin.glob("*.*"):
        if path.is_file():
            assert (tmp_path / "clone" / path.name).read_bytes() == path.read_bytes(), path.name


@needs_git
def test_the_repository_is_as_its_attributes_say():
    if not (REPOSITORY / ".git").exists():
        pytest.skip("no clone")
    ends = [line.split() for line in git(REPOSITORY, "ls-files", "--eol").splitlines()]
    kept = "attr/-text"  # byte for byte, whatever ends its lines
    assert [line for line in ends if line[0] not in ("i/lf", "i/-text", "i/none") and line[2] != kept] == []
    binary = {Path(line[-1]).suffix for line in ends if line[0] == "i/-text"}
    assert all(f"*{suffix} binary" in (REPOSITORY / ".gitattributes").read_text() for suffix in binary)
