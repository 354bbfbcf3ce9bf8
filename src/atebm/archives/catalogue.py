"""Where public archives come from: the typed records of data/sources.yaml, and the table of them in data/README.md.

Apart from fetch.py, so that jobs can verify files: their conda environment has no HTTP client.
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
Hex = r"^[0-9a-f]{%d}$"
ADDRESS = r"^https?://[^\s<>|()\"]+$"  # that can stand in a link


class Source(BaseModel):
    """One file of a public archive. What nobody documents about it is None."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    archive: Annotated[str, Field(pattern=r"^[\w-][\w.-]*$")]  # the name that config.yaml's `sets` use, part of paths
    title: str
    terms: str
    access: Literal["open", "form", "manual", "gone", "withdrawn"]
    how: str | None = None  # how a person gets it, where a program can't
    without: str | None = None  # how to do without it, where that is possible
    note: str  # where the figures come from
    file: Annotated[str, Field(pattern=r"^[\w-][\w.-]*$")]  # its name in data/archives/
    split: Literal["train", "held_out"] | None = None  # of the sets that are read from it; None: both
    url: Annotated[str, Field(pattern=ADDRESS)] | None = None
    mirrors: tuple[Annotated[str, Field(pattern=ADDRESS)], ...] = ()
    bytes: int | None = None
    md5: Annotated[str, Field(pattern=Hex % 32)] | None = None
    sha256: Annotated[str, Field(pattern=Hex % 64)] | None = None
    # of what a .gz unpacks to, which serves as well: others compress the same contents to other bytes
    unpacked_sha256: Annotated[str, Field(pattern=Hex % 64)] | None = None
    about: str | None = None  # a rough size, for people
    members: tuple[str, ...] = ()  # patterns of names, counted from the right: a zip has members of each
    pixels: int | None = None  # the side of those of them that are images
    unpacked: bool = False  # whether a folder of its images may lie in its place

    @property
    def checksums(self) -> dict[str, str]:
        """Hex digests by algorithm of hashlib."""
        known = {"md5": self.md5, "sha256": self.sha256}
        return {algorithm: digits for algorithm, digits in known.items() if digits}

    @property
    def tamper_proof(self) -> bool:
        """Return whether a checksum catches what somebody changed on purpose on the way."""
        return bool(self.md5 or self.sha256)

    @property
    def size(self) -> str:
        return f"{self.bytes:,} B" if self.bytes else f"about {self.about}" if self.about else "not documented"


class Plain(yaml.SafeLoader):
    """YAML in which nothing stands for something else: a few lines of such names can be of any length."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError(f"*{self.peek_event().anchor} stands for something else: write that out")
        return super().compose_node(parent, index)


@cache
def sources() -> tuple[Source, ...]:
    """Return all files of all archives, in the order of data/sources.yaml."""
    return records(of_checkout(TABLE))


def records(text: str) -> tuple[Source, ...]:
    """Return the records in the text of data/sources.yaml. Raises DataError for anything else."""
    try:
        return tuple(
            Source(archive=name, **{key: value for key, value in archive.items() if key != "files"}, **file)
            for name, archive in mapping("data/sources.yaml", text, DataError, Plain).items()
            for file in archive["files"]
        )
    except (ValidationError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise DataError(f"data/sources.yaml: {' '.join(str(error).split())}") from error


def find(name: str) -> tuple[Source, ...]:
    """Return the files of the archive of this name, or the one file of this name. Raises DataError for neither.

    Any data set of the Hub is an archive, by the name of the list of its shards.
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
    """Return a data set of the Hub that data/sources.yaml does not have, at a revision."""
    title = f"{repository} of the Hugging Face Hub at {revision[:8]}"
    terms = f"as https://huggingface.co/datasets/{repository} states them"
    return Source(archive=file, file=file, title=title, terms=terms, access="open", note="named in config.yaml")


def files_of(archive: str, split: str | None = None) -> tuple[str, ...]:
    """Return names in data/archives/ of an archive's files, or of those that sets of one split are read from.

    Raises DataError for an archive that there is not, and for one that has no such split.
    """
    files = find(archive)
    found = tuple(source.file for source in files if split is None or source.split in (None, split))
    if not found:
        raise DataError(f"archive {archive} has no split {split}; it has: {', '.join({str(s.split) for s in files})}.")
    return found


