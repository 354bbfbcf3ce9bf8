"""Jobs that a server forks are what `python -m atebm` would have been, and end as it would have."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import REPOSITORY
from users import called

from atebm.cli import fork_server
from atebm.cli.fork_server import SERVER

CLI = """
import json, os, sys, threading, time
from pathlib import Path

def main():
    modules = "torch" in sys.modules and "matplotlib" in sys.modules
    assert "pandas" not in sys.modules, "it shows tables otherwise in notebooks than where it was imported"
    umask = os.umask(0)
    told = {"pid": os.getpid(), "arguments": sys.argv[1:], "folder": os.getcwd(), "served": modules, "umask": umask}
    told |= {"variable": os.environ.get("VARIABLE"), "threads": len(os.listdir("/proc/self/task"))}
    told |= {"input": "" if sys.stdin.isatty() else sys.stdin.readline(), "file": __file__}
    print(json.dumps(told), flush=True)
    print("an error", file=sys.stderr)
    match sys.argv[1]:
        case "wait":
            time.sleep(60)
        case "raise":
            raise ValueError("no such thing")
        case "exit":
            sys.exit("a sentence")
        case "kill":
            os.kill(os.getpid(), 9)
        case "kill group":
            os.killpg(0, 9)
        case status:
            threading.Timer(0.2, lambda: Path("later").write_text("written")).start()
            sys.exit(int(status))
