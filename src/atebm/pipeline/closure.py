"""Find the files of this package that decide what a function does: its module, all modules that it imports, and so on.

Imports are read and not run, wherever they stand in a module, except those for type checkers only. A name that a
package re-exports leads to the module that defines it, so one function of `report` does not depend on all of `report`.
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

# Modules for files, locks and errors, left out of closures: a change in them does not change any rendering.
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

    `without` lists files, relative to that folder, to leave out together with modules that only they import. Raises
    ValueError if the package has no module or function of that name.
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
    """Return the modules of the package that define the names which a module imports."""
    paths = []
    for statement in statements(ast.parse(source)):
        if isinstance(statement, ast.ImportFrom) and (origin := imported_from(path, statement, package)):
            paths += [defining_file(origin, alias.name) for alias in statement.names]
    return tuple(dict.fromkeys(paths))


def statements(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield all nodes of a module, except code for type checkers only."""
    for node in ast.iter_child_nodes(tree):
        if not (isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"):
            yield node
            yield from statements(node)


def imported_from(path: Path, statement: ast.ImportFrom, package: Path) -> Path | None:
    """Return the module or package that a statement imports from; None if it belongs to another distribution."""
    name = statement.module or ""
    if statement.level:
        return module(path.parents[statement.level - 1], name)
    return module(package.parent, name) if name.partition(".")[0] == package.name else None


def module(folder: Path, name: str) -> Path | None:
    """Return the file of the module or package with a dotted name below a folder; "" is the folder's own package."""
    path = folder.joinpath(*name.split(".")) if name else folder
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


def defining_file(origin: Path, name: str) -> Path:
    """Return the file that defines a name which is imported from a module or from a package's __init__.py."""
    if origin.name != "__init__.py":
        return origin
    if inner := module(origin.parent, name):
        return inner
    for statement in ast.parse(origin.read_bytes()).body:
        if isinstance(statement, ast.ImportFrom) and statement.level and name in {a.name for a in statement.names}:
            passed_on = module(origin.parents[statement.level - 1], statement.module or "")
            return defining_file(passed_on, name) if passed_on else origin
    return origin
