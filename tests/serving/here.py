"""A service without Ray: the same application on a real socket, drawn by this process."""

import asyncio
import contextlib
import hashlib
import http.client
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ganflow.methods import generator
from ganflow.methods.generator import Generator
from ganflow.serving.app import Limits, Service
from ganflow.serving.batching import answer, draw
from ganflow.serving.listen import bind, server
from ganflow.serving.model import Model
from ganflow.serving.request import Asked
from tests.support.patience import patience

DEADLINE_S = patience(60)


class Here:
    """Draws in this process; ``gate`` holds requests back while it is closed."""

    def __init__(self) -> None:
        self.gate, self.begun, self.well = threading.Event(), threading.Semaphore(0), True
        self.gate.set()

    def add(self, content: bytes) -> Generator:
        with TemporaryDirectory() as folder:
            path = Path(folder, generator.FILE)
            path.write_bytes(content)
            return generator.load(path)

    async def answer(self, model: Model, asked: Asked) -> bytes:
        self.begun.release()
        await asyncio.to_thread(self.gate.wait, DEADLINE_S)
        (samples,) = await asyncio.to_thread(draw, [(model.weights, asked)])
        return answer(model.weights, asked, samples)

    async def ready(self) -> bool:
        return self.well


def model_of(made: Generator, address: str, backend: Here) -> Model:
    content = made.content()
    return Model(address, hashlib.sha256(content).hexdigest(), made, backend.add(content))


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> str:
        return str(self.json["error"])


def ask(port: int, path: str, body: bytes | str | None = None, method: str = "GET", **headers: str) -> Reply:
    """One request, over a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE_S)
    try:
        connection.request("POST" if body is not None and method == "GET" else method, path, body, headers)
        response = connection.getresponse()
        return Reply(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
    finally:
        connection.close()


@contextlib.contextmanager
def listening(service: Service, limits: Limits) -> Iterator[int]:
    """The port at which a service answers."""
    listener, running = bind("127.0.0.1", 0), server(service.app(), limits.seconds)
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()  # who connects before it accepts waits in the socket's queue
    try:
        yield int(listener.getsockname()[1])
    finally:
        running.should_exit = True
        thread.join(DEADLINE_S)
        assert not thread.is_alive()
