"""How a driver gets to a cluster: by a node that is there or one that joins, with its own code; or one line why not."""

import http.server
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from ganflow.cluster.session import cluster_address, runtime_env
from ganflow.cluster.session.cluster_address import Address, address_of, alive_nodes
from ganflow.cluster.session.raylets import local_nodes, split_address
from ganflow.errors import GanflowError
from tests.support.nodes import Nodes, nodes
from tests.support.patience import patience
from tests.support.ports import free_port
from tests.support.project import Project, below, wait_until

pytestmark = pytest.mark.slow

# What every node of the cluster imports; SPREAD so that each gets one.
ASK = """
import sys, time
from ganflow.cluster.session import session
from ganflow.config.schema import ClusterConfig
if "joined" in sys.argv:
    session.local_nodes = list
with session.session(ClusterConfig(address=sys.argv[1])):
    import ray

    def whoami():
        import ganflow, os, time
        time.sleep(1)
        secret = os.environ.get("AWS_SECRET_ACCESS_KEY")
        return ray.util.get_node_ip_address(), ganflow.MARK, os.environ.get("AWS_REGION"), secret

    task = ray.remote(num_cpus=1, scheduling_strategy="SPREAD")(whoami)
    print(sorted(set(ray.get([task.remote() for _ in range(2)]))), flush=True)
    print("nodes", len([node for node in ray.nodes() if node["Alive"]]), ray.cluster_resources()["CPU"], flush=True)
    while "stay" in sys.argv:
        time.sleep(1)
"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Nodes]:
    with nodes(1, 1) as two:
        yield two


@pytest.fixture(autouse=True)
def _no_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")


def project(folder: Path) -> Project:
    """A checkout that differs from what the nodes have installed, with data beside it that must stay."""
    made = Project(folder)
    (folder / "ganflow" / "__init__.py").write_text("MARK = 'the driver'\n")
    (folder / "data").mkdir()
    (folder / "data" / "big.npy").write_bytes(bytes(2**20))
    (folder / "ask.py").write_text(ASK)
    return made


def test_workers_import_the_driver_s_code_and_get_no_secret(
    cluster: Nodes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-north-7")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not for others")
    said = project(tmp_path).run("python", "ask.py", cluster.address)
    whoami = [(ip, "the driver", "eu-north-7", None) for ip in ("127.0.0.2", "127.0.0.3")]
    assert said.splitlines() == [str(whoami), "nodes 2 2.0"]


def test_a_machine_outside_joins_for_the_session(cluster: Nodes, tmp_path: Path) -> None:
    said = project(tmp_path).run("python", "ask.py", cluster.address, "joined")
    assert "('127.0.0.3', 'the driver'" in said
    assert said.splitlines()[-1] == "nodes 3 2.0"  # it brings no CPU, so nobody trains on it
    wait_until(lambda: cluster.alive() == 2, "its node to leave")


def test_its_node_ends_with_a_driver_that_is_killed(cluster: Nodes, tmp_path: Path) -> None:
    made = project(tmp_path)
    driver = made.start("python", "ask.py", cluster.address, "joined", "stay")
    wait_until(lambda: "nodes 3" in made.log() or driver.poll() is not None, "the driver")
    started = below(driver.pid)
    folders = [node.temp_dir for node in local_nodes() if node.pid in {process.pid for process in started}]
    assert len(folders) == 1, made.log()
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    wait_until(lambda: cluster.alive() == 2, "its node to leave")
    _, left = psutil.wait_procs(started, timeout=patience(20))
    assert not left
    wait_until(lambda: not Path(folders[0]).exists(), "its folder to go")


def refused(address: str) -> str:
    with pytest.raises(GanflowError) as error:
        alive_nodes(Address("cluster.address", address))
    assert "\n" not in str(error.value)
    return str(error.value)


def test_nobody_there_is_one_line_within_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_address, "CONTACT_S", 0.5)
    port = free_port()
    assert refused(f"127.0.0.1:{port}").startswith(
        f"cluster.address=127.0.0.1:{port}: no Ray cluster there (connection refused)"
    )
    assert "no Ray cluster there" in refused("no-such-host.invalid:6379")
    with http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as web:
        threading.Thread(target=web.serve_forever, daemon=True).start()
        assert "is not a Ray head (GCS)" in refused(f"127.0.0.1:{web.server_port}")
        web.shutdown()


def test_a_head_that_is_still_starting_is_one_line(cluster: Nodes) -> None:
    from ray._common.usage.usage_constants import CLUSTER_METADATA_KEY
    from ray._private.ray_constants import KV_NAMESPACE_CLUSTER as SPACE
    from ray._raylet import GcsClient

    client = GcsClient(address=cluster.address)
    said = client.internal_kv_get(CLUSTER_METADATA_KEY, SPACE)
    client.internal_kv_del(CLUSTER_METADATA_KEY, False, SPACE)
    try:
        with pytest.raises(GanflowError, match="its head is still starting; try again in a few seconds"):
            alive_nodes(Address("cluster.address", cluster.address))
    finally:
        client.internal_kv_put(CLUSTER_METADATA_KEY, said, True, SPACE)
    assert len(alive_nodes(Address("cluster.address", cluster.address))) == 2


def test_a_cluster_with_a_token_refuses_without_it_and_the_token_is_not_told(tmp_path: Path) -> None:
    secret = "0123456789abcdef0123456789abcdef"
    ask = (
        "import sys; from ganflow.cluster.session.cluster_address import *; "
        "print(len(alive_nodes(Address('k', sys.argv[1]))))"
    )

    def answer(address: str, **settings: str) -> str:
        env = {**os.environ, **settings}
        run = subprocess.run([sys.executable, "-c", ask, address], env=env, capture_output=True, text=True)
        assert secret not in run.stdout + run.stderr
        return run.stdout.strip() or run.stderr.strip().splitlines()[-1]

    with nodes(1, RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=secret) as closed:
        for wrong in ({"RAY_AUTH_MODE": "disabled"}, {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secret[::-1]}):
            assert "the cluster wants its own token; set RAY_AUTH_MODE=token" in answer(closed.address, **wrong)
        token = tmp_path / "token"
        token.write_text(secret)
        assert answer(closed.address, RAY_AUTH_MODE="token", RAY_AUTH_TOKEN_PATH=str(token)) == "1"


def test_other_versions_are_refused() -> None:
    with pytest.raises(GanflowError, match=r"the cluster runs Ray 2\.9\.0 on Python 3\.8\.1, this machine Ray 2\.\d+"):
        cluster_address._check_versions(Address("k", "h:1"), {"ray_version": "2.9.0", "python_version": "3.8.1"})


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("ray://10.0.0.1:10001", "Ray Client is not used; name the head's host:port"),
        ("10.0.0.1", "must be host:port of the head"),
        ("10.0.0.1:port", "must be host:port of the head"),
    ],
)
def test_an_address_of_another_form_is_refused(address: str, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(GanflowError, match=rf"^cluster\.address={address}: {says}"):
        address_of(address)
    monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(GanflowError, match=rf"^RAY_ADDRESS={address}: {says}"):
        address_of("10.0.0.1:6379")


def test_local_is_no_address(monkeypatch: pytest.MonkeyPatch) -> None:
    assert address_of(None) is None
    monkeypatch.setenv("RAY_ADDRESS", "local")
    assert address_of("10.0.0.1:6379") is None


def test_an_address_is_taken_apart() -> None:
    assert split_address("10.0.0.1:6379") == ("10.0.0.1", 6379)
    assert split_address("[fd00::1]:6379") == ("fd00::1", 6379)
    assert split_address("http://a:1") is None
    assert split_address("a:0") is None


def test_an_endpoint_with_a_password_stays_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://10.0.0.1:9000")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://me:secret@10.0.0.1:9000")
    assert runtime_env.variables()["AWS_ENDPOINT_URL"] == "http://10.0.0.1:9000"
    assert "AWS_ENDPOINT_URL_S3" not in runtime_env.variables()


UP = """
from ganflow.cluster.session.session import session
from ganflow.config.schema import ClusterConfig
from ganflow.terminal.console import entry_point

