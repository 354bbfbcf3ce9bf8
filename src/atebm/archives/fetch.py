"""Fetching public archives into data/archives/: streamed, resumed and verified; a file is there whole or not at all.

A download grows in `<file>.part`. Beside it, `<file>.part.version` holds the server's name for the version, so that a
later run never joins halves of two versions. The file gets its name once size and checksum match data/sources.yaml.
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
from .catalogue import ARCHIVES, WEB_PAGE, Source, by_hand, find, how_to, or_without, problem
from .dvc_pointers import point_to
from .members import CHUNK, MAX_TOTAL

RETRIES = 6  # in a row without a new byte
BACKOFF = 1.0  # seconds; doubles with every retry
BUSY = (500, 502, 503, 504)  # status codes that are worth another try
TIMEOUT = (30, 60)  # seconds to wait for a connection, and for the next byte
MB = 1_000_000


class UnavailableError(DataError):
    """One address does not have the file; another may."""


def fetch(name: str, given: Path | None = None, url: str | None = None, folder: Path = ARCHIVES) -> list[Path]:
    """Put the verified files of an archive, or one file, of data/sources.yaml into `folder`, and return their paths.

    `given` is a file, or a folder of the files, to take instead of downloading. `url` replaces the documented
    addresses; for a data set on the Hub, it is the address of another Hub. Raises DataError if a file can't be fetched
    or verified.
    """
    files = find(named_by_revision(name, url))
    if given and url:
        raise DataError("--from and --url exclude each other: give one of them.")
    if len(files) > 1 and (url or (given and not given.is_dir())):
        names = ", ".join(source.file for source in files)
        raise DataError(f"{name} has several files: name one of them ({names}), or give their folder by --from.")
    for source in files:
        with locked(folder / f".{source.file}.lock"):
            (obtain_shards if hub_of(source.file) else obtain)(source, given, url, folder / source.file)
            point_to(folder / source.file)
    return [folder / source.file for source in files]


def obtain(source: Source, given: Path | None, url: str | None, path: Path) -> None:
    """Put one file at `path`, unless it is there already."""
    if path.exists():
        if found := problem(path, source):
            raise DataError(f"{path} is not the expected file: {found}. Remove it, then: {how_to(source)}")
        print(f"{path} is here already: {describe_check(source)}.")
        return
    if given:
        take(source, given / source.file if given.is_dir() else given, path)
    elif source.access == "withdrawn" or (source.access != "open" and not url):
        raise DataError(by_hand(source))
    else:
        download(source, url, path)
    print(f"{path}: {path.stat().st_size:,} bytes; {describe_check(source)}.")


def obtain_shards(source: Source, given: Path | None, url: str | None, listing: Path) -> None:
    """Put the shards of a data set on the Hub into their folder, and then their list at `listing`."""
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
    check = "each sha256 as stated by the Hub" if shards.verified else "not verified: each sha256 is your file's own"
    print(f"{listing}: {len(shards.shards)} shards; {check}.")


def ask_hub(address: str) -> list[Any]:
    """Return all pages of the Hub's answer. Raises DataError if it does not answer."""
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
                unknown = "the Hub does not have it, or only for users who log in"
                raise DataError(
                    f"{public(address)} can't be read: {unknown if status in (401, 403, 404) else cause(error)}. "
                    "If you have the shards, use --from FOLDER; if another Hub has them, use --url URL."
                ) from None
    return found


def named_by_revision(name: str, url: str | None) -> str:
    """Return the file name of the list of shards for OWNER/NAME@REVISION, and any other name unchanged.

    Raises DataError for OWNER/NAME without a revision, since its contents can change. The message names the newest one.
    """
    repository, _, revision = name.partition("@")
    if not re.fullmatch(REPOSITORY, repository) or re.fullmatch(REVISION, revision):
        return listing_of(repository, revision) if revision else name
    (answer,) = ask_hub(f"{(url or hub.HUB).rstrip('/')}/api/datasets/{repository}")
    raise DataError(
        f"{name} can change: add a revision, such as the newest one, {answer.get('sha')}. In config.yaml: "
        f"reader: parquet, repository: {repository}, revision: {answer.get('sha')}."
    )


