"""The emulator behind HTTP/1.1 on the loopback interface: keep-alive, one thread per connection.

Bodies above 2 KB go out chunked, like the real server's (netbird-api.md §1.0).
"""

from __future__ import annotations

import socket
import socketserver
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import timedelta
from http import HTTPStatus
from io import BufferedIOBase
from typing import Final

from reconciler.emulator.exchange import Answer, Delivery, Request
from reconciler.emulator.service import Emulator

_BUFFER: Final = 2048


@contextmanager
def serve(emulator: Emulator, latency: timedelta = timedelta(0), port: int = 0) -> Iterator[str]:
    """Serve until the block ends; yields the URL. An answer takes `latency`, our work included."""
    server = _Server(emulator, latency, port)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        server.hang_up()
        thread.join()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True  # a hanging request must not hold up the end
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, emulator: Emulator, latency: timedelta, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Connection)
        self.emulator = emulator
        self.latency = latency.total_seconds()
        self.connections: set[socket.socket] = set()

    def hang_up(self) -> None:
        """Close what clients keep open."""
        for connection in tuple(self.connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _Connection(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.server.connections.add(self.connection)

    def finish(self) -> None:
        self.server.connections.discard(self.connection)
        super().finish()

    def handle(self) -> None:
        with suppress(ConnectionError):  # clients hang up; the request was carried out all the same
            while (request := _read(self.rfile)) is not None:
                due = time.monotonic() + self.server.latency
                answer = self.server.emulator.handle(request)
                time.sleep(max(due - time.monotonic(), 0.0))
                self.connection.sendall(_framed(answer, request.method))
                asked_to_close = request.headers.get("connection", "").lower() == "close"
                if asked_to_close or answer.delivery is not Delivery.WHOLE:
                    return


def _read(stream: BufferedIOBase) -> Request | None:
    """The next request; None when the client is done, or talks anything but HTTP."""
    line = stream.readline().decode(errors="replace").split()
    if len(line) != 3:  # noqa: PLR2004 - method, target, version
        return None
    headers = _headers(stream)
    if headers.get("transfer-encoding", "").lower() == "chunked":
        body = b"".join(_chunks(stream))
    else:
        body = stream.read(int(headers.get("content-length", "0")))
    return Request(line[0], line[1], headers, body)


def _headers(stream: BufferedIOBase) -> Mapping[str, str]:
    headers: dict[str, str] = {}
    while line := stream.readline().strip():
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.lower()] = value.strip()
    return headers


def _chunks(stream: BufferedIOBase) -> Iterator[bytes]:
    while size := int(stream.readline().partition(b";")[0], 16):
        yield stream.read(size)
        stream.readline()
    _headers(stream)  # trailers


def _framed(answer: Answer, method: str) -> bytes:
    """The bytes that go out."""
    if answer.delivery is Delivery.NOTHING:
        return b""
    body, headers = answer.body, dict(answer.headers)
    if len(body) > _BUFFER:
        headers["Transfer-Encoding"] = "chunked"
        body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    else:
        headers["Content-Length"] = str(len(body))
    if answer.delivery is Delivery.HALF:
        body = body[: len(body) // 2]
    lines = [f"HTTP/1.1 {answer.status} {_phrase(answer.status)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    head = "\r\n".join(lines).encode() + b"\r\n\r\n"
    return head if method == "HEAD" else head + body


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase if status in set(HTTPStatus) else "Unknown"
