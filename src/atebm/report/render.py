"""Running an artifact's notebook, so that two runs leave the same bytes."""

import json
from pathlib import Path

import nbformat

from ..errors import ResultError
from ..files import canonical, locked, sweep, write_text


def render(request: Path, notebook: Path, executed: Path, out: Path) -> None:
    """Execute `notebook` with papermill for the plan in `request`; it draws `out` and the files beside it.

    Leaves notebooks/<id>.ipynb and .html beside `out`, and last plans/<id>.json, the plan that all of it was drawn
    from. `executed` keeps the notebook as papermill left it, also when a cell fails. Raises ResultError when another
    workflow changes the request meanwhile.
    """
    import papermill

    artifact, results = request.stem, out.parent
    plan = plan_in(request)
    for folder in (results, results / "notebooks", executed.parent):
        folder.mkdir(parents=True, exist_ok=True)
    with locked(request.parents[2] / "locks" / "render" / f"{artifact}.lock"):
        for folder in (results, results / "notebooks", results / "plans"):
            sweep(folder, f"{artifact}.")
        parameters = {"plan": str(request), "out": str(out)}
        papermill.execute_notebook(
            notebook, executed, parameters, kernel_name="python3", cwd=".", progress_bar=False, log_output=True
        )
        write_text(results / f"notebooks/{artifact}.ipynb", nbformat.writes(normalised(executed)))
        write_text(results / f"notebooks/{artifact}.html", as_html(results / f"notebooks/{artifact}.ipynb"))
        if plan_in(request) != plan:
            raise ResultError(f"the plan of {artifact} changed while it was drawn: run the same command again.")
        write_text(results / f"plans/{artifact}.json", plan)


def plan_in(request: Path) -> str:
    return canonical(json.loads(request.read_text(encoding="utf-8"))["plan"])


def normalised(source: Path) -> nbformat.NotebookNode:
    """An executed notebook without papermill's timings and random cell ids."""
    notebook = nbformat.read(source, as_version=4)
    notebook.metadata.pop("papermill", None)
    for index, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{index:03d}"
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
    return notebook


def as_html(notebook: Path) -> str:
    """A page for readers: no code, and nothing that is fetched from elsewhere."""
    from nbconvert import HTMLExporter

    exporter = HTMLExporter(
        exclude_input=True,
        exclude_input_prompt=True,
        exclude_output_prompt=True,
        mathjax_url="",
        require_js_url="",
        jquery_url="",
    )
    text, _ = exporter.from_filename(str(notebook))
    return text
