"""Public archives in data/archives/: streamed, resumed and verified; whole under their name, or not there.

A download grows in `<file>.part`, beside `<file>.part.version`: what the server calls the version that it is of, so
that a later run never joins halves of two. It gets its name once size and checksum are those of data/sources.yaml.
"""

import os
import re
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3 import Retry
from urllib3.exceptions import HTTPError, MaxRetryError

from ..utils.errors import DataError
from ..utils.files import atomic, room
from ..utils.hub import REPOSITORY, REVISION, hub_of, listing_of
from ..utils.locks import locked
from ..utils.progress import progress
from . import hub
from .catalogue import ARCHIVES, Source, by_hand, find, how_to, or_without, problem
from .dvc_pointers import point_to
from .members import CHUNK, MAX_TOTAL

RETRIES = 6  # in a row that bring nothing new
BACKOFF = 1.0  # seconds; doubles with every retry
BUSY = (500, 502, 503, 504)  # answers that are worth another try
TIMEOUT = (30, 60)  # seconds to connect, and without a byte
MB = 1_000_000


class UnavailableError(DataError):
    """One address does not have the file; another may."""


def fetch(name: str, given: Path | None = None, url: str | None = None, folder: Path = ARCHIVES) -> list[Path]:
    """Put the files of an archive, or one file, of data/sources.yaml into `folder`, verified; say what it did.

    Return where they are. `given` is a file, or the folder of the files, that is taken instead of a download; `url` an
    address to download from instead of the documented ones; of a data set of the Hub, that of another Hub. Raises
    DataError for what can't be had or is not what it should be.
    """
    files = find(named_by_revision(name, url))
    if given and url:
        raise DataError("--from and --url exclude each other: where shall the file come from?")
    if len(files) > 1 and (url or (given and not given.is_dir())):
        names = ", ".join(source.file for source in files)
        raise DataError(f"{name} is several files: name one of them ({names}), or --from the folder that has them.")
    for source in files:
        with locked(folder / f".{source.file}.lock"):
            (obtain_shards if hub_of(source.file) else obtain)(source, given, url, folder / source.file)
            point_to(folder / source.file)
    return [folder / source.file for source in files]


def obtain(source: Source, given: Path | None, url: str | None, path: Path) -> None:
    """Put one file at `path`, unless it is there."""
    if path.exists():
        if found := problem(path, source):
            raise DataError(f"{path} is not what it should be: {found}. Remove it, then: {how_to(source)}")
        print(f"{path} is here already, {describe_check(source)}.")
        return
    if given:
        take(source, given / source.file if given.is_dir() else given, path)
    elif source.access == "withdrawn" or (source.access != "open" and not url):
        raise DataError(by_hand(source))
    else:
        download(source, url, path)
    print(f"{path}: {path.stat().st_size:,} bytes, {describe_check(source)}.")


def obtain_shards(source: Source, given: Path | None, url: str | None, listing: Path) -> None:
    """Put the shards of a data set of the Hub into their folder, and then the list of them at `listing`."""
    address, folder = (url or hub.HUB).rstrip("/"), hub.folder_of(listing)
    if listing.exists():
        shards = hub.read_shards(listing)
    elif given:
        shards = hub.shards_in(given, listing.name)
    else:
        pages = ask_hub(hub.tree_address(address, listing.name))
        shards = hub.shards_told([answer for page in pages for answer in page], listing.name)
    for path, shard in shards.shards.items():
        one, target = hub.as_source(source, listing, path, shard, address), folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        obtain(one, given / path if given else None, one.url if url else None, target)
    if not listing.exists():
        hub.write_shards(listing, shards)
    by = "as the Hub states them" if shards.verified else "which nobody vouches for"
    print(f"{listing}: {len(shards.shards)} shards, their sha256 {by}.")


