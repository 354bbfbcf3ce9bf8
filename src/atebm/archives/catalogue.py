"""Where public archives come from: the typed records of data/sources.yaml, and their table in data/README.md.

This module is separate from fetch.py because jobs verify files too, and their conda environment has no HTTP client.
"""

import hashlib
import re
from collections.abc import Iterator
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..utils.documents import mapping
from ..utils.errors import DataError
from ..utils.files import of_checkout, repository, write_between
from ..utils.hub import hub_of
from ..utils.markdown import plain
from .inside import wrong_inside
from .members import gunzipped

ARCHIVES = Path("data/archives")  # in the checkout that a command runs in
TABLE = repository() / "data/sources.yaml"

PAGE = re.compile(rb"\s*<(!doctype|html|head|\?xml|!--)", re.IGNORECASE)  # pixels may begin with "<"
WEB_PAGE = "it is a web page (such as a log-in, quota or error page), not the file"
Hex = r"^[0-9a-f]{%d}$"
ADDRESS = r"^https?://[^\s<>|()\"]+$"  # no characters that would break a Markdown link


class Source(BaseModel):
    """One file of a public archive. A field is None if no public source documents it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    archive: Annotated[str, Field(pattern=r"^[\w-][\w.-]*$")]  # the name used by config.yaml's `sets` and in paths
    title: str
    terms: str
    access: Literal["open", "form", "manual", "gone", "withdrawn"]
    how: str | None = None  # how a person gets it, if a program can't
    without: str | None = None  # how to do without it, if that is possible
    note: str  # where its size and checksums come from
    file: Annotated[str, Field(pattern=r"^[\w-][\w.-]*$")]  # its name in data/archives/
    split: Literal["train", "held_out"] | None = None  # the split that it holds; None: both
    url: Annotated[str, Field(pattern=ADDRESS)] | None = None
    mirrors: tuple[Annotated[str, Field(pattern=ADDRESS)], ...] = ()
    bytes: int | None = None
    md5: Annotated[str, Field(pattern=Hex % 32)] | None = None
    sha256: Annotated[str, Field(pattern=Hex % 64)] | None = None
    # the sha256 of a .gz's contents, which is accepted as well: others may compress the same contents differently
    unpacked_sha256: Annotated[str, Field(pattern=Hex % 64)] | None = None
    about: str | None = None  # a rough size, for people
    members: tuple[str, ...] = ()  # patterns, matched from the right of a name: the zip has members for each
    pixels: int | None = None  # the width and height of the images among them
    unpacked: bool = False  # whether a folder of its images may take its place

    @property
    def checksums(self) -> dict[str, str]:
        """Return the documented hex digests by hashlib algorithm."""
        known = {"md5": self.md5, "sha256": self.sha256}
        return {algorithm: digits for algorithm, digits in known.items() if digits}

    @property
    def tamper_proof(self) -> bool:
        """Return whether a checksum would reveal a file that was deliberately altered in transit."""
        return bool(self.md5 or self.sha256)

    @property
    def size(self) -> str:
        return f"{self.bytes:,} B" if self.bytes else f"about {self.about}" if self.about else "not documented"


class Plain(yaml.SafeLoader):
    """YAML without aliases: a few lines of nested aliases can expand to any length."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError(f"the alias *{self.peek_event().anchor} is not allowed: write its value out")
        return super().compose_node(parent, index)


@cache
def sources() -> tuple[Source, ...]:
    """Return all files of all archives, in the order of data/sources.yaml."""
    return records(of_checkout(TABLE))


