"""`infra/webhook/deploy.py`: what it takes, what it refuses, and what it runs."""

import ast
import inspect
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from mlflow import MlflowClient, environment_variables

from tests.infra.files import ROOT
from tests.support.patience import patience
from tests.support.project import wait_until
from tests.support.webhook import SCRIPT, SECRET, Receiver, body_of, signed

MODEL = "ganflow-digits"
# Notes what it was told, then waits until somebody opens its gate.
COMMAND = 'echo "$MODEL $VERSION ${GANFLOW_WEBHOOK_SECRET-none}" >> "$0/told"; read -r how < "$0/$VERSION"; exit "$how"'


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    for version in "123":
        os.mkfifo(tmp_path / version)
    running = Receiver(MODEL, ["bash", "-c", COMMAND, str(tmp_path)])
    yield running
    running.kill()


def told(folder: Path) -> list[str]:
    path = folder / "told"
    return path.read_text().splitlines() if path.exists() else []


def let_go(folder: Path, version: str, status: int = 0) -> None:
    """The command of a version ends, once it is there."""

    def opened() -> bool:
        try:
            gate = os.open(folder / version, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:  # nobody reads
            return False
        os.write(gate, b"%d\n" % status)
        os.close(gate)
        return True

    wait_until(opened, f"the command of version {version}")


def send(receiver: Receiver, version: str, second: int = 0, delivery: str = "") -> tuple[int, str]:
    body = body_of(MODEL, version, second)
    return receiver.post(body, signed(body, delivery or f"d{version}"))


def test_one_at_a_time_and_the_latest_wins(receiver: Receiver, tmp_path: Path) -> None:
    assert send(receiver, "1", 1) == (202, "version 1 taken")
    receiver.wait_for("version 1: bash begins")
    assert send(receiver, "2", 2) == (202, "version 2 taken")
    assert send(receiver, "3", 3) == (202, "version 3 taken in place of version 2")
    assert send(receiver, "2", 2, "late") == (200, "version 2 ignored: a newer one came before")
    let_go(tmp_path, "1")
    receiver.wait_for("version 1: bash is done")
    receiver.wait_for("version 3: bash begins")
    let_go(tmp_path, "3", 7)
    receiver.wait_for("version 3: bash FAILED with status 7")
    assert told(tmp_path) == [f"{MODEL} 1 none", f"{MODEL} 3 none"]


def test_a_delivery_that_came_before_runs_nothing(receiver: Receiver, tmp_path: Path) -> None:
    body = body_of(MODEL, "1")
    headers = signed(body, "once")
    assert receiver.post(body, headers)[0] == 202
    assert receiver.post(body, headers) == (200, "version 1 ignored: came before")
    let_go(tmp_path, "1")
    receiver.wait_for("is done")
    assert receiver.post(body, headers) == (200, "version 1 ignored: came before")
    assert receiver.stop() == 0
    assert len(told(tmp_path)) == 1


def test_what_was_taken_is_finished_before_the_end(receiver: Receiver, tmp_path: Path) -> None:
    send(receiver, "1", 1)
    receiver.wait_for("begins")
    send(receiver, "2", 2)
    receiver.process.terminate()
    let_go(tmp_path, "1")
    receiver.wait_for("version 2: bash begins")
    let_go(tmp_path, "2")
    receiver.wait_for("ended")
    assert receiver.process.wait(patience(60)) == 0


GOOD = body_of(MODEL, "1")


def forged() -> list[tuple[dict[str, str], int, str]]:
    """Headers signed now, the status that they get, and why."""
    return [
        ({}, 400, "no signature"),
        (signed(GOOD, "d") | {"X-MLflow-Signature": "v1,"}, 401, "wrong signature"),
        (signed(GOOD, "d") | {"X-MLflow-Signature": "v1,\xff"}, 401, "wrong signature"),
        (signed(GOOD, "d", secret=SECRET[::-1]), 401, "wrong signature"),
        (signed(GOOD, "d") | {"X-MLflow-Delivery-Id": "other"}, 401, "wrong signature"),
        (signed(GOOD, "d", age_s=60) | {"X-MLflow-Timestamp": "1"}, 401, "wrong signature"),
        (signed(body_of(MODEL, "2"), "d"), 401, "wrong signature"),
        (signed(GOOD, "d", age_s=400), 401, "signed too long ago, or a clock is wrong"),
        (signed(GOOD, "d", age_s=-400), 401, "signed too long ago, or a clock is wrong"),
        (signed(GOOD, "d", stamp="yesterday"), 401, "signed too long ago, or a clock is wrong"),
    ]


NO_EVENTS = [
    b"", b"hello", b"[]", b"{}", b"\xff\xfe", body_of(MODEL, "1; touch ran"), body_of(MODEL, "-1"), body_of(MODEL, ""),
    body_of(MODEL, "1", timestamp="soon"), body_of(MODEL, "1", timestamp="2026-01-01T00:00:00"),
    body_of(MODEL, "1", data=None),
]  # fmt: skip
OF_OTHERS = [
    body_of(f"{MODEL}.champion", "1"), body_of("other", "1"), body_of(MODEL, "1", alias="challenger"),
    body_of(MODEL, "1", action="deleted"), body_of(MODEL, "1", entity="model_version"),
]  # fmt: skip


def test_nothing_else_runs_anything(receiver: Receiver, tmp_path: Path) -> None:
    for headers, status, why in forged():
        assert receiver.post(GOOD, headers) == (status, f"refused: {why}")
        receiver.wait_for(f"127.0.0.1: refused: {why}")
    for number, body in enumerate(NO_EVENTS):
        assert receiver.post(body, signed(body, f"n{number}")) == (400, "refused: no event of MLflow's")
    for number, body in enumerate(OF_OTHERS):
        said = "ignored: of another model, alias or kind"
        assert receiver.post(body, signed(body, f"o{number}")) == (200, said)
    assert receiver.stop() == 0
    assert told(tmp_path) == []


def test_requests_of_another_form_are_refused(receiver: Receiver, tmp_path: Path) -> None:
    large = {"Content-Length": str(2**16 + 1)}
    assert receiver.post(b"", signed(b"", "d") | large) == (413, "refused: too large")
    assert receiver.post(b"", {"Content-Length": "9" * 5000})[0] == 413
    assert receiver.post(b"", {"Content-Length": "-1"}) == (411, "refused: no length")
    assert receiver.post(b"", {"Transfer-Encoding": "chunked"}) == (411, "refused: no length")
    for method in ("GET", "PUT", "DELETE"):
        assert receiver.post(b"", {}, method) == (405, "refused: POST alone")
    assert receiver.stop() == 0
    assert told(tmp_path) == []


def test_it_is_seen_from_this_machine_only(receiver: Receiver) -> None:
    listening = [c for c in psutil.Process(receiver.process.pid).net_connections() if c.status == "LISTEN"]
    assert [c.laddr.ip for c in listening] == ["127.0.0.1"]


def test_a_command_that_is_not_there_is_told(tmp_path: Path) -> None:
    receiver = Receiver(MODEL, [str(tmp_path / "none")])
    try:
        assert send(receiver, "1")[0] == 202
        receiver.wait_for("none FAILED: No such file or directory")
        assert receiver.stop() == 0
    finally:
        receiver.kill()


@pytest.mark.parametrize("secret", ["", "too short"])
def test_without_a_secret_it_does_not_start(secret: str) -> None:
    env = {**os.environ, "GANFLOW_WEBHOOK_SECRET": secret}
    asked = [sys.executable, str(SCRIPT), "--model", MODEL, "--", "true"]
    done = subprocess.run(asked, env=env, capture_output=True, text=True)
    assert done.returncode == 2
    assert "GANFLOW_WEBHOOK_SECRET must hold the webhook's secret" in done.stderr


def test_the_page_says_commands_that_there_are() -> None:
    page = (ROOT / "docs" / "registry.md").read_text()
    section = page.partition("## After a promotion")[2].partition("\n## ")[0]
    (block,) = re.findall(r"^```\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)
    subprocess.run(["bash", "-n"], input=block, text=True, check=True)
    (code,) = re.findall(r'python -c "(.*?)"', block, re.DOTALL)
    (call,) = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call) and node.args]
    inspect.signature(MlflowClient.create_webhook).bind(None, *call.args, **{word.arg: 0 for word in call.keywords})
    for name in re.findall(r"MLFLOW_WEBHOOK_\w+", section):
        assert hasattr(environment_variables, name) or hasattr(environment_variables, f"_{name}"), name
    for path in re.findall(r"\binfra/[\w./]+\w", section):
        made_from = ROOT / f"{path}.example"  # what everyone has of their own
        assert (made_from if path.endswith("/.env") else ROOT / path).is_file(), path