def ask_hub(address: str) -> list[Any]:
    """Return all pages of what the Hub answers. Raises DataError where it does not."""
    found = []
    with requests.Session() as session:
        be_patient(session)
        while address:
            try:
                with session.get(address, timeout=TIMEOUT) as response:
                    response.raise_for_status()
                    found.append(response.json())
                    address = response.links.get("next", {}).get("url", "")
            except requests.RequestException as error:
                status = getattr(error.response, "status_code", None)
                unknown = "the Hub does not have that, or for those alone who log in there"
                raise DataError(
                    f"{public(address)} can't be asked: {unknown if status in (401, 403, 404) else cause(error)}. "
                    "If you have the shards: --from FOLDER; if another Hub has them: --url URL."
                ) from None
    return found


def named_by_revision(name: str, url: str | None) -> str:
    """Return the list of shards of OWNER/NAME@REVISION; any other name as it is.

    Raises DataError for OWNER/NAME alone, which says what is its newest revision: what is fetched must not move.
    """
    repository, _, revision = name.partition("@")
    if not re.fullmatch(REPOSITORY, repository) or re.fullmatch(REVISION, revision):
        return listing_of(repository, revision) if revision else name
    (answer,) = ask_hub(f"{(url or hub.HUB).rstrip('/')}/api/datasets/{repository}")
    raise DataError(
        f"{name} moves: name its revision, of which {answer.get('sha')} is the newest. In config.yaml: "
        f"reader: parquet, repository: {repository}, revision: {answer.get('sha')}."
    )


def describe_check(source: Source) -> str:
    if source.unpacked_sha256:
        return "its contents as documented"
    checks = [f"{algorithm} as documented" for algorithm in source.checksums]
    return ", ".join(checks) or "not verified, since no checksum of it is documented"


# --- from a file that somebody has ------------------------------------------------------------------------------


def take(source: Source, given: Path, path: Path) -> None:
    """Link `given` to `path`, or copy it where the file system can't, once it is verified."""
    if not given.is_file():
        raise DataError(f"{given} is missing: --from wants {source.file}, or the folder that it is in.")
    with atomic(path) as temporary:
        try:
            os.link(given.resolve(), temporary)
        except OSError:  # another file system, or one without links
            with room(path, given.stat().st_size):
                shutil.copyfile(given, temporary)
        if found := problem(temporary, source):
            raise DataError(f"{given} is not {source.file}: {found}.")


# --- from the net -----------------------------------------------------------------------------------------------


def download(source: Source, url: str | None, path: Path) -> None:
    """Download to `path` from `url`, or else from the first documented address that has the file."""
    documented = (source.url, *source.mirrors) if source.url else source.mirrors
    failures = []
    with requests.Session() as session:
        be_patient(session)
        for address in [url] if url else documented:
            try:
                part = download_part(session, source, address, path, told=bool(url))
                if found := problem(part, source):
                    discard(part)
                    raise UnavailableError(f"{public(address)}: {found}.")
                part.replace(path)
                discard(part)
                return
            except UnavailableError as failure:
                failures.append(str(failure))
    said = (
        f"{source.file} can't be fetched. {' '.join(failures)} If you have it or know another address: "
        f"python -m atebm fetch {source.file} --from FILE, or --url URL"
    )
    raise DataError(or_without(said, source))


def be_patient(session: requests.Session) -> None:
    """Have a session ask a busy server again."""
    patient = Retry(
        RETRIES,
        status_forcelist=BUSY,
        backoff_factor=BACKOFF,
        raise_on_status=False,
        respect_retry_after_header=False,
    )
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(max_retries=patient))


def download_part(session: requests.Session, source: Source, url: str, path: Path, told: bool) -> Path:
    """Download all of `url` to the returned .part, going on where a cut connection, or an earlier run, left it."""
    part = path.with_name(f"{path.name}.part")
    patience, most = Retry(RETRIES, backoff_factor=BACKOFF), size_of(part)
    while size_of(part) == 0 or size_of(part) != source.bytes:
        try:
            stream_rest(session, source, url, part, told)
            break
        except requests.RequestException as error:  # after the session's own retries
            raise UnavailableError(f"{public(url)}: no answer ({cause(error)}).") from None
        except HTTPError as cut:
            if size_of(part) > most:
                patience, most = Retry(RETRIES, backoff_factor=BACKOFF), size_of(part)
            try:
                patience = patience.increment("GET", url, error=cut)
            except MaxRetryError:
                raise UnavailableError(f"{public(url)}: the connection was cut {RETRIES + 1} times in a row.") from None
            patience.sleep()
    return part