@entry_point
def main():
    with session(ClusterConfig()):
        raise AssertionError("Ray works in a folder that nobody can make")

main()
"""


def test_a_ray_that_does_not_start_is_one_line() -> None:
    env = {**os.environ, "RAY_TMPDIR": "/proc/none", "PYTHONPATH": str(Path(__file__).parents[3])}
    done = subprocess.run([sys.executable, "-c", UP], capture_output=True, text=True, env=env, check=False)
    told = [line for line in done.stderr.splitlines() if not line.startswith("Ray starts, ")]
    assert (done.returncode, told) == (2, [
        "ganflow: Ray does not start on this machine: [Errno 2] No such file or directory: '/proc/none'; "
        "/proc/none/ray/session_latest/logs says more; a busy machine may need more cluster.start_timeout_s, "
        "a full or read-only disk another RAY_TMPDIR"
    ])  # fmt: skip


RAYLET = """
import atexit, os, signal, threading, time, types
from ray._private import node, services
from ganflow.cluster.session.session import session
from ganflow.config.schema import ClusterConfig
from ganflow.terminal.console import entry_point

now, begin = time.monotonic, time.monotonic()
node.time = types.SimpleNamespace(**{{**vars(time), "monotonic": lambda: 100 * now()}})  # Ray's own 30 s go by in 0.3

