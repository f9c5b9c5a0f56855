"""`ganflow watch` against a metadata service on loopback and a real cluster: from the notice to the drained node."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest

from ganflow.cluster.preemption import ec2_metadata as ec2
from ganflow.cluster.preemption.agent import Watch
from ganflow.cluster.preemption.ec2_metadata import Metadata, MetadataError, Notice
from ganflow.cluster.session.raylets import local_nodes
from ganflow.errors import ConfigError
from tests.support.nodes import Nodes, nodes
from tests.support.notices import INTERRUPTION, Service, metadata
from tests.support.patience import patience
from tests.support.ports import free_port
from tests.support.project import wait_until

pytestmark = pytest.mark.slow

# Occupies the second node, and leaves it when it hears that the node is drained, as training does.
WORK = """
import sys, time
from ganflow.cluster.session.session import session
from ganflow.config.schema import ClusterConfig
with session(ClusterConfig(address=sys.argv[1])):
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy as On
    target = next(n["NodeID"] for n in ray.nodes() if n["NodeManagerAddress"] == sys.argv[2])

    @ray.remote(num_cpus=1, scheduling_strategy=On(target, soft=False))
    class Work:
        def go(self):
            return True

    work = Work.remote()
    ray.get(work.go.remote())
    print("at work", flush=True)
    time.sleep(float(sys.argv[3]))
    ray.kill(work)
    time.sleep(60)
