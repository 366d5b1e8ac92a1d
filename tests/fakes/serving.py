"""A server on loopback for a fake that is one function: from a request to an answer."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Request:
    """`path` begins with a slash and is as it was sent; `body` is JSON, or the fields of a form."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


@dataclass(frozen=True)
class Said:
    status: int
    document: Any = None
    headers: dict[str, str] = field(default_factory=dict)


@contextmanager
def serving(handle: Callable[[Request], Said]) -> Iterator[str]:
    """The address at which it is served. It also serves as a proxy for plain http: of itself."""
    server = _Server(handle)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, handle: Callable[[Request], Said]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.handle = handle
        self.one_at_a_time = threading.Lock()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is what some tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Server

    def _serve(self) -> None:
        where = urlsplit(self.path)
        text = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
        if "json" in self.headers.get("Content-Type", ""):
            body = json.loads(text or "null")
        else:
            body = dict(parse_qsl(text))
        query = dict(parse_qsl(where.query))
        request = Request(self.command, where.path, query, dict(self.headers), body)
        with self.server.one_at_a_time:
            said = self.server.handle(request)
        content = b"" if said.document is None else json.dumps(said.document).encode()
        self.send_response(said.status)
        for name, value in said.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        if said.status != 204:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815 - http.server's

    def log_message(self, *_args: object) -> None:
        pass
