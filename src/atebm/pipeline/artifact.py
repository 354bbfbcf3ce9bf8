"""What an artifact is: one figure or table."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .builder import StepBuilder
from .needs import Needs
from .table_settings import Trained


@dataclass(frozen=True)
class Artifact:
    """One figure or table of the paper, or one of ours."""

    title: str  # "Table 2: {score} and {distance} on {cifar10}"
    draws: str  # module and function of report/, "generation.table2"
    needs: Callable[[StepBuilder], Needs]
    settings: Callable[[StepBuilder, Trained], dict[str, Any]] | None = None  # what it shows of the configuration
    compares: tuple[str, str] | None = None  # what the page calls its images before and after an ascent
    is_table: bool = False  # tables are .csv and .md, figures .png, .svg and the numbers behind them as .csv
    # it takes so many seeds that "everything" is without it, unless each seed is a whole replication
    on_request: bool = False

    @property
    def label(self) -> str:
        """Return the number, "Table 2"."""
        return self.title.partition(":")[0]

    @property
    def suffixes(self) -> tuple[str, ...]:
        """Return the kinds of file that it is drawn as, first the one that a user asks for."""
        return ("csv", "md") if self.is_table else ("png", "svg", "csv")

    def titled(self, words: Mapping[str, str]) -> str:
        """Return number and title with a scale's `Plan.words`: its data, and what it measures in place of FID."""
        return self.title.format_map(words)
