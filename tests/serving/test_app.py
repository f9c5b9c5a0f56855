"""The application on a real socket: answers, limits, and one line for whatever is wrong."""

import contextlib
import io
import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import pytest

from ganflow.errors import GanflowError
from ganflow.serving.app import Limits, Service
from ganflow.serving.model import BusyError, Model
from ganflow.serving.request import Asked
from tests.generation.writers.made import SPEC, model
from tests.serving.here import Here, Reply, ask, listening, model_of
from tests.support.patience import patience

LIMITS = Limits(n=8, body=1000, seconds=30, waiting=2)
HASTY = Limits(seconds=0.5)


@dataclass
class Running:
    service: Service
    backend: Here
    port: int

    def ask(self, path: str, body: bytes | str | None = None, method: str = "GET", **headers: str) -> Reply:
        return ask(self.port, path, body, method, **headers)


@contextlib.contextmanager
def within(limits: Limits) -> Iterator[Running]:
    backend = Here()
    service = Service(model_of(model(), "models:/x/1", backend), backend, limits)
    with listening(service, limits) as port:
        yield Running(service, backend, port)
        backend.gate.set()


@pytest.fixture
def running() -> Iterator[Running]:
    with within(LIMITS) as one:
        yield one


@pytest.fixture
def hasty() -> Iterator[Running]:
    with within(HASTY) as one:
        yield one


def test_samples_by_get_and_post(running: Running) -> None:
    got = running.ask("/generate?n=5&seed=7&label=owl,0&format=npy")
    posted = running.ask("/generate", json.dumps({"n": 5, "seed": 7, "label": ["owl", 0], "format": "npy"}))
    assert got.status == posted.status == 200
    assert got.body == posted.body
    np.testing.assert_array_equal(np.load(io.BytesIO(got.body)), model().sample(5, 7, [2, 0]))
    assert got.headers["content-type"] == "application/x-npy"
    assert got.headers["x-ganflow-model"] == "models:/x/1"
    assert got.headers["x-ganflow-digest"] == model().digest()
    assert running.ask("/generate", b"").body[:4] == b"\x89PNG"


def test_a_path_in_any_script(running: Running) -> None:
    running.service.serve(model_of(model(), "/модель/1", running.backend))
    assert running.ask("/generate").headers["x-ganflow-model"] == "/%D0%BC%D0%BE%D0%B4%D0%B5%D0%BB%D1%8C/1"
    assert running.ask("/").json["model"] == "/модель/1"
    assert running.ask("/metrics").status == 200


def test_what_it_is(running: Running) -> None:
    said = running.ask("/").json
    assert (said["model"], said["samples"], said["classes"]) == ("models:/x/1", "8x8x3", ["cat", "dog", "owl"])
    assert said["limits"] == {"n": 8, "body": 1000, "seconds": 30}


@pytest.mark.parametrize(
    ("path", "body", "status", "line"),
    [
        ("/generate?n=9", None, 400, "n=9: must be a whole number from 1 to 8"),
        ("/generate?n=1&n=1", None, 400, "n=1: is given twice"),
        ("/generate", "{", 400, "the body is not valid JSON"),
        ("/generate", b"\xff\xfe\x00", 400, "the body is not valid JSON"),
        ("/generate", "[" * 900, 400, "the body is not valid JSON"),
        ("/generate", "[1]", 400, "must be a JSON object"),
        ("/generate", '{"label": "\\ud800"}', 400, "label=\ud800: 0 to 2"),
        ("/generate?n=1", "{}", 400, "in the body"),
        ("/generate", b" " * 1001, 413, "larger than 1000 bytes"),
        ("/generat", None, 404, "Not Found"),
    ],
)
def test_what_is_wrong(running: Running, path: str, body: bytes | str | None, status: int, line: str) -> None:
    reply = running.ask(path, body)
    assert reply.status == status
    assert line in reply.error


def test_another_method(running: Running) -> None:
    reply = running.ask("/generate", method="DELETE")
    assert (reply.status, set(reply.headers["allow"].split(", "))) == (405, {"GET", "HEAD", "POST"})


