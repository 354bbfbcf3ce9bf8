"""The house: packages import in one direction without circles, and they, their modules and their functions stay small.

Imports are read from the source, wherever they stand: also inside functions, and for type checkers alone.
"""

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
from conftest import REPOSITORY

from atebm.pipeline.closure import defining_file, imported_from, module

PACKAGE = REPOSITORY / "src/atebm"
# A package imports what stands left of it, and neither itself again from outside nor a package of its own rank.
ORDER = (
    "utils < device | attacks | config | archives < pipeline < data | models | toy2d < evaluation | detection "
    "< training | sampling | report < provenance | cost | inference < publish | maintenance < cli"
)
RANKS = {name: rank for rank, names in enumerate(ORDER.split(" < ")) for name in names.split(" | ")}
MOST_MODULES = 4  # beside the packages, at the top: the doors of the house
MOST_ROOMS = 30  # packages at any depth, and the modules at the top
MOST_LINES, MOST_LINES_OF_FUNCTION = 400, 50

PACKAGES = sorted(RANKS)
# --- the rules --------------------------------------------------------------------------------------------------------


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_bytes())


def imports(path: Path, package: Path) -> set[Path]:
    """Return the files of a package that one of its modules imports from, wherever the statement stands."""
    files: set[Path | None] = set()
    for statement in ast.walk(parsed(path)):
        if isinstance(statement, ast.ImportFrom) and (origin := imported_from(path, statement, package)):
            files |= {defining_file(origin, alias.name) for alias in statement.names}
        if isinstance(statement, ast.Import):
            names = [alias.name for alias in statement.names if alias.name.split(".")[0] == package.name]
            files |= {module(package.parent, name) for name in names}
    return {file for file in files if file not in (None, path)}


def owner(path: Path, package: Path) -> str:
    """Return the package at the top that a file belongs to, or the name of a module at the top."""
    return path.relative_to(package).parts[0]


def upward(package: Path, name: str, ranks: dict[str, int]) -> Iterator[str]:
    """Yield the imports of the package `name` that lead to a package of its own rank or above, or to the top."""
    for path in sorted((package / name).rglob("*.py")):
        for target in sorted(imports(path, package)):
            other = owner(target, package)
            if other != name and ranks.get(other, len(ranks)) >= ranks[name]:
                yield f"{path.relative_to(package)} imports {target.relative_to(package)}"


def circle(package: Path) -> list[str]:
    """Return modules each of which imports the next, the last being the first; nothing where there is no circle."""
    graph = {path: imports(path, package) for path in package.rglob("*.py")}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return [str(path.relative_to(package)) for path in error.args[1]]
    return []


def unranked(package: Path, ranks: dict[str, int]) -> set[str]:
    """Return the packages at the top that the order does not have, and those that it alone has."""
    return {path.parent.name for path in package.glob("*/__init__.py")} ^ ranks.keys()


def modules_at_the_top(package: Path) -> list[str]:
    return sorted(path.name for path in package.glob("*.py"))


def rooms(package: Path) -> list[str]:
    """Return the packages below a package, at any depth, and its own modules."""
    below = (str(path.parent.relative_to(package)) for path in package.rglob("__init__.py") if path.parent != package)
    return [*below, *modules_at_the_top(package)]


def long(folder: Path) -> Iterator[str]:
    """Yield the modules below a folder, and their functions, that have too many lines."""
    for path in sorted(folder.rglob("*.py")):
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if lines > MOST_LINES:
            yield f"{path.relative_to(folder)} has {lines} lines"
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or 0) - node.lineno + 1
                if length > MOST_LINES_OF_FUNCTION:
                    yield f"{path.relative_to(folder)}: {node.name} has {length} lines"


# --- this house -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PACKAGES)
def test_a_package_imports_only_what_lies_below_it(name):
    assert list(upward(PACKAGE, name, RANKS)) == []


def test_no_module_imports_itself_by_way_of_others():
    assert circle(PACKAGE) == []


def test_there_are_few_rooms_and_all_are_in_the_order():
    assert unranked(PACKAGE, RANKS) == set()
    assert len(modules_at_the_top(PACKAGE)) <= MOST_MODULES
    assert len(rooms(PACKAGE)) <= MOST_ROOMS


@pytest.mark.parametrize("name", PACKAGES)
def test_modules_and_functions_are_short(name):
    assert list(long(PACKAGE / name)) == []


