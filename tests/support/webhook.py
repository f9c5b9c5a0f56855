"""`infra/webhook/deploy.py` as a process, and requests as MLflow signs them."""

import base64
import contextlib
import hashlib
import hmac
import http.client
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from tests.support.patience import patience
from tests.support.project import ROOT

DEADLINE_S = patience(120)
SECRET = "a-secret-of-these-tests"
SCRIPT = ROOT / "infra/webhook/deploy.py"


class Receiver:
    """The receiver of one model, whose lines can be waited for.

    Args:
        model: the registered model.
        command: what it runs.
    """

    def __init__(self, model: str, command: Sequence[str]) -> None:
        env = {**os.environ, "GANFLOW_WEBHOOK_SECRET": SECRET}
        asked = [sys.executable, str(SCRIPT), "--model", model, "--port", "0", "--", *command]
        self.process = subprocess.Popen(asked, env=env, stderr=subprocess.PIPE, text=True, start_new_session=True)
        self.lines: list[str] = []
        self._coming = queue.SimpleQueue[str]()
        threading.Thread(target=self._listen, daemon=True).start()
        self.place = self.wait_for("listening on ").split()[3]

    def _listen(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self._coming.put(line.rstrip())

    def wait_for(self, part: str) -> str:
        """The next line with this in it; those before it are passed over."""
        end = time.monotonic() + DEADLINE_S
        while True:
            line = self._coming.get(timeout=max(0.0, end - time.monotonic()))
            self.lines.append(line)
            if part in line:
                return line

    def post(self, body: bytes, headers: Mapping[str, str], method: str = "POST") -> tuple[int, str]:
        """Status and text of the answer."""
        connection = http.client.HTTPConnection(self.place, timeout=DEADLINE_S)
        try:
            connection.request(method, "/", body, dict(headers))
            answer = connection.getresponse()
            return answer.status, answer.read().decode().strip()
        finally:
            connection.close()

    def stop(self) -> int:
        """SIGTERM; its status once it has finished what it took."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(DEADLINE_S)

    def kill(self) -> None:
        """Nothing of it stays."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)  # what it runs, too
        self.process.wait()


def signed(
    body: bytes, delivery: str, age_s: float = 0.0, secret: str = SECRET, stamp: str | None = None
) -> dict[str, str]:
    """MLflow's headers for a body."""
    stamp = str(int(time.time() - age_s)) if stamp is None else stamp
    digest = hmac.new(secret.encode(), f"{delivery}.{stamp}.".encode() + body, hashlib.sha256).digest()
    signature = f"v1,{base64.b64encode(digest).decode()}"
    return {"X-MLflow-Delivery-Id": delivery, "X-MLflow-Timestamp": stamp, "X-MLflow-Signature": signature}


def body_of(name: str, version: str, second: int = 0, alias: str = "champion", **changes: Any) -> bytes:
    """An event as MLflow words it."""
    event = {"entity": "model_version_alias", "action": "created", "timestamp": f"2026-01-01T00:00:{second:02}+00:00",
             "data": {"name": name, "alias": alias, "version": version}}  # fmt: skip
    return json.dumps(event | changes).encode()
