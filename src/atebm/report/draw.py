"""Draw an artifact: read its request, write its files."""

from importlib import import_module
from pathlib import Path

from ..utils.files import write_text
from ..utils.hashing import canonical
from .drawn import Drawn
from .kept import keep
from .needs import Needs


def draw(request: str, out: str, needs: Needs | None = None) -> Drawn:
    """Draw the artifact of a request, work/specs/artifact/<id>.json, and return it.

    Writes `out` (.png or .csv) and the files beside it; the artifact's words, and a list of what was read, to its
    `words_file`; and copies of what was read to numbers/ beside `out`. Pass `needs` if something was read of them
    already: it is then kept too.
    """
    path, target = Path(request), Path(out)
    needs = Needs.read(path, target.parent) if needs is None else needs
    drawn = drawn_of(needs)
    if drawn.shown is None:
        from .drawing import write_figure

        write_figure(drawn, target)
    else:
        from .tabulating import write_table

        write_table(drawn.frame, drawn.shown, target, drawn.caption)
    words = {"caption": drawn.caption, "headline": drawn.headline, "published": drawn.published}
    write_text(words_file(path), canonical({**words, "numbers": needs.listing()}))
    keep(needs.results.values())
    return drawn


def drawn_of(needs: Needs) -> Drawn:
    """Draw the artifact of a request and return it, without writing anything."""
    module, _, function = needs.request["draws"].rpartition(".")
    drawn: Drawn = getattr(import_module(f"{__package__}.{module}"), function)(needs)
    return drawn


def words_file(request: Path) -> Path:
    """Return the file that holds an artifact's words until its rendering is complete.

    It is work/drawn/<id>.json, or work/drawn.board/<id>.json for work/specs/artifact.board/<id>.json.
    """
    path = request.resolve()
    return path.parents[2] / f"drawn{path.parent.name.removeprefix('artifact')}" / path.name
