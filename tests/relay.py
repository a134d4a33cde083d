"""A real HTTP server between a client and the loopback server: a forward proxy, a TLS front, or a door with other paths."""

import http.client
import ssl
import threading
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


@dataclass
class Relay:
    """Passes every POST on to a loopback server, whatever host it names, and keeps its first line and headers.

    Args:
        root: of the server behind. path: the path there, from the one that was asked for. tls: (certificate, key) files.
        answer: (status, body) for a request's body instead of passing it on; None passes it on. location: sent with it.
    """

    root: str
    path: Callable[[str], str] = lambda path: path
    tls: tuple[str, str] | None = None
    answer: Callable[[bytes], tuple[int, bytes] | None] = lambda body: None
    location: str = ""
    seen: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    def __enter__(self) -> Self:
        relay = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                relay.seen.append(self.path)
                relay.headers.append({k.lower(): v for k, v in self.headers.items()})
                status, reply = relay._passed_on(self.path, dict(self.headers.items()), body)
                self.send_response(status)
                if relay.location:
                    self.send_header("Location", relay.location)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(reply)))
                self.end_headers()
                self.wfile.write(reply)

            def log_message(self, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *args: None  # type: ignore[method-assign]  # a client that distrusts us hangs up
        if self.tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*self.tls)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()
        self.port = self._server.server_address[1]
        self.url = f"{'https' if self.tls else 'http'}://localhost:{self.port}" if self.tls else f"http://127.0.0.1:{self.port}"
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _passed_on(self, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        if (own := self.answer(body)) is not None:
            return own
        behind = urllib.parse.urlsplit(self.root)
        connection = http.client.HTTPConnection(behind.hostname or "", behind.port, timeout=10)
        try:
            kept = {k: v for k, v in headers.items() if k.lower() not in ("host", "connection", "accept-encoding", "content-length")}
            connection.request("POST", self.path(urllib.parse.urlsplit(path).path), body, kept)
            reply = connection.getresponse()
            return reply.status, reply.read()
        finally:
            connection.close()