def test_a_body_that_does_not_come(hasty: Running) -> None:
    with socket.create_connection(("127.0.0.1", hasty.port), timeout=patience(20)) as client:
        client.sendall(b"POST /generate HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{")
        assert client.recv(1000).startswith(b"HTTP/1.1 408")


def test_no_answer_in_time(hasty: Running) -> None:
    hasty.backend.gate.clear()
    reply = hasty.ask("/generate")
    assert (reply.status, reply.headers["retry-after"]) == (503, "1")
    assert reply.error == "no answer within 0.5 s"


def test_too_many_at_a_time(running: Running) -> None:
    running.backend.gate.clear()
    with ThreadPoolExecutor() as pool:
        first = [pool.submit(running.ask, "/generate") for _ in range(2)]
        for _ in first:
            assert running.backend.begun.acquire(timeout=patience(20))
        third = running.ask("/generate")
        running.backend.gate.set()
        assert [one.result().status for one in first] == [200, 200]
    assert (third.status, third.error) == (503, "2 requests wait already")


def test_another_model_takes_over_between_requests(running: Running) -> None:
    running.backend.gate.clear()
    with ThreadPoolExecutor() as pool:
        under_way = pool.submit(running.ask, "/generate?n=2&format=npy")
        assert running.backend.begun.acquire(timeout=patience(20))
        running.service.serve(model_of(model(seed=1), "models:/x/2", running.backend))
        running.backend.gate.set()
        old, new = under_way.result(), running.ask("/generate?n=2&format=npy")
    assert (old.headers["x-ganflow-model"], new.headers["x-ganflow-model"]) == ("models:/x/1", "models:/x/2")
    for reply, seed in ((old, 0), (new, 1)):
        np.testing.assert_array_equal(np.load(io.BytesIO(reply.body)), model(seed=seed).sample(2, 0))


def test_each_model_has_as_many_samples_at_once_as_there_is_reason_for() -> None:
    backend = Here()
    small = model_of(model(), "models:/x/1", backend)
    service = Service(small, backend, Limits())
    with listening(service, Limits()) as port:
        assert ask(port, "/").json["limits"]["n"] == 64
        service.serve(model_of(model(replace(SPEC, shape=(3, 512, 512))), "models:/x/2", backend))
        assert ask(port, "/").json["limits"]["n"] == 21
        assert ask(port, "/generate?n=22").error == "n=22: must be a whole number from 1 to 21"
        service.serve(small)
        assert ask(port, "/generate?n=64&format=npy").status == 200


def test_health(running: Running) -> None:
    assert running.ask("/health").json == {"status": "ok", "model": "models:/x/1"}
    running.backend.well = False
    assert running.ask("/health").status == 503


def test_figures_for_prometheus(running: Running) -> None:
    for path in ("/generate?n=3", "/generate?n=2", "/generate?n=99"):
        running.ask(path)
    lines = running.ask("/metrics").body.decode().splitlines()
    assert 'ganflow_requests_total{status="200"} 2.0' in lines
    assert 'ganflow_requests_total{status="400"} 1.0' in lines
    assert "ganflow_samples_total 5.0" in lines
    assert "ganflow_request_seconds_count 3.0" in lines
    assert f'ganflow_model{{address="models:/x/1",digest="{model().digest()}"}} 1.0' in lines


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (BusyError("full"), 503, "full"),
        (GanflowError("the generator makes NaN or infinity; it has diverged"), 500, "it has diverged"),
        (KeyError("a path of ours"), 500, "the service failed"),
    ],
)
def test_what_the_backend_raises(error: Exception, status: int, line: str) -> None:
    class Broken(Here):
        async def answer(self, model: Model, asked: Asked) -> bytes:
            raise error

    backend = Broken()
    with listening(Service(model_of(model(), "x", backend), backend, LIMITS), LIMITS) as port:
        reply = ask(port, "/generate")
        assert reply.status == status
        assert line in reply.error
        assert f'ganflow_requests_total{{status="{status}"}} 1.0' in ask(port, "/metrics").body.decode()


def test_a_client_that_leaves_harms_nobody(running: Running) -> None:
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", running.port)) as client:
            client.sendall(b"POST /generate HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{")
    assert running.ask("/generate").status == 200