# --- the rules can fail -----------------------------------------------------------------------------------------------

SMALL_HOUSE = {
    "__init__.py": "",
    "__main__.py": "from .top.hall import h\n",
    "low/__init__.py": "",
    "low/cellar.py": "import os\nfrom . import shelf\n",
    "low/shelf.py": "c = 1\n",
    "beside/__init__.py": "",
    "top/__init__.py": "from .hall import h\n",
    "top/hall.py": "from ..low.cellar import c\n\n\ndef h():\n    from ..low import shelf\n",
}
SMALL_RANKS = {"low": 0, "beside": 0, "top": 1}


@pytest.fixture
def small(tmp_path) -> Path:
    return build(tmp_path / "house", SMALL_HOUSE)


def build(package: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (path := package / name).parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return package


def findings(package: Path) -> list[str]:
    """Return the names of the rules that a small house breaks."""
    broken = {
        "upward": [line for name in SMALL_RANKS for line in upward(package, name, SMALL_RANKS)],
        "circle": circle(package),
        "unranked": unranked(package, SMALL_RANKS),
        "top": modules_at_the_top(package)[MOST_MODULES:],
        "rooms": rooms(package)[MOST_ROOMS:],
        "long": list(long(package)),
    }
    return [rule for rule, lines in broken.items() if lines]


def test_a_house_in_order_breaks_no_rule(small):
    assert findings(small) == []


@pytest.mark.parametrize(
    ("files", "rules"),
    [
        ({"low/shelf.py": "from ..top.hall import h\n"}, ["upward", "circle"]),
        ({"low/shelf.py": "from ..beside import b\n"}, ["upward"]),
        ({"low/shelf.py": "def f():\n    from ..beside import b\n"}, ["upward"]),
        ({"low/shelf.py": "if TYPE_CHECKING:\n    from ..beside import b\n"}, ["upward"]),
        ({"low/shelf.py": "def f():\n    import house.beside\n"}, ["upward"]),
        ({"low/shelf.py": "from house.beside import b\n"}, ["upward"]),
        ({"low/shelf.py": "from .. import __main__\n"}, ["upward", "circle"]),
        ({"low/shelf.py": "def f():\n    from .cellar import c\n"}, ["circle"]),
        ({"low/shelf.py": "if TYPE_CHECKING:\n    from . import cellar\n"}, ["circle"]),
        ({"attic/__init__.py": ""}, ["unranked"]),
        ({f"module{number}.py": "" for number in range(MOST_MODULES - 1)}, ["top"]),
        ({f"low/room{number}/__init__.py": "" for number in range(MOST_ROOMS - 4)}, ["rooms"]),
        ({"low/shelf.py": "c = 1\n" * (MOST_LINES + 1)}, ["long"]),
        ({"low/shelf.py": "class C:\n    def f(self):\n" + "        c = 1\n" * MOST_LINES_OF_FUNCTION}, ["long"]),
    ],
)
def test_a_broken_rule_is_seen(small, files, rules):
    build(small, files)
    assert findings(small) == rules


def test_the_longest_that_is_allowed_is_allowed(small):
    function = "def f():\n" + "    c = 1\n" * (MOST_LINES_OF_FUNCTION - 1)
    build(small, {"low/shelf.py": function + "c = 1\n" * (MOST_LINES - MOST_LINES_OF_FUNCTION)})
    assert findings(small) == []


# --- docstrings -------------------------------------------------------------------------------------------------------

# A sentence that begins with one of these has lost its verb; ruff's D401 knows only verbs in another mood.
NO_VERBS = frozenset({"A", "All", "An", "As", "Each", "Every", "For", "How", "In", "Its", "Of", "One", "Such", "That"})
NO_VERBS |= {"The", "These", "This", "What", "Where", "Whether", "Which", "With", "Without"}


def without_a_verb(path: Path) -> Iterator[str]:
    """Yield the functions of a module whose docstring does not say what to do."""
    for node in ast.walk(parsed(path)):
        text = ast.get_docstring(node) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else None
        if text and text.split()[0] in NO_VERBS:
            yield f"{path.name}:{node.lineno}: {text.splitlines()[0]}"


@pytest.mark.parametrize("name", PACKAGES)
def test_docstrings_begin_with_a_verb(name):
    assert [line for path in sorted((PACKAGE / name).rglob("*.py")) for line in without_a_verb(path)] == []
