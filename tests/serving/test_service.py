"""`ganflow serve` as people run it: a registry, Ray's replicas, and what goes wrong."""

import contextlib
import http.client
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ganflow.config.schema import Config, RegisterConfig, TrackingConfig
from ganflow.methods import generator
from ganflow.tracking import mlflow_client
from ganflow.tracking.registry import registration
from ganflow.tracking.runs import run_record
from tests.generation.writers.made import model
from tests.serving.here import Reply, ask
from tests.support.patience import patience
from tests.support.project import title

pytestmark = pytest.mark.slow

NAME, DEADLINE_S = "drawn", patience(120)
ROOT = Path(__file__).parents[2]
FUZZED = 5000
MOST = 16


@dataclass
class Running:
    """A registry with two versions, of which one is champion, and the service that follows it."""

    tracking: TrackingConfig
    process: psutil.Process
    port: int
    log: Path

    def promote(self, version: int) -> None:
        mlflow_client.connect(self.tracking).set_registered_model_alias(NAME, "champion", str(version))

    def replicas(self) -> list[psutil.Process]:
        return [p for p in self.process.children(recursive=True) if "ServeReplica" in title(p)]

    def until(self, holds: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + DEADLINE_S
        while not holds():
            assert time.monotonic() < end, f"{what}: not within {DEADLINE_S:g} s\n{self.log.read_text()}"
            time.sleep(0.05)


def two_versions(folder: Path) -> TrackingConfig:
    tracking = TrackingConfig(uri=f"sqlite:///{folder}/mlflow.db", experiment="serving")
    client = mlflow_client.connect(tracking)
    for version in (1, 2):
        made = folder / f"model{version}"
        made.mkdir()
        drawn = model(seed=version)
        generator.save(made / generator.FILE, drawn.network, drawn.spec)
        run_id = client.create_run(mlflow_client.experiment(client, tracking)).info.run_id
        record = run_record.RunRecord(run_id, "e", "f00d", "tests", drawn.digest(), "ab" * 32)
        record.write(made / run_record.FILE)
        config = Config(tracking=tracking, register=RegisterConfig(NAME, exports=[]))
        assert registration.register(config, made, {}).version == version
    return tracking


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("serve")
    tracking = two_versions(folder)
    mlflow_client.connect(tracking).set_registered_model_alias(NAME, "champion", "1")
    log = folder / "log"
    options = ["--port", "0", "--poll", "0.2", "--max-n", str(MOST), "--timeout", "60"]
    env = {**os.environ, "PYTHONPATH": str(ROOT), mlflow_client.URI_VARIABLE: tracking.uri}
    with log.open("w") as file:
        started = subprocess.Popen(
            [sys.executable, "-m", "ganflow.cli", "serve", f"models:/{NAME}@champion", *options],
            cwd=folder, env=env, stdout=file, stderr=file, start_new_session=True,
        )  # fmt: skip
    running = Running(tracking, psutil.Process(started.pid), 0, log)
    try:
        running.until(lambda: "http://" in log.read_text() or started.poll() is not None, "it listens")
        found = re.search(r"serves models:/drawn/1 on http://127\.0\.0\.1:(\d+)", log.read_text())
        assert found, log.read_text()
        running.port = int(found[1])
        running.until(lambda: ask(running.port, "/health").status == 200, "it is well")
        yield running
    finally:
        if started.poll() is None:
            os.killpg(started.pid, signal.SIGKILL)
        started.wait()


def samples(reply: Reply) -> Any:
    return np.load(io.BytesIO(reply.body))


def right(reply: Reply, n: int, seed: int) -> bool:
    """Whether these are the samples of the version that the reply names, but for a grey level of rounding."""
    version = int(reply.headers["x-ganflow-model"].rpartition("/")[2])
    expected = model(seed=version).sample(n, seed)
    return bool(np.abs(samples(reply).astype(int) - expected).max() <= 1)


class Load:
    """Requests from several clients at once, from the first to the last reply."""

    def __init__(self, port: int, count: int, clients: int = 8) -> None:
        self._port, self._pool, self._done = port, ThreadPoolExecutor(clients), threading.Semaphore(0)
        self._futures = [self._pool.submit(self._one, seed) for seed in range(count)]
        for future in self._futures:
            future.add_done_callback(lambda _: self._done.release())

    def _one(self, seed: int) -> Reply | None:
        """None: nobody took the connection, or it was closed before a request was read."""
        with contextlib.suppress(OSError, http.client.RemoteDisconnected):
            return ask(self._port, f"/generate?n=3&format=npy&seed={seed}")
        return None

    def wait_for(self, replies: int) -> None:
        for _ in range(replies):
            assert self._done.acquire(timeout=DEADLINE_S)

    def replies(self) -> list[Reply]:
        """Those that came; every one, as long as nobody ends the service."""
        replies = [future.result(DEADLINE_S) for future in self._futures]
        self._pool.shutdown()
        return [reply for reply in replies if reply is not None]


def test_the_image_of_everywhere_else(running: Running) -> None:
    reply = ask(running.port, "/generate", json.dumps({"n": 9, "seed": 3, "label": "owl", "format": "npy"}))
    assert reply.headers["x-ganflow-digest"] == model(seed=1).digest()
    np.testing.assert_allclose(samples(reply).astype(int), model(seed=1).sample(9, 3, 2), atol=1)
    assert reply.body == ask(running.port, "/generate?n=9&seed=3&label=2&format=npy").body


def test_a_promotion_drops_no_request(running: Running) -> None:
    load = Load(running.port, 400)
    load.wait_for(50)
    running.promote(2)
    running.until(lambda: "serves models:/drawn/2 now" in running.log.read_text(), "the champion is followed")
    replies = [*load.replies(), ask(running.port, "/generate?n=3&format=npy&seed=400")]
    assert len(replies) == 401
    assert {reply.status for reply in replies} == {200}
    assert all(right(reply, 3, seed) for seed, reply in enumerate(replies))
    models = Counter(reply.headers["x-ganflow-model"] for reply in replies)
    assert models["models:/drawn/1"] >= 50
    assert replies[-1].headers["x-ganflow-model"] == "models:/drawn/2"


def test_a_replica_that_is_killed_costs_no_request(running: Running) -> None:
    (replica,) = running.replicas()
    load = Load(running.port, 200)
    load.wait_for(30)
    replica.kill()
    replies = load.replies()
    assert len(replies) == 200
    assert {reply.status for reply in replies} == {200}
    assert all(right(reply, 3, seed) for seed, reply in enumerate(replies))
    assert [other.pid for other in running.replicas()] != [replica.pid]


def test_a_version_that_cannot_be_served_changes_nothing(running: Running) -> None:
    client = mlflow_client.connect(running.tracking)
    made = client.create_model_version(NAME, source=f"{running.log.parent}/model2")
    running.promote(int(made.version))
    running.until(lambda: "goes on with models:/drawn/" in running.log.read_text(), "it is said")
    assert "was not registered by ganflow" in running.log.read_text()
    assert ask(running.port, "/generate").status == 200
    running.promote(2)


texts = st.text(max_size=20)
leaves = st.none() | st.booleans() | st.integers() | st.floats() | texts
values = st.recursive(leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=3))
keys = st.sampled_from(["n", "seed", "label", "truncation", "format"]) | texts
likely = st.fixed_dictionaries(
    {},
    optional={
        "n": st.integers(-1, MOST + 1) | values,
        "seed": st.integers(-(2**64), 2**64) | values,
        "label": st.integers(-1, 4) | st.lists(st.sampled_from([0, 1, 2, "cat", "owl", "fox"])) | values,
        "truncation": st.floats() | values,
        "format": st.sampled_from(["png", "npy", "json", "gif"]) | values,
    },
)
bodies = st.binary(max_size=200) | (st.dictionaries(keys, values, max_size=4) | likely | values).map(
    lambda value: json.dumps(value).encode()
)
paths = st.sampled_from(["/generate"] * 6 + ["/", "/health", "/metrics", "//generate", "/generate/"])
quoted = st.tuples(keys, texts | st.integers().map(str) | st.floats().map(str))
methods = st.sampled_from([b"GET"] * 4 + [b"POST"] * 6 + [b"HEAD", b"PUT", b"DELETE", b"OPTIONS", b"PATCH"])