def describe_check(source: Source) -> str:
    if source.unpacked_sha256:
        return "its contents are as documented"
    checks = [f"{algorithm} as documented" for algorithm in source.checksums]
    return ", ".join(checks) or "not verified, since no checksum is documented"


# --- from a local file ------------------------------------------------------------------------------------------


def take(source: Source, given: Path, path: Path) -> None:
    """Verify `given`, and link it to `path`, or copy it if the file system can't link."""
    if not given.is_file():
        raise DataError(f"{given} is missing: --from needs {source.file}, or the folder that it is in.")
    with atomic(path) as temporary:
        try:
            os.link(given.resolve(), temporary)
        except OSError:  # another file system, or one without links
            with room(path, given.stat().st_size):
                shutil.copyfile(given, temporary)
        if found := problem(temporary, source):
            raise DataError(f"{given} is not {source.file}: {found}.")


# --- from the network -------------------------------------------------------------------------------------------


def download(source: Source, url: str | None, path: Path) -> None:
    """Download to `path` from `url`, or by default from the first documented address that has the file."""
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
    message = (
        f"{source.file} can't be fetched. {' '.join(failures)} If you have it or know another address: "
        f"python -m atebm fetch {source.file} --from FILE, or --url URL"
    )
    raise DataError(or_without(message, source))


def be_patient(session: requests.Session) -> None:
    """Make a session retry when a server is busy."""
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
    """Download `url` to the returned .part file, and resume after a cut connection or an earlier run."""
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
    """Append the missing rest to `part`, or download all again if the server can't resume or its file has changed.

    Raises urllib3's HTTPError when the connection is cut.
    """
    allow(source, url, told)
    start, version = size_of(part), version_of(part)
    if not (version or source.checksums):  # nothing would reveal halves of two versions
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
            discard(part)  # its length has changed, or the server sent another range than requested
            if start:
                return stream_rest(session, source, url, part, told)
        if not goes_on and response.status_code != 200:
            raise UnavailableError(f"{public(url)}: {response.status_code} {response.reason}.")
        if response.headers.get("Content-Type", "").startswith("text/html"):
            raise UnavailableError(f"{public(url)}: {WEB_PAGE}.")
        done = start if goes_on else 0
        length = response.headers.get("Content-Length")
        total = done + int(length) if length else None
        if None not in (total, source.bytes) and total != source.bytes:
            raise UnavailableError(f"{public(url)}: it has {total:,} bytes, not {source.bytes:,}.")
        if not goes_on:
            discard(part)
        what, end = f"{source.file}, MB", total or source.bytes
        most = end or MAX_TOTAL  # a server that states no length could send bytes for ever
        with (
            room(part.with_name(source.file), end, "A download resumes where it stopped.", there=done),
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
    """Refuse plain http if no checksum would reveal a change in transit, unless a person named the address.

    Raises UnavailableError.
    """
    if urlsplit(url).scheme != "https" and not (told or source.tamper_proof):
        raise UnavailableError(
            f"{public(url)} is refused: it is not https, and no checksum of the file is documented, so a change in "
            "transit would go unnoticed. To accept that, give this address by --url."
        )


def public(url: str) -> str:
    """Return an address that may be logged: without a password, and without a query, which may hold keys."""
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
    """Record the strong ETag of a download, or else its date (RFC 9110, 13.1.5: a weak ETag does not suffice)."""
    tag = response.headers.get("ETag", "")
    version = response.headers.get("Last-Modified", "") if tag.startswith("W/") or not tag else tag
    version_file(part).write_text(version, encoding="utf-8")


def discard(part: Path) -> None:
    part.unlink(missing_ok=True)  # first: a version without a part is harmless
    version_file(part).unlink(missing_ok=True)


def cause(error: BaseException) -> str:
    """Return the innermost reason for an exception from requests, such as "Connection refused"."""
    reason = getattr(error.args[0], "reason", error) if error.args else error
    return str(reason).rpartition(": ")[2] or type(error).__name__
