"""Drawing an artifact: from its request to its files."""

from importlib import import_module
from pathlib import Path

from ..utils.files import write_text
from ..utils.hashing import canonical
from .compared import compared
from .drawn import Drawn
from .kept import keep
from .needs import Needs


def draw(request: str, out: str) -> Drawn:
    """Draw the artifact that `request`, work/specs/artifact/<id>.json, asks for, and return what was drawn.

    Writes `out`, .png or .csv, and the files beside it; its words, and what it was drawn from, to its `words_file`; and
    that itself to numbers/ beside `out`.
    """
    path, target = Path(request), Path(out)
    needs = Needs.read(path, target.parent)
    module, _, function = needs.request["draws"].rpartition(".")
    drawn: Drawn = getattr(import_module(f"{__package__}.{module}"), function)(needs)
    if drawn.shown is None:
        from .drawing import write_figure

        write_figure(drawn, target)
    else:
        from .tabulating import write_table

        write_table(drawn.frame, drawn.shown, target, drawn.caption)
    list(compared(needs))  # so that what the page compares is kept, too
    words = {"caption": drawn.caption, "headline": drawn.headline, "published": drawn.published}
    write_text(words_file(path), canonical({**words, "numbers": needs.listing()}))
    keep(needs.results.values())
    return drawn


def words_file(request: Path) -> Path:
    """Return where the words of a request's artifact lie until its rendering is whole: work/drawn/<id>.json, or
    work/drawn.board/<id>.json for work/specs/artifact.board/<id>.json."""
    path = request.resolve()
    return path.parents[2] / f"drawn{path.parent.name.removeprefix('artifact')}" / path.name
