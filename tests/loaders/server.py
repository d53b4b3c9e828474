"""A small server of the dataset routes, over a store's folder, with faults to order."""

import json
import threading
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from retia.shards.canonical import sha256_file
from retia.shards.store import versions

API = "/api/v1"


@dataclass
class Faults:
    """What goes wrong. Paths are those of files in a version; each fault is used up."""

    cut_after: dict[str, list[int]] = field(default_factory=dict)
    altered: Counter = field(default_factory=Counter)
    longer: Counter = field(default_factory=Counter)
    busy: Counter = field(default_factory=Counter)
    wrong_range: Counter = field(default_factory=Counter)
    redirect_to: str | None = None
    answers: dict[str, tuple[int, dict, bytes]] = field(default_factory=dict)
    pages: list[dict] = field(default_factory=list)


class FileServer(ThreadingHTTPServer):
    """Serves `store`; `requests` are (method, path, headers) in the order of their arrival."""

    daemon_threads = True

    def __init__(self, store: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.store, self.faults, self.requests = store, Faults(), []

    def handle_error(self, *_: object) -> None:
        """A client that hangs up is part of the tests."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def asked_for(self, path: str) -> list[dict]:
        """The headers of the requests for a path's end."""
        return [headers for _, asked, headers in self.requests if asked.endswith(path)]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: FileServer

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        if self.server.faults.pages:
            self.server.requests.append((self.command, self.path, dict(self.headers)))
            self._json(self.server.faults.pages.pop(0))
        else:
            self._answer(self.path.partition("?")[0])

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append((self.command, self.path, dict(self.headers) | {"body": body}))
        self._ordered(self.path)

    def do_PUT(self) -> None:
        self.do_POST()

    def _answer(self, path: str) -> None:
        faults = self.server.faults
        self.server.requests.append((self.command, path, dict(self.headers)))
        if faults.redirect_to:
            self._send(307, b"", Location=faults.redirect_to + self.path)
        elif _used(faults.busy, path):
            self._send(503, b"", **{"Retry-After": "0"})
        elif path in faults.answers:
            self._ordered(path)
        else:
            self._dataset(path.removeprefix(f"{API}/datasets/").split("/"))

    def _ordered(self, path: str) -> None:
        if _used(self.server.faults.busy, path):
            self._send(503, b"", **{"Retry-After": "0"})
            return
        status, headers, body = self.server.faults.answers.get(path, (404, {}, b"{}"))
        self._send(status, body, **headers)

    def _dataset(self, steps: list[str]) -> None:
        folders = [f for f in versions(self.server.store) if f.parent.name == steps[0]]
        if len(steps) == 1 and folders:
            self._json({"name": steps[0], "versions": [{"version": f.name} for f in folders]})
            return
        folder = self.server.store / "/".join(steps[:2])
        if len(steps) == 2 and folder.is_dir():
            self._send(200, (folder / "manifest.json").read_bytes())
        elif len(steps) > 3 and (folder / "/".join(steps[3:])).is_file():
            self._file(folder / "/".join(steps[3:]), "/".join(steps[3:]))
        else:
            problem = {"type": "about:blank", "title": "Not Found", "detail": "no such\x1b thing"}
            self._send(404, json.dumps(problem).encode())

    def _file(self, file: Path, path: str) -> None:
        faults, content, etag = self.server.faults, file.read_bytes(), f'"{sha256_file(file)}"'
        whole, start, status = len(content), 0, 200
        asked = self.headers.get("Range")
        if asked and self.headers.get("If-Range") == etag:
            start, status = int(asked.removeprefix("bytes=").removesuffix("-")), 206
        if _used(faults.altered, path):
            content = content[:-1] + bytes([content[-1] ^ 1])
        if _used(faults.longer, path):
            content += b"x" * 100_000
        content = content[start:]
        headers = {"ETag": etag}
        if status == 206:
            shown = start + 1 if _used(faults.wrong_range, path) else start
            headers["Content-Range"] = f"bytes {shown}-{whole - 1}/{whole}"
        if faults.cut_after.get(path):
            self._cut(status, headers, content, faults.cut_after[path].pop(0))
        else:
            self._send(status, content, **headers)

    def _cut(self, status: int, headers: dict, content: bytes, after: int) -> None:
        self._head(status, len(content), headers)
        self.wfile.write(content[:after])
        self.wfile.flush()
        self.close_connection = True

    def _json(self, value: object) -> None:
        self._send(200, json.dumps(value).encode())

    def _send(self, status: int, body: bytes, **headers: str) -> None:
        self._head(status, len(body), headers)
        if self.command != "HEAD":
            self.wfile.write(body)

    def _head(self, status: int, length: int, headers: dict) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(length)} | headers).items():
            self.send_header(name, value)
        self.end_headers()


def _used(counter: Counter, key: str) -> bool:
    counter[key] -= 1
    return counter[key] >= 0


@contextmanager
def running(store: Path):
    """A server of `store`, in a thread."""
    server = FileServer(store)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
