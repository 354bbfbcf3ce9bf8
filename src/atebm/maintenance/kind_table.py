"""Make the table of docs/reference/files.md: the kinds of step, what each computes, and the contents of its files."""

from collections.abc import Iterator

from ..pipeline.kinds import KINDS, Kind


def kind_table() -> str:
    """Return Markdown: a row per kind, followed by one for each of its files."""
    head = ["| kind | file | contents |", "|---|---|---|"]
    return "\n".join([*head, *(row for kind in KINDS.values() for row in rows(kind))])


def rows(kind: Kind) -> Iterator[str]:
    yield f"| `{kind.name}` | | **{kind.computes}** |"
    for file, contents in kind.files.items():
        yield f"| | `{file}` | {contents} |"
