"""`dvc push` and `dvc pull` that are killed on the way: nothing half has a final name, and the next one completes."""

import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import REPOSITORY, run

pytestmark = pytest.mark.slow
FILES, SIZE = 120, 200_000  # of one out, as a step's folder is; large enough to be met on the way


@pytest.fixture
def origin(tmp_path) -> Path:
    """A git repository with this one's settings of DVC, an out and an empty remote in a folder."""
    if shutil.which("git") is None:
        pytest.skip("no git on this machine")
    folder = tmp_path / "origin"
    (folder / "work/data").mkdir(parents=True)
    shutil.copytree(REPOSITORY / ".dvc", folder / ".dvc", ignore=shutil.ignore_patterns("cache", "tmp"))
    shutil.copy(REPOSITORY / ".dvcignore", folder)
    numbers = random.Random(0)
    for name in range(FILES):
        (folder / f"work/data/{name}.npy").write_bytes(numbers.randbytes(SIZE))
    done(folder, "git", "init", "--quiet")
    done(folder, "dvc", "remote", "add", "--default", "storage", "../remote")
    done(folder, "dvc", "add", "--quiet", "work/data")
    done(folder, "git", "add", "--all")
    done(folder, "git", "-c", "user.name=Test", "-c", "user.email=test@example.org", "commit", "--quiet", "-m", "all")
    return folder


def done(folder: Path, *command: str) -> str:
    finished = run(folder, *command)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


def kill_on_the_way(folder: Path, verb: str, place: Path) -> None:
    """`dvc push` or `pull`, killed once a third of the files are at `place`."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with subprocess.Popen(
        ["dvc", verb, "--jobs", "1"], cwd=folder, env={**os.environ, "PATH": path}, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        while len(list(whole_names(place))) < FILES // 3:
            assert process.poll() is None, "it ended before"
            time.sleep(0.002)
        os.killpg(process.pid, signal.SIGKILL)


def whole_names(place: Path) -> Iterator[Path]:
    return (path for path in place.rglob("*") if path.is_file() and not path.name.endswith(".tmp"))


def assert_objects_are_whole(place: Path) -> int:
    """Each object of a cache or a remote has the md5 that is its name; returns how many there are."""
    objects = [path for path in whole_names(place) if len(path.parent.name) == 2]
    for path in objects:
        name = f"{path.parent.name}{path.name}".removesuffix(".dir")
        assert hashlib.md5(path.read_bytes()).hexdigest() == name, f"{path} is half"
    return len(objects)


def test_a_push_that_was_killed_is_completed_by_the_next(origin):
    remote = origin.parent / "remote"
    kill_on_the_way(origin, "push", remote)
    assert 0 < assert_objects_are_whole(remote) < FILES
    assert "in sync" not in done(origin, "dvc", "status", "--cloud")
    done(origin, "dvc", "push")
    assert assert_objects_are_whole(remote) == FILES + 1  # and the list of them
    assert "in sync" in done(origin, "dvc", "status", "--cloud")


@pytest.mark.parametrize("on_the_way", [".dvc/cache", "work/data"], ids=["to the cache", "to the checkout"])
def test_a_pull_that_was_killed_is_completed_by_the_next(origin, on_the_way):
    """Without --force, which would also remove what was computed here and is in no remote."""
    done(origin, "dvc", "push")
    done(origin.parent, "git", "clone", "--quiet", "origin", "clone")
    clone = origin.parent / "clone"
    wanted = {path.name: path.read_bytes() for path in (origin / "work/data").iterdir()}
    kill_on_the_way(clone, "pull", clone / on_the_way)
    there = {path.name: path.read_bytes() for path in whole_names(clone / "work/data")}
    assert there.keys() < wanted.keys() and all(wanted[name] == content for name, content in there.items())
    assert_objects_are_whole(clone / ".dvc/cache")
    (clone / "work/data").mkdir(exist_ok=True)
    (clone / "work/data/.AbCdEfGhIjKlMnOpQrStUv.tmp").touch()  # as DVC leaves them there, if not this time
    done(clone, "dvc", "pull")
    assert {path.name: path.read_bytes() for path in whole_names(clone / "work/data")} == wanted
    assert "up to date" in done(clone, "dvc", "status")
