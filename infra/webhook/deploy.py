#!/usr/bin/env python3
"""Runs a command when a registered model gets another champion: a receiver of MLflow's webhooks.

    export GANFLOW_WEBHOOK_SECRET=…                  # what the webhook was made with
    infra/webhook/deploy.py --model ganflow-digits -- ./deploy.sh

The command finds MODEL and VERSION in its environment and runs without a shell, one at a time; of promotions that come
while it runs the latest is taken. Everything else is refused or ignored, and each request is a line on stderr. It is
seen from this machine only; what other machines send comes through something that speaks TLS, as nginx or Caddy.

Standard library alone, so that it runs beside whatever is deployed. The signature is that of mlflow.webhooks.delivery:
``X-MLflow-Signature: v1,base64(HMAC-SHA256(secret, "<delivery id>.<timestamp>.<body>"))``.
"""

import argparse
import base64
import hashlib
import hmac
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SECRET = "GANFLOW_WEBHOOK_SECRET"
SHORTEST = 16  # letters of a secret
LARGEST = 1 << 16  # bytes of a request; MLflow's have some 200
AGE_S = 300  # a request that is older was recorded and sent again; MLflow's own retries take less
SLOW_S = 10.0  # for a client to say the next thing


class RefusedError(Exception):
    """A request that is not taken, with HTTP's status for it."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


@dataclass(frozen=True)
class Promotion:
    """A new champion."""

    model: str
    version: str
    when: datetime  # MLflow's clock, as it sent it first


def verified(headers: Message, body: bytes, secret: str, now: float) -> str:
    """The delivery's id, if whoever signed it knows the secret and did so just now; else :class:`RefusedError`."""
    delivery, stamp, signature = (headers.get(f"X-MLflow-{name}") for name in ("Delivery-Id", "Timestamp", "Signature"))
    if not delivery or not stamp or not signature:
        raise RefusedError(400, "no signature")
    signed = f"{delivery}.{stamp}.".encode() + body
    digest = base64.b64encode(hmac.new(secret.encode(), signed, hashlib.sha256).digest())
    if not hmac.compare_digest(b"v1," + digest, signature.encode()):
        raise RefusedError(401, "wrong signature")
    if not stamp.isdecimal() or abs(now - int(stamp)) > AGE_S:
        raise RefusedError(401, "signed too long ago, or a clock is wrong")
    return delivery


def promotion(body: bytes, model: str, alias: str) -> Promotion | None:
    """What a signed request says; None for what concerns others."""
    try:
        event = json.loads(body)
        if (event["entity"], event["action"]) != ("model_version_alias", "created"):
            return None
        data, when = event["data"], datetime.fromisoformat(event["timestamp"])
        if (data["name"], data["alias"]) != (model, alias):
            return None
        version = str(data["version"])
        if not (version.isascii() and version.isdecimal() and when.tzinfo):
            raise ValueError(version)
    except (ValueError, KeyError, TypeError):
        raise RefusedError(400, "no event of MLflow's") from None
    return Promotion(model, version, when)


