"""Data sets of the Hugging Face Hub, as parquet shards below data/archives/.

The Hub states the sha256 of each shard at a revision, and the revision is a commit of git, which pins what it states.
`OWNER--NAME--REVISION.json` lists the shards; they lie in the folder of that name. The list is written last.
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
    """What is known of one shard."""

    bytes: Annotated[int, Field(gt=0)]
    sha256: Annotated[str, Field(pattern=SHA256)]


class Shards(BaseModel):
    """The shards of a data set at a revision, by their paths."""

    verified: bool  # whether the Hub itself stated what is known of them
    shards: dict[str, Shard]


def folder_of(listing: Path) -> Path:
    return listing.with_suffix("")


def tree_address(hub: str, file: str) -> str:
    """Return where the Hub answers what files a data set has at a revision, in pages that lead to the next."""
    repository, revision = known(file)
    return f"{hub}/api/datasets/{repository}/tree/{revision}?recursive=true"


def shard_address(hub: str, file: str, path: str) -> str:
    repository, revision = known(file)
    return f"{hub}/datasets/{repository}/resolve/{revision}/{path}"


def known(file: str) -> tuple[str, str]:
    found = hub_of(file)
    if found is None:
        raise DataError(f"{file} names no data set of the Hub: OWNER--NAME--REVISION.json does.")
    return found


def shards_told(answers: list[dict[str, Any]], file: str) -> Shards:
    """Return the shards among the files that the Hub lists. Raises DataError for none, and without a sha256."""
    try:
        told = [answer for answer in answers if answer["type"] == "file" and answer["path"].endswith(SUFFIX)]
        found = {answer["path"]: Shard(bytes=answer["size"], sha256=answer["lfs"]["oid"]) for answer in told}
    except (ValidationError, LookupError, TypeError) as error:
        raise DataError(f"what the Hub tells of {file} is not understood: {' '.join(str(error).split())}") from error
    return of_safe_names(file, Shards(verified=True, shards=found))


def shards_in(folder: Path, file: str) -> Shards:
    """Return the shards in a folder, wherever they come from. Raises DataError where there are none."""
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
    """Return a shard as a file that can be fetched and verified as any other; what is said of it names the list."""
    address = shard_address(hub, listing.name, path)
    return source.model_copy(update={"url": address, "bytes": shard.bytes, "sha256": shard.sha256})


def write_shards(listing: Path, shards: Shards) -> None:
    write_text(listing, json.dumps(shards.model_dump(), indent=1, sort_keys=True) + "\n")


def read_shards(listing: Path) -> Shards:
    """Return the list of a data set's shards. Raises DataError where it is missing or damaged."""
    (source,) = find(listing.name)
    if not listing.is_file():
        raise DataError(f"{listing} is missing: {how_to(source)}")
    try:
        shards = Shards.model_validate_json(listing.read_text(encoding="utf-8"))
    except (ValidationError, ValueError) as error:
        raise DataError(
            f"{listing} is no list of shards ({' '.join(str(error).split())}). Remove it, then: {how_to(source)}"
        ) from error
    return of_safe_names(listing.name, shards)


def verify_shards(listing: Path, shards: Mapping[str, Shard]) -> None:
    """Raise DataError unless each of some shards is here and what the list says."""
    (source,) = find(listing.name)
    for path, shard in shards.items():
        file = folder_of(listing) / path
        if not file.is_file():
            raise DataError(f"{file} is missing. Remove {listing}, then: {how_to(source)}")
        print(f"{file}: verifying {shard.bytes:,} bytes.", flush=True)
        if found := problem(file, as_source(source, listing, path, shard, HUB)):
            remedy = f"Remove it and {listing}, then: {how_to(source)}"
            raise DataError(f"{file} is not what it should be: {found}. {remedy}")
