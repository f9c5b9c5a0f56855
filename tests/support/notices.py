"""EC2's instance metadata service (IMDSv2) on loopback: 401 without its token, 404 without a notice."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

INTERRUPTION = "/latest/meta-data/spot/instance-action"
REBALANCE = "/latest/meta-data/events/recommendations/rebalance"


class Service(ThreadingHTTPServer):
    """What it says and how it behaves may be changed at any time."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.texts: dict[str, str] = {}
        self.tokens = 0  # given out; only the last one is good
        self.refuses_tokens = False
        self.hangs_s = 0.0
        self.asked: list[tuple[str, float]] = []
        self.url = f"http://127.0.0.1:{self.server_port}"

    def announce(self, seconds: float, action: str = "terminate") -> None:
        at = datetime.now(UTC) + timedelta(seconds=seconds)
        self.texts[INTERRUPTION] = json.dumps({"action": action, "time": at.strftime("%Y-%m-%dT%H:%M:%SZ")})

    def recommend(self) -> None:
        self.texts[REBALANCE] = json.dumps({"noticeTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")})


class _Handler(BaseHTTPRequestHandler):
    server: Service

    def do_PUT(self) -> None:
        ttl = self.headers.get("X-aws-ec2-metadata-token-ttl-seconds", "")
        if self.path != "/latest/api/token" or not ttl.isdecimal() or not 1 <= int(ttl) <= 21600:
            return self._answer(400)
        self.server.tokens += 1
        self._answer(200, f"token-{self.server.tokens}")

    def do_GET(self) -> None:
        self.server.asked.append((self.path, time.monotonic()))
        good = self.headers.get("X-aws-ec2-metadata-token") == f"token-{self.server.tokens}"
        if not good or self.server.refuses_tokens:
            return self._answer(401)
        text = self.server.texts.get(self.path)
        self._answer(404) if text is None else self._answer(200, text)

    def _answer(self, status: int, text: str = "") -> None:
        time.sleep(self.server.hangs_s)
        with suppress(BrokenPipeError):  # who asked has waited long enough
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def metadata() -> Iterator[Service]:
    with Service() as service:
        threading.Thread(target=service.serve_forever, daemon=True).start()
        yield service
        service.shutdown()