def request_of(method: bytes, path: str, query: list[tuple[str, str]], body: bytes, lie: int) -> tuple[bytes, bool]:
    """A request that says of its body that it is so much longer than it is, and whether it is whole."""
    target = (path + ("?" + urlencode(query, errors="surrogatepass") if query else "")).encode()
    length = max(0, len(body) + lie)
    lines = [b"%s %s HTTP/1.1" % (method, target), b"Host: x", b"Connection: close", b"Content-Length: %d" % length]
    head = b"\r\n".join([*lines, b"", b""])
    return head + body, length <= len(body)


lies = st.sampled_from([0] * 8 + [-3, -1, 1, 3])
requests = st.builds(request_of, methods, paths, st.lists(quoted, max_size=3), bodies, lies)
garbage = st.tuples(st.binary(max_size=100), st.just(False))


def statuses(port: int, request: bytes, whole: bool) -> list[int]:
    """What comes back on one connection; a request that is not whole ends with it."""
    with socket.create_connection(("127.0.0.1", port), timeout=patience(30)) as client:
        client.sendall(request)
        if not whole:
            client.shutdown(socket.SHUT_WR)
        reply = bytearray()
        with contextlib.suppress(ConnectionResetError):  # what it had still to read is thrown away
            while part := client.recv(2**16):
                reply += part
    return [int(code) for code in re.findall(rb"(?:^|\n|\r)HTTP/1\.1 (\d{3}) ", bytes(reply))]


