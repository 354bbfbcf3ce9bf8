"""Run an artifact's notebook and make its page, so that two runs give the same bytes."""

import json
import os
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client.manager import AsyncKernelManager

from ..report.draw import words_file
from ..utils.errors import ResultError
from ..utils.files import sweep, write_text
from ..utils.hashing import canonical
from ..utils.locks import locked
from .artifact_page import TRY, as_html, facts_of

STARTS = 3  # attempts to start a kernel
INJECTED = "injected-parameters"  # papermill's tag
KINDS = {"csv": "numbers", "md": "table", "png": "picture", "svg": "drawing", "gif": "animation"}  # names of files


class Kernel(AsyncKernelManager):
    """IPython's kernel, started like every job, so that `atebm warm` serves it too."""

    def format_kernel_cmd(self, extra_arguments: list[str] | None = None) -> list[str]:
        return [sys.executable, "-m", "atebm", "kernel", "-f", self.connection_file, *(extra_arguments or [])]


def serve_cells(arguments: list[str]) -> None:
    """Run the kernel until the process that requested it ends.

    IPython itself watches its parent process, but a fork of `atebm warm` has another parent.
    """
    from ipykernel.kernelapp import IPKernelApp

    def watch(process: int) -> None:
        with suppress(ProcessLookupError):
            while True:
                os.kill(process, 0)  # sends no signal, only checks that the process exists
                time.sleep(1)
        os._exit(1)

    wanted_by = int(os.environ["JPY_PARENT_PID"])  # set by KernelManager
    threading.Thread(target=watch, args=[wanted_by], daemon=True).start()
    IPKernelApp.launch_instance(arguments)


def render(request: Path, notebook: Path, executed: Path, out: Path) -> None:
    """Execute `notebook` with papermill for a request; the notebook draws `out` and the files beside it.

    Writes notebooks/<id>.ipynb and .html beside `out` and, last, provenance/<id>.json with the request and the
    artifact's words. `executed` keeps the notebook as papermill left it, even if a cell fails. Raises ResultError if
    another workflow changes the request meanwhile.
    """
    artifact, results = request.stem, out.parent
    contents = contents_of(request)
    for folder in (results, results / "notebooks", executed.parent):
        folder.mkdir(parents=True, exist_ok=True)
    with locked(request.parents[2] / "locks" / "render" / f"{artifact}.lock"):
        for folder in (results, results / "notebooks", results / "provenance"):
            sweep(folder, f"{artifact}.")
        parameters = {"request": str(request), "out": str(out)}
        write_text(executed, nbformat.writes(without_tries(nbformat.read(notebook, as_version=4))))
        execute(executed, parameters)
        title = contents["title"]
        places = {name: os.path.relpath(path, results / "notebooks") for name, path in parameters.items()}
        up = os.path.relpath(notebook.parent.parent, results / "notebooks")
        whole = normalised(executed, notebook, title, places, up)
        write_text(results / f"notebooks/{artifact}.ipynb", nbformat.writes(whole))
        words = json.loads(words_file(request).read_text(encoding="utf-8"))
        page = as_html(results / f"notebooks/{artifact}.ipynb", facts_of(contents, words, kept_beside(out)))
        write_text(results / f"notebooks/{artifact}.html", page)
        if contents_of(request) != contents:
            raise ResultError(f"the request for {artifact} changed while it was drawn: run the same command again.")
        write_text(results / f"provenance/{artifact}.json", canonical({"request": contents, **words}))


def execute(notebook: Path, parameters: Mapping[str, str]) -> None:
    """Execute a notebook in place with papermill.

    A kernel's ports are chosen before it binds them, so another job's kernel may take one; the kernel then starts
    again, up to STARTS times.
    """
    import papermill

    for start in range(1, STARTS + 1):
        try:
            papermill.execute_notebook(
                notebook,
                notebook,
                parameters,
                kernel_name="python3",
                kernel_manager_class=Kernel,
                cwd=".",
                progress_bar=False,
                log_output=True,
            )
            return
        except RuntimeError as error:
            if "died before replying" not in str(error) or start == STARTS:
                raise


def contents_of(request: Path) -> dict[str, Any]:
    """Return the contents of a request, without its time."""
    contents: dict[str, Any] = json.loads(request.read_text(encoding="utf-8"))["request"]
    return contents


def is_tagged(cell: nbformat.NotebookNode, tag: str) -> bool:
    return tag in cell.metadata.get("tags", [])


def without_tries(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Return a notebook without the cells tagged `try`, which readers run but the workflow does not."""
    notebook.cells = [cell for cell in notebook.cells if not is_tagged(cell, TRY)]
    return notebook


def normalised(
    executed: Path, source: Path, title: str, places: Mapping[str, str], up: str = ".."
) -> nbformat.NotebookNode:
    """Return an executed notebook for results/notebooks/, without papermill's timings and random cell ids.

    The cells tagged `try` return to their places in `source`. The parameters become `places`, paths relative to
    results/notebooks/, so the notebook runs there; links to files of the checkout get `up`, the path from there to the
    checkout. The heading becomes `title`, which names the data of the scale; the source notebook names the paper's.
    """
    notebook = nbformat.read(executed, as_version=4)
    done = iter(cell for cell in notebook.cells if not is_tagged(cell, INJECTED))
    written = nbformat.read(source, as_version=4).cells
    notebook.cells = [cell if is_tagged(cell, TRY) else next(done) for cell in written]
    _, *below = notebook.cells[0]["source"].splitlines()
    notebook.cells[0]["source"] = "\n".join([f"# {title}", *below])
    notebook.metadata.pop("papermill", None)
    for index, cell in enumerate(notebook.cells):
        if is_tagged(cell, "parameters"):
            cell["source"] = "\n".join(f"{name} = {json.dumps(path)}" for name, path in places.items())
        if cell["cell_type"] == "markdown":
            cell["source"] = cell["source"].replace("](../", f"]({up}/")
        cell["id"] = f"cell-{index:03d}"
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
    return notebook


def kept_beside(out: Path) -> list[tuple[str, str]]:
    """Return the files of a rendering that its page links to, each with a name."""
    artifact = out.stem
    found = [(f"../{artifact}.{suffix}", f"{what} (.{suffix})") for suffix, what in KINDS.items()]
    here = [(address, what) for address, what in found if (out.parent / address[3:]).exists()]
    return [(f"{artifact}.ipynb", "notebook"), *here, (f"../provenance/{artifact}.json", "request and sources (.json)")]
