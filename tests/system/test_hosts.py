"""The hosts are apart as machines are: addresses, processes, temporary files, cables, power; and Ray spans them."""

import json
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.hosts import Host
from tests.system.process import wait_until
from tests.system.ray_nodes import RayNodes

PORT = 8000
REDUCE = """
import json, ray

@ray.remote(num_cpus=1, scheduling_strategy="SPREAD")
class Rank:
    def address(self):
        import socket
        return ray.util.get_node_ip_address(), socket.gethostname()

    def reduce(self, rank, store):
        import torch
        import torch.distributed as dist
        dist.init_process_group("gloo", init_method=f"tcp://{store}", rank=rank, world_size=2)
        total = torch.tensor([1.0 + rank] * 1000)
        dist.all_reduce(total)
        return total.unique().tolist()

ray.init(address="auto", logging_level="ERROR", runtime_env={"env_vars": {"GLOO_SOCKET_IFNAME": "eth0"}})
ranks = [Rank.remote() for _ in range(2)]
where = ray.get([rank.address.remote() for rank in ranks])
sums = ray.get([rank.reduce.remote(i, f"{where[0][0]}:29400") for i, rank in enumerate(ranks)])
print(json.dumps([where, sums]))
"""


def listen(host: Host) -> None:
    """Let a host answer on ``PORT``."""
    host.start(sys.executable, "-m", "http.server", str(PORT), "--bind", host.address)
    wait_until(lambda: host.reaches(host, PORT), f"{host.name} listens")


def test_a_host_has_an_address_a_name_and_files_of_its_own(hosts: list[Host]) -> None:
    first, second = hosts[:2]
    assert first.run("hostname").strip() == "h1"
    assert first.run("getent", "hosts", "h2").split() == [second.address, "h2"]
    first.run("bash", "-c", "echo mine >/tmp/mine && echo shared >/dev/shm/mine")
    assert first.path("/tmp/mine").read_text() == "mine\n"
    for path in ("/tmp/mine", "/dev/shm/mine"):
        with pytest.raises(AssertionError, match="No such file"):
            second.run("cat", path)
    assert not Path("/dev/shm/mine").exists()
    assert first.run("bash", "-c", "echo $HOME $$").startswith("/tmp/home ")


def test_a_host_sees_its_own_processes_alone(hosts: list[Host]) -> None:
    first, second = hosts[:2]
    first.start("sleep", "1000")
    wait_until(lambda: bool(first.processes("sleep 1000")), "it runs")
    assert "sleep 1000" in first.run("ps", "ax")
    assert "sleep 1000" not in second.run("ps", "ax")
    assert not second.processes("sleep 1000")
    (process,) = first.processes("sleep 1000")
    process.kill()


def test_a_cable_can_be_pulled_and_plugged_in_again(hosts: list[Host]) -> None:
    first, second, third = hosts[:3]
    listen(second)
    listen(third)
    assert first.reaches(second, PORT)
    assert third.reaches(second, PORT)
    second.cut()
    assert not first.reaches(second, PORT)
    assert not second.reaches(third, PORT)
    assert first.reaches(third, PORT)
    second.heal()
    wait_until(lambda: first.reaches(second, PORT), "the cable works again")
    wait_until(lambda: second.reaches(third, PORT), "in both directions")


def test_a_host_reaches_this_machine_and_not_its_loopback(hosts: list[Host]) -> None:
    with (
        socket.create_server((hosts[0].network.gateway, 0)) as open_to_hosts,
        socket.create_server(("127.0.0.1", 0)) as closed,
    ):
        assert hosts[0].reaches(hosts[0].network.gateway, open_to_hosts.getsockname()[1])
        assert not hosts[0].reaches("127.0.0.1", closed.getsockname()[1])


def test_a_host_reaches_this_machine_whoever_comes_and_goes(hosts: list[Host]) -> None:
    staying, *others = hosts
    with socket.create_server((staying.network.gateway, 0)) as server:
        for host in others:
            assert staying.reaches(staying.network.gateway, server.getsockname()[1])
            host.power_off()
            assert staying.reaches(staying.network.gateway, server.getsockname()[1])
            host.boot()


def test_power_loss_ends_all_at_once_and_closes_no_connection(hosts: list[Host]) -> None:
    host = hosts[0]
    listen(host)
    with socket.create_connection((host.address, PORT)) as connection:
        connection.settimeout(1)
        host.power_off()
        assert not host.processes()
        with pytest.raises(TimeoutError):  # a process that is killed would have closed it
            connection.recv(1)
    host.boot()
    assert not host.reaches(host, PORT)
    assert "http.server" not in host.run("ps", "ax")


@pytest.fixture
def ray_nodes(hosts: list[Host]) -> Iterator[RayNodes]:
    nodes = RayNodes(hosts[:3], cpus=[0, 1, 1])
    try:
        nodes.start()
        yield nodes
    finally:
        nodes.stop()


def test_ray_and_gloo_span_hosts(ray_nodes: RayNodes) -> None:
    assert ray_nodes.alive() == [host.address for host in ray_nodes.hosts]
    said = ray_nodes.head.run(sys.executable, "-c", REDUCE, **ray_nodes.env)
    where, sums = json.loads(said.splitlines()[-1])
    assert sorted(where) == [[host.address, host.name] for host in ray_nodes.hosts[1:]]
    assert sums == [[3.0], [3.0]]
