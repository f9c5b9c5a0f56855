"""What goes wrong between a client and a server: a proxy in front of a real HTTP server, with faults to turn on.

It hands requests on as they came, so signatures hold: the client signed the proxy's own address as ``Host``.
"""

import http.client
import socket
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.support.ports import free_port

BUSY = b'<?xml version="1.0"?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>'
HOP = {"connection", "keep-alive", "transfer-encoding", "expect", "te", "upgrade", "content-length"}
TIMEOUT_S = 600


class FaultProxy:
    """Listens on ``host`` and hands on to ``backend``.

    Args:
        backend: port of the server on loopback.
        host: where it listens; port 0 of it is a free one.

    Attributes:
        every: answers 503 to every ``every``-th request; 0: to none.
        delay_s: waits so long before it hands a request on.
        seen: methods and paths of all requests.
        refused: how many of them got 503.
    """

    def __init__(self, backend: int, host: str = "127.0.0.1") -> None:
        self.backend, self.host = backend, host
        self.every, self.delay_s = 0, 0.0
        self.seen: list[str] = []
        self.refused = 0
        self.port = free_port(host)
        self._lock = threading.Lock()
        self._server: _Listener | None = None

    @property
    def endpoint(self) -> str:
        """Its address for clients."""
        return f"http://{self.host}:{self.port}"

    def start(self) -> None:
        """Listen; on the same port again after ``refuse``."""
        assert self._server is None
        proxy = self

        class Bound(_Handler):
            faults = proxy

        self._server = _Listener((self.host, self.port), Bound)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), name="fault-proxy", daemon=True).start()

    def refuse(self) -> None:
        """Refuse connections and break those that there are, until ``start``."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server.cut()
        self._server = None

    def heal(self) -> None:
        """No faults from now on."""
        self.every, self.delay_s = 0, 0.0
        if self._server is None:
            self.start()

    def turns_away(self, request: str) -> bool:
        """Count a request; whether it is one that gets 503."""
        with self._lock:
            self.seen.append(request)
            away = self.every > 0 and len(self.seen) % self.every == 0
            self.refused += away
        return away


class _Listener(ThreadingHTTPServer):
    """Knows its connections, so that they can be broken."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    allow_reuse_address = True

    def __init__(self, *arguments: Any) -> None:
        self._open: set[socket.socket] = set()
        super().__init__(*arguments)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are part of the tests."""

    def cut(self) -> None:
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    faults: FaultProxy

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):  # every method
            return self._hand_on
        raise AttributeError(name)

    def _hand_on(self) -> None:
        body = self._body()
        if self.faults.turns_away(f"{self.command} {self.path}"):
            return self._answer(503, "Slow Down", [("Content-Type", "application/xml")], BUSY)
        time.sleep(self.faults.delay_s)
        headers = [(name, value) for name, value in self.headers.items() if name.lower() not in HOP]
        if body or self.command in ("PUT", "POST"):
            headers.append(("Content-Length", str(len(body))))
        backend = http.client.HTTPConnection("127.0.0.1", self.faults.backend, timeout=TIMEOUT_S)
        try:
            backend.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in headers:
                backend.putheader(name, value)
            backend.endheaders(body or None)
            answer = backend.getresponse()
            self._answer(answer.status, answer.reason, answer.getheaders(), answer.read())
        except OSError:
            self.close_connection = True  # as the server would have broken it
        finally:
            backend.close()

    def _body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            return b"".join(iter(self._chunk, b""))
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _chunk(self) -> bytes:
        size = int(self.rfile.readline().split(b";")[0], 16)
        chunk = self.rfile.read(size)
        self.rfile.readline()
        return chunk

    def _answer(self, status: int, reason: str, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response_only(status, reason)
        for name, value in headers:
            if name.lower() not in HOP:
                self.send_header(name, value)
        length = {name.lower(): value for name, value in headers}.get("content-length")
        self.send_header("Content-Length", length if self.command == "HEAD" and length else str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""
