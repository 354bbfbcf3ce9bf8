"""Data sets on the Hugging Face Hub, stored as parquet shards below data/archives/.

The Hub states the sha256 of each shard at a revision, and the revision is a git commit, which pins these checksums.
`OWNER--NAME--REVISION.json` lists the shards; they are in the folder of that name. The list is written last.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Field, ValidationError

from ..utils.errors import DataError
from ..utils.files import write_text
from ..utils.hashing import SHA256, sha256
from ..utils.hub import hub_of
from .catalogue import Source, find, how_to, problem
from .members import check_member_name

HUB = "https://huggingface.co"
SUFFIX = ".parquet"


class Shard(BaseModel):
    """The size and checksum of one shard."""

    bytes: Annotated[int, Field(gt=0)]
    sha256: Annotated[str, Field(pattern=SHA256)]


class Shards(BaseModel):
    """The shards of a data set at a revision, by their paths."""

    verified: bool  # whether the sizes and checksums come from the Hub itself
    shards: dict[str, Shard]


def folder_of(listing: Path) -> Path:
    return listing.with_suffix("")


def tree_address(hub: str, file: str) -> str:
    """Return the address at which the Hub lists a data set's files at a revision, in linked pages."""
    repository, revision = known(file)
    return f"{hub}/api/datasets/{repository}/tree/{revision}?recursive=true"


def shard_address(hub: str, file: str, path: str) -> str:
    repository, revision = known(file)
    return f"{hub}/datasets/{repository}/resolve/{revision}/{path}"


def known(file: str) -> tuple[str, str]:
    found = hub_of(file)
    if found is None:
        raise DataError(f"{file} does not name a data set on the Hub: write OWNER--NAME--REVISION.json.")
    return found


def shards_told(answers: list[dict[str, Any]], file: str) -> Shards:
    """Return the shards among the files that the Hub lists. Raises DataError if there is none, or one has no sha256."""
    try:
        told = [answer for answer in answers if answer["type"] == "file" and answer["path"].endswith(SUFFIX)]
        found = {answer["path"]: Shard(bytes=answer["size"], sha256=answer["lfs"]["oid"]) for answer in told}
    except (ValidationError, LookupError, TypeError) as error:
        raise DataError(f"the Hub's list of {file} cannot be understood: {' '.join(str(error).split())}") from error
    return of_safe_names(file, Shards(verified=True, shards=found))


def shards_in(folder: Path, file: str) -> Shards:
    """Return the shards in a local folder. Raises DataError if there are none."""
    paths = sorted(folder.rglob(f"*{SUFFIX}"))
    found = {
        path.relative_to(folder).as_posix(): Shard(bytes=path.stat().st_size, sha256=sha256(path)) for path in paths
    }
    return of_safe_names(file, Shards(verified=False, shards=found))


def of_safe_names(file: str, shards: Shards) -> Shards:
    if not shards.shards:
        raise DataError(f"{file}: there are no {SUFFIX} files.")
    for path in shards.shards:
        check_member_name(Path(file), path)
    return shards


def as_source(source: Source, listing: Path, path: str, shard: Shard, hub: str) -> Source:
    """Return a shard as a source that is fetched and verified like any other file; messages about it name the list."""
    address = shard_address(hub, listing.name, path)
    return source.model_copy(update={"url": address, "bytes": shard.bytes, "sha256": shard.sha256})


def write_shards(listing: Path, shards: Shards) -> None:
    write_text(listing, json.dumps(shards.model_dump(), indent=1, sort_keys=True) + "\n")


def read_shards(listing: Path) -> Shards:
    """Return the list of a data set's shards. Raises DataError if the list is missing or damaged."""
    (source,) = find(listing.name)
    if not listing.is_file():
        raise DataError(f"{listing} is missing: {how_to(source)}")
    try:
        shards = Shards.model_validate_json(listing.read_text(encoding="utf-8"))
    except (ValidationError, ValueError) as error:
        raise DataError(
            f"{listing} is not a list of shards ({' '.join(str(error).split())}). Remove it, then: {how_to(source)}"
        ) from error
    return of_safe_names(listing.name, shards)


def verify_shards(listing: Path, shards: Mapping[str, Shard]) -> None:
    """Raise DataError unless each of the shards is here and matches the list."""
    (source,) = find(listing.name)
    for path, shard in shards.items():
        file = folder_of(listing) / path
        if not file.is_file():
            raise DataError(f"{file} is missing. Remove {listing}, then: {how_to(source)}")
        print(f"{file}: verifying {shard.bytes:,} bytes.", flush=True)
        if found := problem(file, as_source(source, listing, path, shard, HUB)):
            remedy = f"Remove it and {listing}, then: {how_to(source)}"
            raise DataError(f"{file} is not the expected file: {found}. {remedy}")
