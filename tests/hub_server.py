"""A Hub on 127.0.0.1: it tells the files of a data set at a revision, in pages, and sends shards by a redirect."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

PAGE = 2  # files that an answer tells


class Hub(ThreadingHTTPServer):
    """Has the folder of one repository, whatever the name, at one revision."""

    daemon_threads = True

    def __init__(self, folder: Path, repository: str, revision: str) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder, self.repository, self.revision = folder, repository, revision
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def tree(self) -> list[dict[str, Any]]:
        """As the Hub answers: a file that git keeps itself has no `lfs`."""
        found: list[dict[str, Any]] = [{"type": "file", "oid": "0" * 40, "size": 7, "path": "README.md"}]
        for path in sorted(self.folder.rglob("*")):
            told = {"oid": "1" * 40, "path": path.relative_to(self.folder).as_posix()}
            if path.is_file():
                data = path.read_bytes()
                lfs = {"oid": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 132}
                found.append({"type": "file", "size": len(data), "lfs": lfs} | told)
            else:
                found.append({"type": "directory", "size": 0} | told)
        return found


class Handler(BaseHTTPRequestHandler):
    server: Hub

    def do_GET(self) -> None:
        hub, parts = self.server, urlsplit(self.path)
        hub.asked.append(parts.path)
        api, files = f"/api/datasets/{hub.repository}", f"/datasets/{hub.repository}/resolve/{hub.revision}/"
        if parts.path == api:
            self.answer(json.dumps({"id": hub.repository, "sha": hub.revision}).encode())
        elif parts.path == f"{api}/tree/{hub.revision}":
            start = int(parse_qs(parts.query).get("cursor", ["0"])[0])
            more = f"{hub.url}{parts.path}?recursive=true&cursor={start + PAGE}"
            link = {"Link": f'<{more}>; rel="next"'} if start + PAGE < len(hub.tree()) else {}
            self.answer(json.dumps(hub.tree()[start : start + PAGE]).encode(), link)
        elif parts.path.startswith(files):
            self.send_response(302)
            self.send_header("Location", f"{hub.url}/cdn/{parts.path.removeprefix(files)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif parts.path.startswith("/cdn/"):
            self.answer((hub.folder / parts.path.removeprefix("/cdn/")).read_bytes(), type="application/octet-stream")
        else:
            self.send_error(404)

    def answer(self, body: bytes, headers: dict[str, str] | None = None, type: str = "application/json") -> None:
        self.send_response(200)
        for name, value in {"Content-Type": type, "Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def hub_of(folder: Path, repository: str, revision: str) -> Iterator[Hub]:
    with Hub(folder, repository, revision) as hub:
        thread = threading.Thread(target=hub.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield hub
        hub.shutdown()
        thread.join()
