"""Define an artifact: one figure or table."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .builder import StepBuilder
from .needs import Needs
from .table_settings import Trained


@dataclass(frozen=True)
class Artifact:
    """One figure or table of the paper, or one that this project adds."""

    title: str  # "Table 2: {score} and {distance} on {cifar10}"
    draws: str  # module and function of report/, "generation.table2"
    needs: Callable[[StepBuilder], Needs]
    settings: Callable[[StepBuilder, Trained], dict[str, Any]] | None = None  # the part of the configuration it shows
    is_table: bool = False  # a table is .csv and .md; a figure is .png and .svg, with its numbers as .csv
    # needs so many seeds that "everything" leaves it out, unless each seed is a whole replication
    on_request: bool = False

    @property
    def label(self) -> str:
        """Return the part of the title before the colon, "Table 2"."""
        return self.title.partition(":")[0]

    @property
    def suffixes(self) -> tuple[str, ...]:
        """Return the suffixes of the artifact's files; the first is the file that a user requests."""
        return ("csv", "md") if self.is_table else ("png", "svg", "csv")

    def titled(self, words: Mapping[str, str]) -> str:
        """Return the title with a scale's `Plan.words`: the names of its data and of its measures."""
        return self.title.format_map(words)
