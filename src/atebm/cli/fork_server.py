"""A server for faster jobs: one process imports the libraries, and each `python -m atebm ...` is a fork of it.

python -m atebm warm snakemake --cores all

On a CPU, importing torch and the drawing libraries takes longer than most jobs of a small scale. A job computes the
same with the server: the fork takes over the caller's arguments, environment, folder, streams and signals, and imports
this package again from where the caller would. Each job has three processes: the caller, which waits; a keeper, which
tells the caller how the job ended, and kills the job if the caller vanishes; and the job itself. The server ends with
the command that it serves.
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

COMMAND = "atebm.cli.app"  # the module whose jobs are served
SERVER = "ATEBM_WARM"  # an environment variable: the server's socket, a colon, and the server's Python environment
LIBRARIES = (  # not pandas: on import it detects whether it is in a notebook, which decides how it shows tables
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


# --- serving a command ------------------------------------------------------------------------------------------------


@contextmanager
def serving(module: str = COMMAND, libraries: Iterable[str] = LIBRARIES) -> Iterator[dict[str, str]]:
    """Serve while the block lasts; yields the environment variables that commands need to use the server.

    A job calls `main` of `module`; the server first imports `libraries`. If no socket can be created, there is no
    server: a warning says so, and each job imports the libraries itself.
    """
    with ExitStack() as stack:
        try:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="atebm-", dir=for_sockets()))
            listener = stack.enter_context(socket.socket(socket.AF_UNIX))
            listener.bind(path := f"{folder}/socket")
        except OSError as error:
            print(f"warning: no server ({error}), so jobs start slower: each imports the libraries itself.", flush=True)
            yield {}
            return
        listener.listen(128)  # callers wait here while the libraries are imported
        server = subprocess.Popen(
            [sys.executable, "-m", "atebm.cli.fork_server", str(listener.fileno()), module, *libraries],
            env=os.environ | THREADS,
            stdin=subprocess.PIPE,
            pass_fds=[listener.fileno()],
            start_new_session=True,  # Ctrl-C must reach only the command
        )
        listener.close()  # only the server has it now: if the server ends, callers notice and do the work themselves
        try:
            yield {SERVER: f"{path}:{sys.prefix}"}
        finally:
            server.communicate()  # closes its standard input, which ends the server


def warm(command: list[str]) -> int:
    """Run `command` with a server, show the progress of its long jobs, and return its exit status."""
    from .follow import following  # imported here, since the server does not need it

    with serving() as environment, following(Path("logs")):
        process = subprocess.Popen(command, env=os.environ | environment)
        for number in PASSED_ON:
            signal.signal(number, lambda number, _: _send(process.pid, number))
        signal.signal(signal.SIGINT, lambda *_: None)  # Ctrl-C also reaches the command, which then ends by itself
        return _as_shells_tell(process.wait())


def _as_shells_tell(status: int) -> int:
    return status if status >= 0 else 128 - status


def _send(process: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(process, number)


# --- the caller: `python -m atebm` when a server is running -----------------------------------------------------------


def served() -> int | None:
    """Let the server do this process's work, and return the exit status; None if there is no server."""
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
        print("error: the server of `atebm warm` lost this job: run the same command again.", file=sys.stderr)
        return 1
    return _as_shells_tell(int(status))


def start(connection: socket.socket, path: str, streams: list[int], caller: dict[str, Any]) -> tuple[int, IO[str]]:
    """Let the server at `path` start a job for the caller, with these streams.

    Returns the job's process number, and a file from which its status will be read. Raises OSError or ValueError if
    there is no server.
    """
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


# --- the server and its forks -----------------------------------------------------------------------------------------


def serve(listener: socket.socket) -> dict[str, Any] | None:
    """Fork for each caller until standard input ends. Returns the caller's description in each job, else None."""
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
    os.setsid()  # a signal to a job's process group must not reach the server or other jobs
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _, streams, *_ = socket.recv_fds(connection, 1, 3)
    line = connection.makefile("r").readline()
    if not line:  # the caller vanished before it described its job
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
    """Tell the caller the job's process number and how it ended; kill the job if the caller vanishes."""

    def watch() -> None:
        with suppress(OSError):
            connection.recv(1)  # callers send nothing more, so this returns when the caller ends
        _send(job, signal.SIGKILL)

    with suppress(OSError):
        connection.sendall(f"{job}\n".encode())
    threading.Thread(target=watch, daemon=True).start()
    status = os.waitstatus_to_exitcode(os.waitpid(job, 0)[1])
    with suppress(OSError):
        connection.sendall(f"{status}\n".encode())


def become(caller: dict[str, Any], module: str) -> None:
    """Run the module in this process as `python -m` would have run it in the caller's."""
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
    """Return a stream like this one for the descriptor as it is now: a terminal, a file or a pipe."""
    raw = FileIO(descriptor, "w", closefd=False)
    new = TextIOWrapper(BufferedWriter(raw), stream.encoding, stream.errors, line_buffering=raw.isatty())
    new.reconfigure(write_through=unbuffered)
    return new


def end(statuses: list[int]) -> None:
    """End a job without Python's cleanup of the libraries, which takes longer than many jobs."""
    for status in statuses:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    statuses: list[int] = []
    atexit.register(end, statuses)  # registered before the libraries register anything, so that it runs last
    _, descriptor, module, *libraries = sys.argv
    for library in libraries:
        with suppress(ImportError):  # the environment for drawing has no torch
            importlib.import_module(library)
    gc.collect()
    gc.freeze()  # otherwise the collector would write to, and so copy, every memory page that forks share
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