def test_fuzzed_requests_get_an_answer_and_never_a_5xx(running: Running) -> None:
    count = Counter[int]()

    @settings(max_examples=FUZZED, suppress_health_check=list(HealthCheck))
    @given(st.one_of(*[requests] * 9, garbage))
    def fuzz(request: tuple[bytes, bool]) -> None:
        content, whole = request
        found = statuses(running.port, content, whole)
        count.update(found)
        assert found or not whole, "no answer"
        assert all(code < 500 for code in found)

    fuzz()
    assert count.total() >= FUZZED / 2
    assert min(count[200], count[400], count[404], count[405]) > FUZZED / 100, count
    assert ask(running.port, "/health").status == 200
    assert "Traceback" not in running.log.read_text()


def test_only_this_machine_is_listened_to(running: Running) -> None:
    listening = [c.laddr.ip for c in running.process.net_connections("tcp") if c.status == psutil.CONN_LISTEN]
    assert "127.0.0.1" in listening
    assert [
        c.laddr.ip for c in running.process.net_connections("tcp") if c.laddr.port == running.port and not c.raddr
    ] == ["127.0.0.1"]


def test_sigterm_answers_what_is_under_way_and_leaves_nothing(running: Running) -> None:
    load = Load(running.port, 40, clients=40)
    load.wait_for(1)
    everything = running.process.children(recursive=True)
    figures = ask(running.port, "/metrics").body.decode()
    (waiting,) = re.findall(r"^ganflow_requests_waiting (\S+)", figures, re.MULTILINE)
    running.process.terminate()
    answered = load.replies()
    assert {reply.status for reply in answered} == {200}
    assert len(answered) > float(waiting)
    running.process.wait(DEADLINE_S)
    _, alive = psutil.wait_procs(everything, timeout=DEADLINE_S)
    assert alive == []
