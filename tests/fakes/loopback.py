"""What every fake over HTTP is made of: a server on loopback, a handler that says one answer at a time."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

NO_CONTENT = 204


class Handler(BaseHTTPRequestHandler):
    """One connection of a fake. A subclass says which methods it knows, as http.server wants it."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Server

    @property
    def fake(self) -> Any:
        """Whatever is served."""
        return self.server.fake

    def sent(self) -> bytes:
        """The body of the request."""
        return self.rfile.read(int(self.headers.get("Content-Length", "0")))

    def say(self, status: int, headers: Iterable[tuple[str, str]], content: bytes) -> None:
        """One whole answer, at the time of this machine unless it has one of its own."""
        told = dict(headers)
        self.send_response_only(status)
        for name, value in {"Date": self.date_time_string(), **told}.items():
            self.send_header(name, value)
        if status != NO_CONTENT:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_args: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, handler: type[Handler], fake: object, tls: ssl.SSLContext | None) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.fake = fake
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_side=True)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is what some tests are about."""


@contextmanager
def running(
    handler: type[Handler], fake: object, tls: ssl.SSLContext | None = None
) -> Iterator[str]:
    """The address at which a fake is served."""
    server = _Server(handler, fake, tls)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http{'s' if tls else ''}://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
