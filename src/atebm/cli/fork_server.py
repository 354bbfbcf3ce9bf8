"""Jobs that start at once: one process imports the libraries, and each `python -m atebm ...` is a fork of it.

python -m atebm warm snakemake --cores all

On CPU, importing torch and drawing libraries takes longer than most of a small scale's jobs. What a job computes is the
same: the fork takes the caller's arguments, environment, folder, streams and signals, and imports this package anew,
from where the caller would. Three processes stand behind a job: the caller, which waits; a keeper, which tells it how
the job ended, and ends the job when the caller vanishes; and the job. The server ends with the command that it serves.
"""

import atexit
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from io import BufferedWriter, FileIO, TextIOWrapper
from pathlib import Path
from typing import IO, Any, TextIO

from ..utils.processes import THREADS, for_sockets

COMMAND = "atebm.cli.app"  # whose jobs are served
SERVER = "ATEBM_WARM"  # the server's socket, a colon, and the Python environment that it is of
LIBRARIES = (  # without pandas, which looks where it is when it is imported, and shows tables otherwise in notebooks
    "torch",
    "torchvision",
    "scipy.optimize",
    "scipy.stats",
    "safetensors.torch",
    "pydantic",
    "typer",
    "yaml",
    "tqdm",
    "matplotlib.figure",
    "matplotlib.backends.backend_agg",
    "matplotlib.backends.backend_svg",
    "PIL.Image",
    "papermill",
    "nbconvert",
    "ipykernel.kernelapp",
)
PASSED_ON = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)


# --- the command that is served ---------------------------------------------------------------------------------------


@contextmanager
def serving(module: str = COMMAND, libraries: Iterable[str] = LIBRARIES) -> Iterator[dict[str, str]]:
    """Serve for as long as the block lasts; gives what the environment of commands needs that shall use the server.

    A job calls `main` of `module`, once the server has imported `libraries`. Where no socket can be made there is no
    server, which is said: commands then work on their own.
    """
    with ExitStack() as stack:
        try:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="atebm-", dir=for_sockets()))
            listener = stack.enter_context(socket.socket(socket.AF_UNIX))
            listener.bind(path := f"{folder}/socket")
        except OSError as error:
            print(f"warning: no server ({error}): each job imports the libraries itself, and takes longer.", flush=True)
            yield {}
            return
        listener.listen(128)  # callers wait here while the libraries are imported
        server = subprocess.Popen(
            [sys.executable, "-m", "atebm.cli.fork_server", str(listener.fileno()), module, *libraries],
            env=os.environ | THREADS,
            stdin=subprocess.PIPE,
            pass_fds=[listener.fileno()],
            start_new_session=True,  # Ctrl-C is for the command
        )
        listener.close()  # it is the server's alone now: when the server is gone, callers notice, and work on their own
        try:
            yield {SERVER: f"{path}:{sys.prefix}"}
        finally:
            server.communicate()  # its standard input ends, and with that the server


def warm(command: list[str]) -> int:
    """Run `command` with a server, show the progress of its long jobs, and return its exit status."""
    from .follow import following  # the server does without

    with serving() as environment, following(Path("logs")):
        process = subprocess.Popen(command, env=os.environ | environment)
        for number in PASSED_ON:
            signal.signal(number, lambda number, _: _send(process.pid, number))
        signal.signal(signal.SIGINT, lambda *_: None)  # Ctrl-C reaches the command as well, which ends in its own time
        return _as_shells_tell(process.wait())


def _as_shells_tell(status: int) -> int:
    return status if status >= 0 else 128 - status