def stream_rest(session: requests.Session, source: Source, url: str, part: Path, told: bool) -> None:
    """Append what `part` lacks; or all, where the server can't or the file is another by now.

    Raises urllib3's HTTPError when the connection is cut.
    """
    allow(source, url, told)
    start, version = size_of(part), version_of(part)
    if not (version or source.checksums):  # nothing would show that the halves are of two versions
        start = 0
    headers = {"Accept-Encoding": "identity"}
    if start:
        headers |= {"Range": f"bytes={start}-"} | ({"If-Range": version} if version else {})
    with session.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
        for hop in (*response.history, response):
            allow(source, hop.url, told)
        told_start = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
        goes_on = start > 0 and response.status_code == 206 and told_start and int(told_start[1]) == start
        if not goes_on and response.status_code in (206, 416):
            discard(part)  # it is of another length, or the server answers what it was not asked
            if start:
                return stream_rest(session, source, url, part, told)
        if not goes_on and response.status_code != 200:
            raise UnavailableError(f"{public(url)}: {response.status_code} {response.reason}.")
        if response.headers.get("Content-Type", "").startswith("text/html"):
            page = "it is a web page, such as a log-in, a quota or an error, not the file"
            raise UnavailableError(f"{public(url)}: {page}.")
        done = start if goes_on else 0
        length = response.headers.get("Content-Length")
        total = done + int(length) if length else None
        if None not in (total, source.bytes) and total != source.bytes:
            raise UnavailableError(f"{public(url)}: it has {total:,} bytes, not {source.bytes:,}.")
        if not goes_on:
            discard(part)
        what, end = f"{source.file}, MB", total or source.bytes
        most = end or MAX_TOTAL  # a server that tells no length could go on for ever
        with (
            room(part.with_name(source.file), end, "A download goes on where it stopped.", there=done),
            part.open("ab") as file,
            progress(what, megabytes(end or 0), megabytes(done), quiet=end is None) as report,
        ):
            if not goes_on:
                remember_version(part, response)
            for chunk in response.raw.stream(CHUNK, decode_content=False):  # as it is stored: .gz stays .gz
                file.write(chunk)
                done += len(chunk)
                if done > most:
                    raise UnavailableError(f"{public(url)}: it sends more than {most:,} bytes.")
                report(megabytes(done))


def allow(source: Source, url: str, told: bool) -> None:
    """Refuse plain http where no checksum would show a change on the way, unless a person named the address.

    Raises UnavailableError.
    """
    if urlsplit(url).scheme != "https" and not (told or source.tamper_proof):
        raise UnavailableError(
            f"{public(url)} is refused: it is not https, and no checksum of the file is documented, so nothing would "
            "show what somebody changed on the way; --url with this address accepts that."
        )


def public(url: str) -> str:
    """Return an address as a log may have it: without a password, and without the keys that a query may hold."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "..." if parts.query else "", ""))


def megabytes(size: int) -> int:
    return -(-size // MB)


def size_of(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def version_file(part: Path) -> Path:
    return part.with_name(f"{part.name}.version")


def version_of(part: Path) -> str:
    return version_file(part).read_text(encoding="utf-8") if version_file(part).exists() else ""


def remember_version(part: Path, response: requests.Response) -> None:
    """Note the strong ETag or else the date of what is being downloaded (RFC 9110, 13.1.5: a weak one won't do)."""
    tag = response.headers.get("ETag", "")
    version = response.headers.get("Last-Modified", "") if tag.startswith("W/") or not tag else tag
    version_file(part).write_text(version, encoding="utf-8")


def discard(part: Path) -> None:
    part.unlink(missing_ok=True)  # first: a part without a version starts again, a version without a part does no harm
    version_file(part).unlink(missing_ok=True)


def cause(error: BaseException) -> str:
    """Return the innermost reason of an exception of requests, such as "Connection refused"."""
    reason = getattr(error.args[0], "reason", error) if error.args else error
    return str(reason).rpartition(": ")[2] or type(error).__name__