"""


@pytest.fixture
def command(tmp_path, monkeypatch) -> Iterator[list[str]]:
    """`python -m atebm` of a package whose command tells what it is."""
    package = tmp_path / "src" / "atebm"
    for folder in (package, package / "cli", package / "utils"):
        folder.mkdir(parents=True, exist_ok=True)
    for name in (
        "__init__.py",
        "__main__.py",
        "cli/__init__.py",
        "cli/fork_server.py",
        "cli/follow.py",
        "utils/__init__.py",
        "utils/processes.py",
    ):
        shutil.copy(REPOSITORY / "src/atebm" / name, package / name)
    (package / "cli/app.py").write_text(CLI)
    monkeypatch.setenv("PYTHONPATH", str(package.parent))
    monkeypatch.setenv("VARIABLE", "a value, \udcff")
    monkeypatch.chdir(tmp_path)
    usual = os.umask(0o027)
    yield [sys.executable, "-m", "atebm"]
    os.umask(usual)


def ended(command: list[str], *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*command, *arguments],
        input="a line\n",
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_job_is_what_its_caller_would_have_been(command, tmp_path):
    served, alone = ended(command, "3", "two words"), ended(command, "3", "two words", **{SERVER: ""})
    assert served.returncode == alone.returncode == 3
    assert served.stderr == alone.stderr == "an error\n"
    of_served, of_alone = json.loads(served.stdout), json.loads(alone.stdout)
    assert of_served.pop("served") and not of_alone.pop("served")
    assert of_served.pop("threads") == of_alone.pop("threads") == 1, "a fork of a process with threads can hang"
    assert of_served.pop("pid") != of_alone.pop("pid")
    assert of_served == of_alone
    assert of_served["arguments"] == ["3", "two words"] and of_served["folder"] == str(tmp_path)
    assert of_served["input"] == "a line\n" and of_served["file"] == str(tmp_path / "src/atebm/cli/app.py")


def test_a_job_waits_for_its_threads(command, tmp_path):
    assert ended(command, "0").returncode == 0
    assert (tmp_path / "later").read_text() == "written"


@pytest.mark.parametrize(
    ("how", "status", "says"), [("raise", 1, "ValueError: no such thing"), ("exit", 1, "a sentence")]
)
def test_a_job_that_fails_says_so(command, how, status, says):
    served, alone = ended(command, how), ended(command, how, **{SERVER: ""})
    assert served.returncode == alone.returncode == status
    assert says in served.stderr and says in alone.stderr


def test_a_killed_job_ends_its_caller_and_no_other(command):
    assert ended(command, "kill").returncode == 128 + signal.SIGKILL
    with_group = ended(command, "kill group")
    assert with_group.returncode == 1 and "lost this job" in with_group.stderr
    assert json.loads(ended(command, "0").stdout)["served"], "the server is gone"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_signals_reach_the_job(command, number):
    with subprocess.Popen(
        [*command, "wait"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as caller:
        assert caller.stdout and json.loads(caller.stdout.readline())["served"]
        caller.send_signal(number)
        assert caller.wait(10) == (1 if number == signal.SIGINT else 128 + number)


def test_a_job_ends_with_its_caller(command):
    with subprocess.Popen([*command, "wait"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as caller:
        job = json.loads(caller.stdout.readline())["pid"] if caller.stdout else 0
        caller.kill()
    assert gone(job)


def test_a_notebooks_kernel_ends_with_who_wants_it(tmp_path):
    """Which a fork does not see from its parent, and which may end too suddenly to tell the kernel."""
    connection = tmp_path / "kernel.json"
    with subprocess.Popen(["sleep", "60"]) as wants:
        kernel = subprocess.Popen(
            [sys.executable, "-m", "atebm", "kernel", "-f", str(connection)],
            env=os.environ | {"JPY_PARENT_PID": str(wants.pid)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for _ in range(200):
            if connection.exists():
                break
            time.sleep(0.1)
        assert connection.exists() and kernel.poll() is None
        wants.kill()
    assert kernel.wait(10) == 1


def gone(process: int) -> bool:
    """Whether a process ends within seconds."""
    for _ in range(100):
        if not Path(f"/proc/{process}").exists():
            return True
        time.sleep(0.1)
    return False


@pytest.mark.parametrize(
    "differs", [{"OMP_NUM_THREADS": "2"}, {SERVER: f"/nowhere:{sys.prefix}"}, {SERVER: "/nowhere:/usr"}]
)
def test_without_a_server_of_its_kind_a_job_works_on_its_own(command, differs):
    assert not json.loads(ended(command, "0", **differs).stdout)["served"]


def test_the_served_command_decides_the_status_and_leaves_nothing(tmp_path):
    script = f'test -S "${{{SERVER}%%:*}}"; echo "${{{SERVER}%%:*}}"; python -m atebm explain nothing; exit 7'
    command = [sys.executable, "-m", "atebm", "warm", "bash", "-c", script]
    finished = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert finished.returncode == 7
    assert not Path(finished.stdout.splitlines()[0]).exists()
    assert "nothing" in finished.stderr and "Traceback" not in finished.stderr


def test_no_server_starts_for_a_command_that_is_not_there(capsys, monkeypatch):
    monkeypatch.setattr(fork_server, "serving", None)
    finished = called(capsys, monkeypatch, "warm", "snakmake", "--cores", "all")
    assert finished.code == 1 and finished.err == "error: there is no command snakmake.\n"


def served_from(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "atebm", "warm", "bash", "-c", f'echo "at ${{{SERVER}%%:*}}"; exit 7']
    environment = os.environ | {SERVER: "", "PYTHONPATH": str(REPOSITORY / "src"), "TMPDIR": str(folder)} | environment
    return subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)


def test_a_long_temporary_folder_is_no_place_for_a_socket(tmp_path):
    """Which has a path of some 100 bytes at most."""
    (folder := tmp_path / ("ü" * 60)).mkdir()
    finished = served_from(folder)
    assert finished.returncode == 7, finished.stderr
    assert finished.stdout.startswith("at /tmp/atebm-") and "no server" not in finished.stdout


def test_without_a_socket_the_command_runs_without_a_server(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(fork_server, "for_sockets", lambda: str(tmp_path / "gone"))
    with fork_server.serving() as environment:
        assert environment == {}
    (said,) = capsys.readouterr().out.splitlines()
    assert said.startswith("warning: no server (") and said.endswith("imports the libraries itself.")