def records(text: str) -> tuple[Source, ...]:
    """Return the records in the text of data/sources.yaml. Raises DataError if the text is anything else."""
    try:
        return tuple(
            Source(archive=name, **{key: value for key, value in archive.items() if key != "files"}, **file)
            for name, archive in mapping("data/sources.yaml", text, DataError, Plain).items()
            for file in archive["files"]
        )
    except (ValidationError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise DataError(f"data/sources.yaml: {' '.join(str(error).split())}") from error


def find(name: str) -> tuple[Source, ...]:
    """Return the files of the archive of this name, or the one file of this name. Raises DataError if there is none.

    Any data set on the Hub is an archive too, named by the list of its shards.
    """
    found = tuple(source for source in sources() if name in (source.archive, source.file))
    if not found and (hub := hub_of(name)):
        return (of_hub(name, *hub),)
    if not found:
        archives = list(dict.fromkeys(source.archive for source in sources()))
        close = get_close_matches(name, archives + [source.file for source in sources()], 1)
        hint = f"did you mean {close[0]}?" if close else f"data/sources.yaml has: {', '.join(archives)}."
        raise DataError(f"there is no archive {name!r}; {hint}")
    return found


def of_hub(file: str, repository: str, revision: str) -> Source:
    """Return the source of a data set on the Hub, at a revision, that data/sources.yaml does not list."""
    title = f"{repository} on the Hugging Face Hub at {revision[:8]}"
    terms = f"as stated on https://huggingface.co/datasets/{repository}"
    return Source(archive=file, file=file, title=title, terms=terms, access="open", note="named in config.yaml")


def files_of(archive: str, split: str | None = None) -> tuple[str, ...]:
    """Return the names in data/archives/ of an archive's files, or only of the files that hold one split.

    Raises DataError if there is no such archive, or if it has no such split.
    """
    files = find(archive)
    found = tuple(source.file for source in files if split is None or source.split in (None, split))
    if not found:
        raise DataError(f"archive {archive} has no split {split}; it has: {', '.join({str(s.split) for s in files})}.")
    return found


def unpacked_folder(path: Path) -> bool:
    """Return whether a folder, or a link to one, takes the place of an image archive.

    The folder has the archive's name without its suffix: ILSVRC2012_img_train in place of ILSVRC2012_img_train.tar.
    """
    return path.with_suffix("").is_dir() and any(source.unpacked for source in find(path.name))


# the note on an unpacked archive
UNVERIFIED = "{folder} is a folder: its images were counted, but cannot be checked against a published checksum"


def by_hand(source: Source) -> str:
    """Return the instructions to get a file by hand, if a program can't or may not download it."""
    return (
        f"{source.file} ({source.title}; {source.terms}) can't be downloaded by a program. {source.how} "
        f"Then: python -m atebm fetch {source.file} --from FILE, or "
        f"python -m atebm fetch {source.archive} --from FOLDER"
    )


def how_to(source: Source) -> str:
    """Return how to put a file into data/archives/: a command, or the instructions for a person."""
    return f"python -m atebm fetch {source.file}" if source.access == "open" else by_hand(source)


def or_without(message: str, source: Source) -> str:
    """Return the message about a missing file, followed by how to do without the file, if that is possible."""
    return f"{message}. {source.without}" if source.without else message


def problem(path: Path, source: Source, whole: bool = True) -> str | None:
    """Return why the file at `path` is not the source's, and which file it may be; None if nothing is wrong.

    The checksum, which takes minutes for a large file, is computed only if `whole`.
    """
    found = difference(path, source, whole)
    other = next(others_like(path, source), None) if found else None
    return f"{found}. It looks like {other.file}, {other.title}: {how_to_take(other)}" if other else found


def others_like(path: Path, source: Source) -> Iterator[Source]:
    """Yield the other sources whose members and pixels match the zip at `path`."""
    others = (other for other in sources() if other.members and other.file != source.file)
    return (other for other in others if not wrong_inside(path, other.members, other.pixels))


def how_to_take(source: Source) -> str:
    return f"python -m atebm fetch {source.file} --from FILE"


def difference(path: Path, source: Source, whole: bool = True) -> str | None:
    """Return why the file at `path` is not the source's; None if nothing is wrong."""
    with path.open("rb") as file:
        head = file.read(512)
    if not head:
        return "it is empty"
    if PAGE.match(head):
        return WEB_PAGE
    if source.bytes not in (None, path.stat().st_size):
        return f"it has {path.stat().st_size:,} bytes, not {source.bytes:,}"
    for algorithm, documented in source.checksums.items() if whole else ():
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, algorithm).hexdigest()
        if digest != documented and not unpacks_as_known(path, source):
            otherwise = "" if source.unpacked_sha256 is None else ", and its unpacked contents are not the known ones"
            return f"its {algorithm} is {digest}, not {documented}{otherwise}"
    return wrong_inside(path, source.members, source.pixels) if source.members else None


def unpacks_as_known(path: Path, source: Source) -> bool:
    """Return whether the .gz at `path` has the contents that are documented for the source."""
    if source.unpacked_sha256 is None:
        return False
    try:
        return hashlib.sha256(gunzipped(path)).hexdigest() == source.unpacked_sha256
    except DataError:  # damaged, or too large
        return False


def source_table() -> str:
    """Return Markdown: one row per file of data/sources.yaml."""
    rows = ["| archive | file | what | terms | access | size | checksum |", "|---|---|---|---|---|---|---|"]
    for source in sources():
        file = f"[{source.file}]({source.url})" if source.url else source.file
        hub = "sha256 of each shard, from the Hub" if hub_of(source.file) else "none documented"
        cells = (
            source.archive,
            file,
            source.title,
            source.terms,
            source.access,
            source.size,
            ", ".join(source.checksums) or hub,
        )
        archive, _, *others = map(plain, cells)  # all cells but the file's, which may be a link
        rows.append(f"| {' | '.join((archive, file, *others))} |")
    return "\n".join(rows)


def write_source_table(readme: Path) -> None:
    """Bring the table of data/README.md up to date."""
    write_between(readme, "sources", source_table())