"""


@pytest.fixture
def service() -> Iterator[Service]:
    with metadata() as one:
        yield one


@pytest.fixture(scope="module")
def cluster() -> Iterator[Nodes]:
    with nodes(0, forked=False) as head:
        yield head


@pytest.fixture
def node(cluster: Nodes) -> str:
    """A node that has not been drained yet; its address."""
    return cluster.add(1)


@contextmanager
def started(log: Path, *command: str) -> Iterator[subprocess.Popen[bytes]]:
    env = os.environ | {"RAY_AUTH_MODE": "disabled", "no_proxy": "", "http_proxy": "http://127.0.0.1:9"}
    with log.open("wb") as out:
        process = subprocess.Popen([sys.executable, *command], stdout=out, stderr=out, env=env)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def watching(log: Path, service: str, address: str, *options: str) -> AbstractContextManager[subprocess.Popen[bytes]]:
    options = ("--address", address, "--endpoint", service, "--interval", "0.5", *options)
    return started(log, "-m", "ganflow.cli", "watch", *options)


def drained(log: Path, what: str) -> float:
    """Seconds until the node says that it is drained."""
    start = time.monotonic()
    wait_until(lambda: what in log.read_text(), what)
    return time.monotonic() - start


def test_from_the_notice_to_the_drained_node(cluster: Nodes, node: str, service: Service, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with watching(log, service.url, cluster.address, "--node-ip", node) as process:
        wait_until(lambda: "instance metadata at" in log.read_text(), "the service to be found")
        assert "watching Ray node" in log.read_text()
        service.announce(100)
        assert drained(log, "spot terminate: drained node") < patience(10)
        (left,) = re.findall(rf"\({re.escape(node)}\), which has (\d+)", log.read_text())
        assert 100 - patience(10) <= int(left) <= 100
        wait_until(lambda: node not in [one.ip for one in local_nodes()], "the idle node to leave")
        time.sleep(2)
        assert log.read_text().count("drained node") == 1  # once for each notice
        process.send_signal(signal.SIGTERM)
        assert process.wait(patience(10)) == 0
    assert "SIGTERM: no Ray node of" in log.read_text()


def test_sigterm_drains_and_stays_while_work_runs(cluster: Nodes, node: str, tmp_path: Path) -> None:
    work, log = tmp_path / "work", tmp_path / "log"
    with started(work, "-c", WORK, cluster.address, node, "12"):
        wait_until(lambda: "at work" in work.read_text(), "work")
        began = time.monotonic()
        with watching(log, "http://127.0.0.1:9", cluster.address, "--node-ip", node, "--grace", "60") as process:
            wait_until(lambda: "waiting for SIGTERM alone" in log.read_text(), "the watch")
            process.send_signal(signal.SIGTERM)
            drained(log, "SIGTERM: drained node")
            assert process.wait(patience(60)) == 0
    assert time.monotonic() - began > 9
    assert "connection refused" in log.read_text()
    assert log.read_text().rstrip().endswith("SIGTERM: nothing runs here any more")


def test_grace_and_patience_end(cluster: Nodes, node: str, tmp_path: Path) -> None:
    work, log = tmp_path / "work", tmp_path / "log"
    with started(work, "-c", WORK, cluster.address, node, "200"):
        wait_until(lambda: "at work" in work.read_text(), "work")
        with watching(log, "http://127.0.0.1:9", cluster.address, "--node-ip", node, "--grace", "8") as process:
            wait_until(lambda: "waiting for SIGTERM alone" in log.read_text(), "the watch")
            process.send_signal(signal.SIGTERM)
            assert process.wait(patience(30)) == 0
        assert "8 s are over and work still runs" in log.read_text()
        with watching(log, "http://127.0.0.1:9", cluster.address, "--node-ip", node, "--grace", "60") as process:
            wait_until(lambda: "waiting for SIGTERM alone" in log.read_text(), "the watch")
            process.send_signal(signal.SIGINT)
            drained(log, "SIGINT: drained node")
            process.send_signal(signal.SIGINT)
            assert process.wait(patience(5)) == 0
        assert "a second signal: leaving at once" in log.read_text()


def test_a_node_in_another_container_is_known_from_the_head(
    cluster: Nodes, node: str, service: Service, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    blind = "import ganflow.cluster.preemption.agent as w; w.local_nodes = list; from ganflow.cli import main; main()"
    options = ("--address", cluster.address, "--endpoint", service.url, "--interval", "0.5", "--node-ip", node)
    with started(log, "-c", blind, "watch", *options) as process:
        wait_until(lambda: "asked every" in log.read_text(), "the service to be found")
        assert f"({node}) of {cluster.address}" in log.read_text()
        process.send_signal(signal.SIGTERM)
        drained(log, "SIGTERM: drained node")
        assert process.wait(patience(30)) == 0
    assert log.read_text().rstrip().endswith("SIGTERM: nothing runs here any more")


def test_a_head_that_is_gone_is_tried_again(cluster: Nodes, node: str, service: Service, tmp_path: Path) -> None:
    log = tmp_path / "log"
    (head,) = [p.pid for p in psutil.process_iter(["cmdline"]) if _is_gcs(p.info["cmdline"] or (), cluster.port)]
    with watching(log, service.url, cluster.address, "--node-ip", node):
        wait_until(lambda: "instance metadata at" in log.read_text(), "the service to be found")
        os.kill(head, signal.SIGSTOP)
        try:
            service.announce(100)
            drained(log, "trying again")
        finally:
            os.kill(head, signal.SIGCONT)
        drained(log, "spot terminate: drained node")


def _is_gcs(command: Sequence[str], port: int) -> bool:
    return f"--gcs_server_port={port}" in command


def test_without_a_node_or_a_service_it_waits_for_sigterm(service: Service, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with watching(log, service.url, "127.0.0.1:1", "--rebalance", "note") as process:
        service.recommend()
        wait_until(lambda: "rebalance recommendation" in log.read_text(), "the recommendation")
        service.announce(50, "stop")
        wait_until(lambda: "spot stop: the head at 127.0.0.1:1 does not say" in log.read_text(), "the notice")
        service.hangs_s = 5
        wait_until(lambda: "timed out" in log.read_text(), "the service to hang")
        service.hangs_s = 0
        wait_until(lambda: log.read_text().count("asked every") == 2, "the service to be back")
        process.send_signal(signal.SIGTERM)
        wait_until(lambda: "SIGTERM: the head at 127.0.0.1:1 does not say" in log.read_text(), "the signal")
        process.send_signal(signal.SIGTERM)
        assert process.wait(patience(20)) == 0
    assert "for a Ray node of 127.0.0.1:1 on this machine; none is known yet" in log.read_text()


def test_the_service_is_asked_as_imds_v2_wants(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", f"{service.url}/")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    ours = Metadata()
    assert ours.notices() == []
    began = time.time()
    service.announce(60)
    (notice,) = ours.notices()
    assert notice.kind == "spot terminate"
    left, took = notice.seconds_left(), time.time() - began
    assert 60 - 1 - took <= left <= 60  # the service tells whole seconds
    assert service.tokens == 1
    service.tokens += 1  # ours has expired
    service.recommend()
    assert [one.kind for one in ours.notices()] == ["spot terminate", "rebalance"]
    assert service.tokens == 3


def test_a_service_that_is_none(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    service.refuses_tokens = True
    with pytest.raises(MetadataError, match="refuses its own token"):
        Metadata(service.url).notices()
    service.refuses_tokens = False
    service.texts[INTERRUPTION] = "<html>"
    with pytest.raises(MetadataError, match="cannot be read: '<html>'"):
        Metadata(service.url).notices()
    monkeypatch.setattr(ec2, "TIMEOUT_S", 0.2)
    service.hangs_s = 1
    with pytest.raises(MetadataError, match="timed out"):
        Metadata(service.url).notices()
    with pytest.raises(MetadataError, match="connection refused"):
        Metadata(f"http://127.0.0.1:{free_port()}").notices()


def test_time_that_is_left() -> None:
    now = datetime.now(UTC)
    assert Notice("spot stop", now - timedelta(seconds=9)).seconds_left() == 0
    assert Notice("rebalance", None).seconds_left() == 120


@pytest.mark.parametrize(
    ("key", "value"), [("address", "ray://a:1"), ("interval", 0.0), ("grace", -1.0), ("rebalance", "maybe")]
)
def test_options_that_cannot_work(key: str, value: object) -> None:
    with pytest.raises(ConfigError, match=rf"^{key}="):
        Watch(**{key: value})  # type: ignore[arg-type]
