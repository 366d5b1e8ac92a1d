"""A server that says exactly the bytes it was told: for broken framing, proxies and hang-ups."""

from __future__ import annotations

import socketserver
import ssl
import threading
from contextlib import suppress
from dataclasses import dataclass, field


@dataclass
class RawServer:
    """Answers request after request with the next of `says`; None hangs up without a word.

    An answer with `Connection: close`, or past the last one, ends the connection. A `greeting` is
    all there is to it: it goes out unasked.
    """

    says: list[bytes | None]
    heard: list[bytes] = field(default_factory=list)
    connections: int = 0
    url: str = ""
    greeting: bytes = b""

    @property
    def first_lines(self) -> list[str]:
        return [request.split(b"\r\n")[0].decode() for request in self.heard]


class _Connection(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        script = self.server.script
        script.connections += 1
        with suppress(OSError):
            if script.greeting:
                self.wfile.write(script.greeting)
                return
            while request := self._request():
                script.heard.append(request)
                answer = script.says.pop(0) if script.says else None
                if answer is None:
                    return
                self.wfile.write(answer)
                if b"onnection: close" in answer:
                    return

    def _request(self) -> bytes:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = self.rfile.readline()
            if not line:
                return b""
            head += line
        length = [line[15:] for line in head.split(b"\r\n") if line.startswith(b"Content-Length:")]
        return head + (self.rfile.read(int(length[0])) if length else b"")


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, script: RawServer, tls: ssl.SSLContext | None) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.script = script
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_side=True)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is what these tests are about."""


class RawServers:
    def __init__(self) -> None:
        self._running: list[_Server] = []

    def start(self, *says: bytes | None, tls: ssl.SSLContext | None = None) -> RawServer:
        script = RawServer(list(says))
        server = _Server(script, tls)
        self._running.append(server)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        script.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_address[1]}"
        return script

    def stop(self) -> None:
        for server in self._running:
            server.shutdown()
            server.server_close()


def answered(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    """A well-framed answer that keeps the connection open."""
    lines = [f"HTTP/1.1 {status}", "Content-Type: application/json", *headers]
    lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