class Deployer:
    """Runs the command for one promotion after the other; one that is overtaken while it waits is left out."""

    def __init__(self, command: Sequence[str], log: Callable[[str], None]) -> None:
        self._command, self._log = list(command), log
        self._changed = threading.Condition()
        self._next: Promotion | None = None
        self._newest: datetime | None = None
        self._seen: dict[str, float] = {}
        self._over = False
        self._thread = threading.Thread(target=self._work, name="deployer")

    def start(self) -> None:
        """Wait for promotions."""
        self._thread.start()

    def take(self, delivery: str, new: Promotion) -> str:
        """Have a promotion deployed; what is done about it."""
        with self._changed:
            now = time.monotonic()
            self._seen = {known: at for known, at in self._seen.items() if now - at < 2 * AGE_S}
            if delivery in self._seen:
                return "ignored: came before"
            self._seen[delivery] = now
            if self._newest is not None and new.when < self._newest:
                return "ignored: a newer one came before"
            left, self._next, self._newest = self._next, new, new.when
            self._changed.notify()
        return "taken" if left is None else f"taken in place of version {left.version}"

    def finish(self) -> None:
        """Come to an end with what was taken."""
        with self._changed:
            self._over = True
            self._changed.notify()
        self._thread.join()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._next or self._over)
                todo, self._next = self._next, None
            if todo is None:
                return
            self._deploy(todo)

    def _deploy(self, todo: Promotion) -> None:
        env = {name: value for name, value in os.environ.items() if name != SECRET}
        env |= {"MODEL": todo.model, "VERSION": todo.version}
        self._log(f"{todo.model} version {todo.version}: {self._command[0]} begins")
        try:
            done = subprocess.run(self._command, env=env, stdin=subprocess.DEVNULL, check=False)
        except OSError as error:
            self._log(f"{todo.model} version {todo.version}: {self._command[0]} FAILED: {error.strerror}")
            return
        how = "is done" if done.returncode == 0 else f"FAILED with status {done.returncode}"
        self._log(f"{todo.model} version {todo.version}: {self._command[0]} {how}")


class Receiver(ThreadingHTTPServer):
    """Takes MLflow's requests for one alias of one model."""

    def __init__(self, place: tuple[str, int], model: str, alias: str, secret: str, deployer: Deployer) -> None:
        super().__init__(place, Handler)
        self.model, self.alias, self.secret, self.deployer = model, alias, secret, deployer

    def judge(self, headers: Message, body: bytes) -> tuple[int, str]:
        """HTTP's status, and what is done about a request."""
        try:
            delivery = verified(headers, body, self.secret, time.time())
            new = promotion(body, self.model, self.alias)
        except RefusedError as refused:
            return refused.status, f"refused: {refused}"
        if new is None:
            return 200, "ignored: of another model, alias or kind"
        done = self.deployer.take(delivery, new)
        return 202 if done.startswith("taken") else 200, f"version {new.version} {done}"


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: Receiver
    timeout = SLOW_S

    def do_POST(self) -> None:
        """MLflow's only method."""
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdecimal()):
            self._answer(411, "refused: no length")
        elif len(length) > len(str(LARGEST)) or int(length) > LARGEST:
            self._answer(413, "refused: too large")
        else:
            self._answer(*self.server.judge(self.headers, self.rfile.read(int(length))))

    def do_GET(self) -> None:
        """Nothing to see."""
        self._answer(405, "refused: POST alone")

    do_HEAD = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = do_GET  # noqa: N815

    def _answer(self, status: int, said: str) -> None:
        log(f"{self.client_address[0]}: {said}")
        content = f"{said}\n".encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Its own lines would repeat what a stranger sent; ours say what was done."""


def log(line: str) -> None:
    """One line on stderr."""
    print(f"{time.strftime('%Y-%m-%dT%H:%M:%S%z')} {line}", file=sys.stderr, flush=True)


def main() -> None:
    """Listen until SIGTERM or Ctrl-C, then finish what was taken."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", required=True, help="the registered model")
    parser.add_argument("--alias", default="champion", help="(champion)")
    parser.add_argument("--host", default="127.0.0.1", help="where it listens (127.0.0.1)")
    parser.add_argument("--port", type=int, default=8787, help="(8787; 0: any, which is told)")
    parser.add_argument("command", nargs="+", help="what to run, after --")
    asked = parser.parse_args()
    secret = os.environ.get(SECRET, "")
    if len(secret) < SHORTEST:
        parser.error(f"{SECRET} must hold the webhook's secret, at least {SHORTEST} letters: openssl rand -hex 24")
    deployer = Deployer(asked.command, log)
    receiver = Receiver((asked.host, asked.port), asked.model, asked.alias, secret, deployer)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: threading.Thread(target=receiver.shutdown).start())
    deployer.start()
    log(f"listening on {asked.host}:{receiver.server_port} for {asked.model}@{asked.alias}")
    receiver.serve_forever()
    receiver.server_close()
    deployer.finish()
    log("ended")


if __name__ == "__main__":
    main()
