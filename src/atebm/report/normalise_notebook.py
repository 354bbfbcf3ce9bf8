"""Executed notebooks that two runs leave byte-identical."""

from pathlib import Path

import nbformat

from ..files import write_text


def normalise(source: Path, target: Path) -> None:
    """Copy a notebook without papermill's timings and random cell ids."""
    notebook = nbformat.read(source, as_version=4)
    notebook.metadata.pop("papermill", None)
    for index, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{index:03d}"
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
    write_text(target, nbformat.writes(notebook))