def unpacked_folder(path: Path) -> bool:
    """Return whether a folder of an image archive's name, or a link to one, lies where the archive belongs, such as
    ILSVRC2012_img_train beside ILSVRC2012_img_train.tar: it counts instead."""
    return path.with_suffix("").is_dir() and any(source.unpacked for source in find(path.name))


UNVERIFIED = "{folder} is a folder, whose images were counted but match no published checksum"  # of an unpacked archive


def by_hand(source: Source) -> str:
    """Return what a person does to get a file that no program may or can download."""
    return (
        f"{source.file} ({source.title}; {source.terms}) can't be downloaded by a program. {source.how} "
        f"Then: python -m atebm fetch {source.file} --from FILE, or "
        f"python -m atebm fetch {source.archive} --from FOLDER"
    )


def how_to(source: Source) -> str:
    """Return what puts a file into data/archives/: a command, or what a person does."""
    return f"python -m atebm fetch {source.file}" if source.access == "open" else by_hand(source)


def or_without(said: str, source: Source) -> str:
    """Return what is said of a file that is not here, and how to do without it, where that is possible."""
    return f"{said}. {source.without}" if source.without else said


def problem(path: Path, source: Source, whole: bool = True) -> str | None:
    """Return what shows that the file at `path` is not the source's, and which it may be; None where nothing does.

    Its checksum is looked at where `whole`, which takes minutes of a large one.
    """
    found = difference(path, source, whole)
    other = next(others_like(path, source), None) if found else None
    return f"{found}. It looks like {other.file}, {other.title}: {how_to_take(other)}" if other else found


def others_like(path: Path, source: Source) -> Iterator[Source]:
    """Yield other sources whose members, and pixels, a zip has."""
    others = (other for other in sources() if other.members and other.file != source.file)
    return (other for other in others if not wrong_inside(path, other.members, other.pixels))


def how_to_take(source: Source) -> str:
    return f"python -m atebm fetch {source.file} --from FILE"


def difference(path: Path, source: Source, whole: bool = True) -> str | None:
    """Return what shows that the file at `path` is not the source's; None where nothing does."""
    with path.open("rb") as file:
        head = file.read(512)
    if not head:
        return "it is empty"
    if PAGE.match(head):
        return "it is a web page, such as a log-in, a quota or an error, not the file"
    if source.bytes not in (None, path.stat().st_size):
        return f"it has {path.stat().st_size:,} bytes, not {source.bytes:,}"
    for algorithm, documented in source.checksums.items() if whole else ():
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, algorithm).hexdigest()
        if digest != documented and not unpacks_as_known(path, source):
            otherwise = "" if source.unpacked_sha256 is None else ", and it does not unpack to the known contents"
            return f"its {algorithm} is {digest}, not {documented}{otherwise}"
    return wrong_inside(path, source.members, source.pixels) if source.members else None


def unpacks_as_known(path: Path, source: Source) -> bool:
    """Return whether the .gz at `path` holds what is known to be in the source's."""
    if source.unpacked_sha256 is None:
        return False
    try:
        return hashlib.sha256(gunzipped(path)).hexdigest() == source.unpacked_sha256
    except DataError:  # damaged, or made to fill the memory
        return False


def source_table() -> str:
    """Return Markdown: one row per file of data/sources.yaml."""
    rows = ["| archive | file | what | terms | access | size | checksum |", "|---|---|---|---|---|---|---|"]
    for source in sources():
        file = f"[{source.file}]({source.url})" if source.url else source.file
        hub = "sha256 of each shard, by the Hub" if hub_of(source.file) else "none documented"
        cells = (
            source.archive,
            file,
            source.title,
            source.terms,
            source.access,
            source.size,
            ", ".join(source.checksums) or hub,
        )
        archive, _, *others = map(plain, cells)  # but for the file, which is a link
        rows.append(f"| {' | '.join((archive, file, *others))} |")
    return "\n".join(rows)


def write_source_table(readme: Path) -> None:
    """Bring the table of data/README.md up to date."""
    write_between(readme, "sources", source_table())