def delayed(*arguments, **options):
    started = start(*arguments, **options)
    os.kill(started.process.pid, signal.{signal})
    if {resumed}:
        threading.Timer(2, os.kill, (started.process.pid, signal.SIGCONT)).start()
    return started

start, services.start_raylet = services.start_raylet, delayed
atexit.register(lambda: now() - begin < 25 or print("Ray's own 30 s"))

@entry_point
def main():
    with session(ClusterConfig(start_timeout_s={timeout_s})):
        import ray
        print("Ray has started", ray.is_initialized())

main()
"""


@pytest.mark.parametrize(("signal", "resumed", "timeout_s", "status", "line"), [
    ("SIGSTOP", True, 300, 0, "Ray has started True"),  # Ray's 30 s do not count
    ("SIGSTOP", False, 1, 2, "ganflow: Ray does not start on this machine: its raylet is not ready after 1 s; "),
    ("SIGKILL", False, 300, 2, "ganflow: Ray does not start on this machine: its raylet has ended; "),
])  # fmt: skip
def test_a_slow_raylet_is_waited_for_as_long_as_is_set(
    signal: str, resumed: bool, timeout_s: int, status: int, line: str
) -> None:
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    code = RAYLET.format(signal=signal, resumed=resumed, timeout_s=timeout_s)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, check=False)
    said = [line for line in (done.stdout + done.stderr).splitlines() if not line.startswith("Ray starts, ")]
    assert (done.returncode, [one[: len(line)] for one in said]) == (status, [line])


STOPPED = """
import os, signal
from ray._private import services
from ganflow.cluster.session.session import session
from ganflow.config.schema import ClusterConfig
from ganflow.terminal.console import entry_point

def stopped(*arguments, **options):
    os.kill(os.getpid(), signal.SIGTERM)
    return start(*arguments, **options)

start, services.{step} = services.{step}, stopped

@entry_point
def main():
    with session(ClusterConfig()):
        raise AssertionError("Ray starts all the same")

main()
"""


@pytest.mark.parametrize("step", ["start_gcs_server", "start_raylet"])
def test_a_sigterm_while_ray_starts_is_one_line(step: str) -> None:
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    code = STOPPED.format(step=step)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, check=False)
    told = [line for line in done.stderr.splitlines() if not line.startswith("Ray starts, ")]
    assert (done.returncode, told) == (-signal.SIGTERM, ["ganflow: stopped by SIGTERM"])