def _send(process: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(process, number)


# --- the caller: `python -m atebm` where a server is named ------------------------------------------------------------


def served() -> int | None:
    """Let the server do what this process is for, and return the exit status; None where there is no server."""
    path, _, prefix = os.environ.get(SERVER, "").rpartition(":")
    if prefix != sys.prefix or any(os.environ.get(name, one) != one for name, one in THREADS.items()):
        return None
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            job, answers = start(connection, path, [0, 1, 2], _myself())
        except (OSError, ValueError):
            return None
        for number in (signal.SIGINT, *PASSED_ON):
            signal.signal(number, lambda number, _: _send(job, number))
        status = answers.readline()
    if not status:
        print("error: the server of `atebm warm` lost the job: run the same command again.", file=sys.stderr)
        return 1
    return _as_shells_tell(int(status))


def start(connection: socket.socket, path: str, streams: list[int], caller: dict[str, Any]) -> tuple[int, IO[str]]:
    """Let the server at `path` start a job with these streams, for such a caller; returns its process, and what a line
    with its status will be read from. Raises OSError or ValueError where there is no server."""
    connection.connect(path)
    socket.send_fds(connection, [b"\n"], streams)
    connection.sendall(json.dumps(caller).encode() + b"\n")
    answers = connection.makefile("r")
    return int(answers.readline()), answers


def _myself() -> dict[str, Any]:
    umask = os.umask(0)
    os.umask(umask)
    return {
        "arguments": sys.argv[1:],
        "environment": dict(os.environ) | THREADS,
        "folder": str(Path.cwd()),
        "path": sys.path,
        "umask": umask,
        "unbuffered": isinstance(sys.stdout, TextIOWrapper) and sys.stdout.write_through,
    }


# --- the server, and the job that it becomes --------------------------------------------------------------------------


def serve(listener: socket.socket) -> dict[str, Any] | None:
    """Fork for each caller until standard input ends. Returns None then, and in each job what its caller is."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # keepers leave no zombies
    with listener, selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ)
        selector.register(0, selectors.EVENT_READ)
        while all(key.fileobj != 0 for key, _ in selector.select()):
            connection = listener.accept()[0]
            if os.fork() == 0:
                break
            connection.close()
        else:
            return None
    os.setsid()  # whoever signals a job's process group means neither the server nor other jobs
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _, streams, *_ = socket.recv_fds(connection, 1, 3)
    line = connection.makefile("r").readline()
    if not line:  # gone before it said what it wants
        os._exit(0)
    job = os.fork()
    if job:
        for stream in streams:
            os.close(stream)
        keep(job, connection)
        os._exit(0)
    connection.close()
    for descriptor, stream in enumerate(streams):
        os.dup2(stream, descriptor)
        os.close(stream)
    caller: dict[str, Any] = json.loads(line)
    return caller


def keep(job: int, connection: socket.socket) -> None:
    """Tell the caller the job's number, and how it ends; kill the job when the caller vanishes."""

    def watch() -> None:
        with suppress(OSError):
            connection.recv(1)  # callers say no more: it returns when they end
        _send(job, signal.SIGKILL)

    with suppress(OSError):
        connection.sendall(f"{job}\n".encode())
    threading.Thread(target=watch, daemon=True).start()
    status = os.waitstatus_to_exitcode(os.waitpid(job, 0)[1])
    with suppress(OSError):
        connection.sendall(f"{status}\n".encode())


def become(caller: dict[str, Any], module: str) -> None:
    """Be in this process what `python -m` with the module would have been in the caller's."""
    os.environ.clear()
    os.environ.update(caller["environment"])
    os.chdir(caller["folder"])
    os.umask(caller["umask"])
    sys.argv[1:], sys.path[:] = caller["arguments"], caller["path"]
    importlib.invalidate_caches()
    sys.stdout, sys.stderr = opened_anew(sys.stdout, 1, caller["unbuffered"]), opened_anew(sys.stderr, 2, True)
    for ours in [name for name in sys.modules if name.partition(".")[0] == "atebm"]:
        del sys.modules[ours]
    importlib.import_module(module).main()


def opened_anew(stream: TextIO, descriptor: int, unbuffered: bool) -> TextIOWrapper:
    """Return a stream like this one, which knows what its descriptor leads to now: a terminal, a file or a pipe."""
    raw = FileIO(descriptor, "w", closefd=False)
    new = TextIOWrapper(BufferedWriter(raw), stream.encoding, stream.errors, line_buffering=raw.isatty())
    new.reconfigure(write_through=unbuffered)
    return new


def end(statuses: list[int]) -> None:
    """End a job without Python's taking its libraries apart, which takes longer than many jobs do."""
    for status in statuses:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    statuses: list[int] = []
    atexit.register(end, statuses)  # before the libraries register anything, so that it comes last
    _, descriptor, module, *libraries = sys.argv
    for library in libraries:
        with suppress(ImportError):  # an environment for drawing has no torch
            importlib.import_module(library)
    gc.collect()
    gc.freeze()  # the collector would touch, and so copy, every page that forks share
    if caller := serve(socket.socket(fileno=int(descriptor))):
        try:
            become(caller, module)
            statuses.append(0)
        except SystemExit as ended:
            statuses.append(ended.code if isinstance(ended.code, int) else int(ended.code is not None))
            raise
        except BaseException:
            statuses.append(1)
            raise
