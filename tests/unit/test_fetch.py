"""`atebm fetch` against a real server on 127.0.0.1 that fails in every way that servers do."""

import errno
import gzip
import hashlib
import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from atebm.archives import catalogue as records
from atebm.archives import fetch as module
from atebm.archives import members
from atebm.archives.catalogue import Source
from atebm.archives.fetch import fetch
from atebm.utils.errors import DataError

BODY = random.Random(0).randbytes(3_500_000)
HALF = len(BODY) // 2
MD5 = hashlib.md5(BODY).hexdigest()
PAGE = b"\n<!DOCTYPE html><title>Quota exceeded</title>"
NAME = "set.zip"


class Server(ThreadingHTTPServer):
    """Serves BODY at every path; `faults` are played one per request, in order, before it behaves."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.faults: list[dict[str, Any]] = []
        self.requests: list[tuple[str, str | None]] = []  # path and Range
        self.ranges = True  # whether Range is honoured
        self.tag: str | None = '"1"'
        self.body, self.type = BODY, "application/zip"

    def url(self, path: str = NAME) -> str:
        return f"http://127.0.0.1:{self.server_port}/{path}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        self.server.requests.append((self.path, asked))
        fault = self.server.faults.pop(0) if self.server.faults else {}
        if "status" in fault:
            self.send_response(fault["status"])
            for header in fault.get("headers", {}).items():
                self.send_header(*header)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        same = self.headers.get("If-Range") in (None, self.server.tag)
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and self.server.ranges and same else 0
        body = self.server.body[start:]
        self.send_response(206 if start else 200)
        if start:
            first = fault.get("first", start)
            self.send_header("Content-Range", f"bytes {first}-{len(self.server.body) - 1}/{len(self.server.body)}")
        if self.server.tag:
            self.send_header("ETag", self.server.tag)
        self.send_header("Content-Type", self.server.type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with suppress(ConnectionError):  # the test's disk was full
            self.wfile.write(body[: fault.get("cut_after")])  # the connection closes when this returns

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(module, "BACKOFF", 0.001)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def source(server: Server, monkeypatch: pytest.MonkeyPatch):
    """A function that makes one archive, with what a test says about it, the only one there is."""

    def only(**known: Any) -> Source:
        fields = {"archive": "set", "title": "A set", "terms": "none", "access": "open", "note": "", "file": NAME}
        one = Source(**{**fields, "url": server.url(), "md5": MD5, **known})
        monkeypatch.setattr(records, "sources", lambda: (one,))
        return one

    only()
    return only


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix not in (".lock", ".dvc")}


def ranges(server: Server) -> list[str | None]:
    return [asked for _, asked in server.requests]


def test_a_file_is_downloaded_verified_and_not_downloaded_again(server, source, tmp_path, capsys):
    source(bytes=len(BODY))
    fetch("set", folder=tmp_path)
    assert files(tmp_path) == {NAME: BODY}
    said = capsys.readouterr().out
    assert "set.zip: 3,500,000 bytes; md5 as documented." in said and "set.zip, MB: 4/4 after" in said
    fetch("set", folder=tmp_path)
    assert ranges(server) == [None], "the second call asked the server"
    assert "set.zip is here already: md5 as documented." in capsys.readouterr().out


def test_a_file_that_was_altered_here_is_not_taken_for_the_set(server, source, tmp_path):
    (tmp_path / NAME).write_bytes(b"PK" + BODY[2:])
    with pytest.raises(DataError, match=rf"set.zip is not the expected file: its md5 is \w{{32}}, not {MD5}. Remove"):
        fetch("set", folder=tmp_path)
    assert server.requests == []


def test_404_is_final(server, source, tmp_path):
    server.faults = [{"status": 404}]
    with pytest.raises(DataError, match=r"set.zip can't be fetched. http://.*/set.zip: 404 Not Found. If you have it"):
        fetch("set", folder=tmp_path)
    assert len(server.requests) == 1 and files(tmp_path) == {}


def test_how_to_do_without_a_file_is_said_where_it_cannot_be_had(server, source, tmp_path):
    source(without="To draw nothing without it, do nothing.")
    server.faults = [{"status": 404}]
    with pytest.raises(DataError, match=r"404 Not Found. .* or --url URL. To draw nothing without it, do nothing.$"):
        fetch("set", folder=tmp_path)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_busy_server_is_asked_again(server, source, tmp_path, status):
    server.faults = [{"status": status}] * 2
    fetch("set", folder=tmp_path)
    assert len(server.requests) == 3 and files(tmp_path) == {NAME: BODY}


def test_a_server_that_stays_busy_is_given_up(server, source, tmp_path):
    server.faults = [{"status": 503}] * 100
    with pytest.raises(DataError, match=r"set.zip: 503 Service Unavailable"):
        fetch("set", folder=tmp_path)
    assert len(server.requests) == 1 + module.RETRIES and files(tmp_path) == {}


def test_nobody_listens(server, source, tmp_path):
    source(url="http://127.0.0.1:9/set.zip")
    with pytest.raises(DataError, match=r"http://127.0.0.1:9/set.zip: no answer \(.*refused\)"):
        fetch("set", folder=tmp_path)


def test_a_cut_download_goes_on_where_it_was_cut(server, source, tmp_path):
    server.faults = [{"cut_after": HALF}, {"cut_after": 1000}]
    fetch("set", folder=tmp_path)
    first, second, third = ranges(server)
    assert (first, second, third) == (None, f"bytes={HALF}-", f"bytes={HALF + 1000}-")
    assert files(tmp_path) == {NAME: BODY}


def test_patience_lasts_as_long_as_there_is_progress(server, source, tmp_path):
    server.faults = [{"cut_after": 1000}] * (module.RETRIES + 3)
    fetch("set", folder=tmp_path)
    assert ranges(server)[-1] == f"bytes={1000 * (module.RETRIES + 3)}-" and files(tmp_path) == {NAME: BODY}


def test_a_download_that_is_cut_again_and_again_without_a_new_byte_is_given_up_and_goes_on_later(
    server, source, tmp_path
):
    server.faults = [{"cut_after": HALF}] + [{"cut_after": 0}] * 100
    with pytest.raises(DataError, match=rf"was cut {module.RETRIES + 1} times in a row"):
        fetch("set", folder=tmp_path)
    assert files(tmp_path) == {f"{NAME}.part": BODY[:HALF], f"{NAME}.part.version": b'"1"'}
    server.faults, server.requests = [], []
    fetch("set", folder=tmp_path)
    assert ranges(server) == [f"bytes={HALF}-"] and files(tmp_path) == {NAME: BODY}


def test_a_download_without_checksum_is_not_joined_from_two_versions(server, source, tmp_path):
    source(md5=None)
    (tmp_path / f"{NAME}.part").write_bytes(b"\0" * HALF)
    (tmp_path / f"{NAME}.part.version").write_text('"0"')
    fetch("set", url=server.url(), folder=tmp_path)
    assert ranges(server) == [f"bytes={HALF}-"] and files(tmp_path) == {NAME: BODY}
    (tmp_path / NAME).rename(tmp_path / f"{NAME}.part")
    server.requests = []
    fetch("set", url=server.url(), folder=tmp_path)
    assert ranges(server) == [None], "of an unknown version, so no part of it may stay"


@pytest.mark.parametrize("fault", [{"status": 416}, {"first": 0}])
def test_a_wrong_answer_to_range_starts_again(server, source, tmp_path, fault):
    server.faults = [{"cut_after": HALF}, fault]
    fetch("set", folder=tmp_path)
    assert ranges(server) == [None, f"bytes={HALF}-", None] and files(tmp_path) == {NAME: BODY}


def test_a_server_that_ignores_range_starts_again(server, source, tmp_path):
    server.ranges, server.faults = False, [{"cut_after": HALF}]
    fetch("set", folder=tmp_path)
    assert ranges(server) == [None, f"bytes={HALF}-"] and files(tmp_path) == {NAME: BODY}


def test_a_wrong_checksum_leaves_nothing(server, source, tmp_path):
    source(md5="0" * 32)
    with pytest.raises(DataError, match=f"its md5 is {MD5}, not {'0' * 32}"):
        fetch("set", folder=tmp_path)
    assert files(tmp_path) == {}


def test_a_wrong_size_leaves_nothing(server, source, tmp_path):
    source(bytes=len(BODY) + 1)
    server.faults = [{"cut_after": 0}]  # so: before any of it was downloaded
    with pytest.raises(DataError, match=r"it has 3,500,000 bytes, not 3,500,001"):
        fetch("set", folder=tmp_path)
    assert len(server.requests) == 1 and files(tmp_path) == {}


@pytest.mark.parametrize(
    ("body", "type"), [(PAGE, "application/octet-stream"), (b"Quota exceeded", "text/html; charset=utf-8")]
)
def test_a_web_page_is_no_archive(server, source, tmp_path, body, type):
    source(md5=None)
    server.body, server.type = body, type
    with pytest.raises(DataError, match=r"it is a web page \(such as a log-in, quota or error page\), not the file"):
        fetch("set", url=server.url(), folder=tmp_path)
    assert files(tmp_path) == {}


def test_mirrors_are_tried_in_their_order(server, source, tmp_path):
    source(mirrors=(server.url("second"), server.url("third"), server.url("fourth")))
    server.faults = [{"status": 404}, {"status": 403}]
    fetch("set", folder=tmp_path)
    assert [path for path, _ in server.requests] == ["/set.zip", "/second", "/third"]
    assert files(tmp_path) == {NAME: BODY}


def test_when_all_mirrors_fail_each_reason_is_told(server, source, tmp_path):
    source(mirrors=(server.url("second"),))
    server.faults = [{"status": 404}, {"status": 403}]
    with pytest.raises(DataError, match=r"/set.zip: 404 Not Found. http://.*/second: 403 Forbidden."):
        fetch("set", folder=tmp_path)


def test_http_is_refused_where_no_checksum_is_known_unless_told(server, source, tmp_path):
    source(md5=None)
    with pytest.raises(DataError, match=r"it is not https, and no checksum .* give this address by --url"):
        fetch("set", folder=tmp_path)
    assert server.requests == [] and files(tmp_path) == {}
    fetch("set", url=server.url(), folder=tmp_path)
    assert files(tmp_path) == {NAME: BODY}


def test_a_redirect_is_followed_but_not_to_where_the_file_may_not_come_from(server, source, tmp_path, monkeypatch):
    away = {"status": 302, "headers": {"Location": server.url("elsewhere")}}
    server.faults = [away]
    fetch("set", folder=tmp_path)
    assert [path for path, _ in server.requests] == ["/set.zip", "/elsewhere"] and files(tmp_path) == {NAME: BODY}
    (tmp_path / NAME).unlink()

    def allow(source: Source, url: str, told: bool) -> None:  # as from https, which this server has not, to http
        if url.endswith("elsewhere"):
            raise module.UnavailableError("not from there")

    server.faults = [away]
    monkeypatch.setattr(module, "allow", allow)
    with pytest.raises(DataError, match="not from there"):
        fetch("set", folder=tmp_path)
    assert files(tmp_path) == {}


def test_the_disk_is_full_in_the_middle(server, source, tmp_path, monkeypatch):
    whole = Path.open

    class Full:
        def __init__(self, file: Any) -> None:
            self.file = file

        def __enter__(self) -> "Full":
            return self

        def __exit__(self, *_: Any) -> None:
            self.file.close()

        def write(self, chunk: bytes) -> None:
            if self.file.tell() > HALF:
                raise OSError(errno.ENOSPC, "No space left on device")
            self.file.write(chunk)

    def opened(path: Path, mode: str = "r", **options: Any) -> Any:
        return Full(whole(path, mode)) if mode == "ab" else whole(path, mode, **options)

    monkeypatch.setattr(Path, "open", opened)
    with pytest.raises(DataError, match=r"the disk of .* is full: set.zip needs 3,500,000 bytes. Make room and repeat"):
        fetch("set", folder=tmp_path)
    monkeypatch.setattr(Path, "open", whole)
    kept = files(tmp_path)[f"{NAME}.part"]
    assert HALF < len(kept) < len(BODY) and BODY.startswith(kept)
    fetch("set", folder=tmp_path)
    assert ranges(server) == [None, f"bytes={len(kept)}-"] and files(tmp_path) == {NAME: BODY}


@pytest.mark.parametrize("access", ["form", "manual", "gone", "withdrawn"])
def test_what_no_program_may_download_is_explained_and_taken_from_a_file(server, source, tmp_path, access):
    source(access=access, url=None, how="Ask the publisher.")
    with pytest.raises(
        DataError,
        match=r"set.zip \(A set; none\) .* Ask the publisher. Then: .* set.zip --from FILE, or .* set --from FOLDER",
    ):
        fetch("set", folder=tmp_path / "archives")
    own = tmp_path / NAME
    own.write_bytes(BODY)
    for given in (own, tmp_path):
        fetch("set", given=given, folder=tmp_path / "archives")
        assert files(tmp_path / "archives") == {NAME: BODY} and own.read_bytes() == BODY
        (tmp_path / "archives" / NAME).unlink()
    assert server.requests == []


def test_a_withdrawn_set_is_not_downloaded_from_anywhere(server, source, tmp_path):
    source(access="withdrawn", url=None, how="Don't.")
    with pytest.raises(DataError, match=r"can't be downloaded by a program. Don't\."):
        fetch("set", url=server.url(), folder=tmp_path)
    assert server.requests == []


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (PAGE, "own.zip is not set.zip: it is a web page"),
        (BODY[:-1], "own.zip is not set.zip: its md5 is"),
        (b"", "own.zip is not set.zip: it is empty"),
        (None, "own.zip is missing: --from needs set.zip, or the folder that it is in"),
    ],
)
def test_a_wrong_file_is_not_taken(server, source, tmp_path, content, sentence):
    own = tmp_path / "own.zip"
    if content is not None:
        own.write_bytes(content)
    with pytest.raises(DataError, match=sentence):
        fetch("set", given=own, folder=tmp_path / "archives")
    assert files(tmp_path / "archives") == {}


def test_the_same_contents_compressed_by_somebody_else_are_taken_and_others_are_not(server, source, tmp_path):
    source(unpacked_sha256=hashlib.sha256(BODY).hexdigest(), file="set.gz")
    own = tmp_path / "own.gz"
    for body, problem in (
        (gzip.compress(BODY[:-1]), "its md5 is"),
        (gzip.compress(BODY)[:-9], "its md5 is"),
        (BODY, None),  # the documented file, whose md5 fits
        (gzip.compress(BODY, 1), None),
    ):
        own.write_bytes(body)
        with pytest.raises(DataError, match=problem) if problem else nullcontext():
            fetch("set", given=own, folder=tmp_path / "archives")
        assert files(tmp_path / "archives") == ({} if problem else {"set.gz": body})
        (tmp_path / "archives/set.gz").unlink(missing_ok=True)


def test_a_gz_that_would_fill_the_memory_is_not_taken(server, source, tmp_path, monkeypatch):
    monkeypatch.setattr(members, "MAX_GZIP", len(BODY) - 1)
    source(unpacked_sha256=hashlib.sha256(BODY).hexdigest(), file="set.gz")
    (tmp_path / "own.gz").write_bytes(gzip.compress(BODY, 1))
    with pytest.raises(DataError, match=rf"not {MD5}, and its unpacked contents are not the known ones"):
        fetch("set", given=tmp_path / "own.gz", folder=tmp_path / "archives")


def test_the_first_fetch_points_dvc_to_the_file_and_later_ones_do_not(server, source, tmp_path):
    """A pointer is what its clone, or its owner by `dvc add`, says that the file is."""
    source(md5=None)
    fetch("set", url=server.url(), folder=tmp_path)
    pointer = tmp_path / f"{NAME}.dvc"
    entry = {"md5": MD5, "size": len(BODY), "hash": "md5", "path": NAME, "cache": False}
    assert yaml.safe_load(pointer.read_text()) == {"outs": [entry]}
    (tmp_path / NAME).unlink()
    server.body = BODY[:HALF]
    fetch("set", url=server.url(), folder=tmp_path)
    assert files(tmp_path) == {NAME: BODY[:HALF]}
    assert yaml.safe_load(pointer.read_text()) == {"outs": [entry]}


def test_nothing_points_to_what_could_not_be_fetched(server, source, tmp_path):
    server.faults = [{"status": 404}]
    with pytest.raises(DataError):
        fetch("set", folder=tmp_path)
    assert list(tmp_path.glob("*.dvc")) == []


def test_a_file_is_linked_or_copied_where_links_are_not_possible(server, source, tmp_path, monkeypatch):
    own = tmp_path / NAME
    own.write_bytes(BODY)
    fetch("set", given=own, folder=tmp_path / "linked")
    assert (tmp_path / "linked" / NAME).samefile(own), "a second copy of 138 GB"

    def no_link(*_: Any) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    def no_room(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module.os, "link", no_link)
    fetch("set", given=own, folder=tmp_path / "copied")
    assert not (tmp_path / "copied" / NAME).samefile(own) and files(tmp_path / "copied") == {NAME: BODY}
    monkeypatch.setattr(module.shutil, "copyfile", no_room)
    with pytest.raises(DataError, match=r"the disk of .* is full: set.zip needs 3,500,000 bytes"):
        fetch("set", given=own, folder=tmp_path / "full")
    assert files(tmp_path / "full") == {}


def test_a_file_of_another_size_is_not_taken(server, source, tmp_path):
    source(md5=None, bytes=len(BODY))
    (tmp_path / NAME).write_bytes(BODY[:-1])
    with pytest.raises(DataError, match=r"it has 3,499,999 bytes, not 3,500,000"):
        fetch("set", given=tmp_path, folder=tmp_path / "archives")
    assert files(tmp_path / "archives") == {}


def test_several_files_want_a_folder_or_the_name_of_one(tmp_path):
    (tmp_path / "own.mat").write_bytes(BODY)
    for given, url in ((tmp_path / "own.mat", None), (None, "http://127.0.0.1/")):
        with pytest.raises(
            DataError, match=r"svhn has several files: name one of them \(train_32x32.mat, test_32x32.mat"
        ):
            fetch("svhn", given, url, tmp_path)
    with pytest.raises(DataError, match="exclude each other"):
        fetch("svhn", tmp_path, "http://127.0.0.1/", tmp_path)


def test_the_command_line_ends_with_1_and_one_sentence(tmp_path):
    command = [sys.executable, "-m", "atebm", "fetch", "imagenet"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert ended.returncode == 1 and ended.stdout == ""
    assert ended.stderr.startswith("error: ILSVRC2012_img_train.tar (ImageNet, ILSVRC 2012;")
    assert "Register at https://image-net.org" in ended.stderr and "Traceback" not in ended.stderr
