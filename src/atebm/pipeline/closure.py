"""Which files of this package decide what a function does: its module, and all that this imports, and so on.

Imports are read, not run, wherever they stand in a module, but for those that are there for type checkers alone. A name
that a package passes on leads to the module that defines it, so one function of `report` has not all of `report`.
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

# Modules that read, write and complain, and are in no closure: a change in them shows in no rendering.
PLUMBING = frozenset(
    {
        "pipeline/job.py",
        "pipeline/kept.py",
        "pipeline/kinds.py",
        "report/kept.py",
        "utils/errors.py",
        "utils/excerpts.py",
        "utils/files.py",
        "utils/hashing.py",
        "utils/locks.py",
        "utils/progress.py",
    }
)


def closure(name: str, package: Path, without: frozenset[str] = PLUMBING) -> set[Path]:
    """Return the files behind `name`, "report.table2" or "publish.page", in the folder of a package.

    `without` are files, relative to that folder, which are left out with all that only they import. Raises ValueError
    where the package has no module or function of that name.
    """
    folder, _, last = name.rpartition(".")
    origin = module(package, folder)
    if origin is None:
        raise ValueError(f"{package} has no {name}.")
    files: set[Path] = set()
    waiting = [defining_file(origin, last)]
    while waiting:
        path = waiting.pop()
        if path not in files and str(path.relative_to(package)) not in without:
            files.add(path)
            waiting += imported(path, path.read_bytes(), package)
    return files


@cache
def imported(path: Path, source: bytes, package: Path) -> tuple[Path, ...]:
    """Return the modules of the package in which lies what a module imports."""
    paths = []
    for statement in statements(ast.parse(source)):
        if isinstance(statement, ast.ImportFrom) and (origin := imported_from(path, statement, package)):
            paths += [defining_file(origin, alias.name) for alias in statement.names]
    return tuple(dict.fromkeys(paths))


def statements(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield all that a module consists of, but for what type checkers alone see."""
    for node in ast.iter_child_nodes(tree):
        if not (isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"):
            yield node
            yield from statements(node)


def imported_from(path: Path, statement: ast.ImportFrom, package: Path) -> Path | None:
    """Return the module or package that a statement of the module at `path` imports from; None for others' modules."""
    name = statement.module or ""
    if statement.level:
        return module(path.parents[statement.level - 1], name)
    return module(package.parent, name) if name.partition(".")[0] == package.name else None


def module(folder: Path, name: str) -> Path | None:
    """Return the file of the module or package of a dotted name below a folder, of the folder's own for ""."""
    path = folder.joinpath(*name.split(".")) if name else folder
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


def defining_file(origin: Path, name: str) -> Path:
    """Return the file in which lies what a module, or a package at its __init__.py, gives by a name."""
    if origin.name != "__init__.py":
        return origin
    if inner := module(origin.parent, name):
        return inner
    for statement in ast.parse(origin.read_bytes()).body:
        if isinstance(statement, ast.ImportFrom) and statement.level and name in {a.name for a in statement.names}:
            passed_on = module(origin.parents[statement.level - 1], statement.module or "")
            return defining_file(passed_on, name) if passed_on else origin
    return origin
