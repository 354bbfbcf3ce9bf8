"""Serve the cells of an artifact's notebook, in the workflow and in a bare clone.

In the workflow papermill runs the cells: the request lies in work/, and files are written. A reader runs them anywhere:
the numbers come from work/ if they were computed there, else from the copies in git, results/numbers/, and no file is
written. Git keeps whatever was read until the artifact was drawn. So a cell that reads a file of a step must stand
before `show()`, unless the drawing reads that file too.
"""

import json
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from .draw import draw, drawn_of
from .drawn import Drawn
from .needs import Needs
from .published import published
from .tabulating import markdown_of

if TYPE_CHECKING:  # jobs that compute import this package, and their environment has no IPython
    from IPython.display import Image, Markdown

CLAIMS = {  # columns of a claims board that a notebook shows, and their headings there
    "claim": "claim",
    "effect": "effect: median [least, greatest]",
    "unit": "unit",
    "verdict": "verdict",
    "fragile": "what would change it",
}


class CheckError(AssertionError):
    """Raised when a notebook's check fails: a number is not what the notebook says."""


def check(holds: bool, words: str) -> None:
    """Print `words` if a check holds. Raises CheckError if it does not."""
    if not holds:
        raise CheckError(f"this check fails: {words}")
    print(f"✓ {words}")


class Document:
    """An artifact as its notebook reads, draws and explains it.

    `request` is the artifact's request at work/specs/artifact/<id>.json, `out` its file in a folder of results. If the
    request is missing, as in a bare clone, the artifact is drawn from that folder of results and nothing is written.
    """

    def __init__(self, request: str, out: str):
        self.request, self.out = Path(request), Path(out)
        self.is_asked = self.request.exists()
        results = self.out.parent
        self.needs = Needs.read(self.request, results) if self.is_asked else Needs.kept(self.request.stem, results)

    @cached_property
    def drawn(self) -> Drawn:
        """Return the artifact: its numbers, its caption and headline, and its figure or table."""
        return draw(str(self.request), str(self.out), self.needs) if self.is_asked else drawn_of(self.needs)

    @property
    def frame(self) -> pd.DataFrame:
        """Return all numbers behind the artifact, as in its .csv file."""
        return self.drawn.frame

    def show(self) -> "Image | Markdown":
        """Draw the artifact and return the picture or table that a notebook shows."""
        from IPython.display import Image, Markdown

        drawn = self.drawn
        if drawn.shown is not None:
            return Markdown(markdown_of(drawn.shown, drawn.caption))
        if self.is_asked:
            return Image(filename=str(self.out), width=1000)
        assert drawn.figure is not None
        picture = BytesIO()
        drawn.figure.savefig(picture, format="png")
        return Image(data=picture.getvalue(), width=1000)

    def settings(self) -> pd.DataFrame:
        """Return the settings behind the artifact, the paper's beside those used here, both from the configuration."""
        lines = self.needs.request["beside"]
        return pd.DataFrame(lines, columns=["", "paper", f"here, {self.needs.scale} scale"]).set_index("")

    def published(self) -> pd.DataFrame:
        """Return the paper's numbers from data/published/."""
        return published(self.request.stem)

    def claims(self) -> pd.DataFrame:
        """Return the rows of the claims board that concern this artifact, with the board's verdicts."""
        rows = pd.DataFrame(self.needs.request["claims"], columns=[*CLAIMS, "seeds", "scale"])
        frame = rows[list(CLAIMS)].rename(columns=CLAIMS).set_index("claim")
        return frame if len(frame) else pd.DataFrame({"": ["these claims have not been tested yet"]})

    def table(self, role: str, file: str) -> pd.DataFrame:
        """Return a .csv file of the step behind a role, for example ("train/cifar10/0", "monitor.csv")."""
        return self.needs[role].table(file)

    def record(self, role: str) -> dict[str, Any]:
        """Return the record of the step behind a role, for example "metric/best/frechet/0"."""
        return self.needs[role].record

    def roles(self) -> list[str]:
        """Return the roles of the steps that the artifact is drawn from, for `table` and `record`."""
        return list(self.needs.results)

    def made(self) -> "Markdown":
        """Return a table of the steps behind the artifact, with their devices and seeds, and where to read on."""
        from IPython.display import Markdown

        lines = [
            f"| {role} | `{result.folder.parent.name}/{result.folder.name}` | {result.record.get('device', '')} | "
            f"{json.dumps(result.record.get('seed', ''))} |"
            for role, result in self.needs.results.items()
            if result.is_there
        ]
        head = "| role | step | device | seed |\n|---|---|---|---|\n"
        how = (
            f"`atebm explain {self.request.stem}` shows, for each number, the file, settings and configuration lines "
            "that it came from."
        )
        return Markdown(f"{how}\n\n{head}" + "\n".join(lines))
