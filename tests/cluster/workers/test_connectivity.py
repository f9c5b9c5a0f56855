"""Which interface ranks use, and that they find out within seconds when they cannot reach each other."""

import dataclasses
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from ganflow.cluster.session.raylets import own_addresses
from ganflow.cluster.workers import connectivity, process_group
from ganflow.cluster.workers.connectivity import Listener, UnreachableError, call_all
from ganflow.errors import GanflowError
from tests.support.nodes import nodes
from tests.support.project import Project

pytestmark = pytest.mark.slow

TRAIN = """
import os, sys
from ganflow.cluster.session.session import session
from ganflow.config.schema import ClusterConfig

def work(config):
    import torch, torch.distributed as dist
    ranks = torch.ones(1)
    dist.all_reduce(ranks)
    told = os.environ["GLOO_SOCKET_IFNAME"], os.environ["NCCL_SOCKET_IFNAME"]
    with open(config["out"] + str(dist.get_rank()), "w") as file:
        print(int(ranks), *told, file=file)

cluster = ClusterConfig(address=sys.argv[1], interface=sys.argv[2])
with session(cluster):
    from ganflow.cluster.workers.process_group import reason_of, torch_config
    from ray.train import RunConfig, ScalingConfig, TrainingFailedError
    from ray.train.torch import TorchTrainer
    scaling = ScalingConfig(num_workers=2, resources_per_worker={"CPU": 1})
    run = RunConfig(name="test", storage_path=os.getcwd() + "/ray")
    trainer = TorchTrainer(work, train_loop_config={"out": os.getcwd() + "/rank"}, scaling_config=scaling,
                           run_config=run, torch_config=torch_config(cluster, False))
    try:
        trainer.fit()
    except TrainingFailedError as error:
        print(type(error).__name__, "|", reason_of(error))
"""


@pytest.fixture(autouse=True)
def _untold(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in connectivity.VARIABLES:
        monkeypatch.setenv(variable, "")  # so that what is set below is taken back
        monkeypatch.delenv(variable)


@pytest.fixture
def two() -> Iterator[tuple[Listener, Listener]]:
    listeners = Listener(0, "lo", ["127.0.0.1"]), Listener(1, "lo", ["127.0.0.1", "127.0.0.3"])
    yield listeners
    for listener in listeners:
        listener.close()


def test_auto_takes_the_interface_that_holds_ray_s_address() -> None:
    ip, name = next((ip, name) for ip, name in own_addresses().items() if ":" not in ip and name != "lo")
    assert connectivity.choose("auto", ip) == name
    assert [os.environ[variable] for variable in connectivity.VARIABLES] == [name, name]
    assert connectivity.address_on(name, ip) == ip
    assert connectivity.address_on("lo", ip) == "127.0.0.1"


def test_what_the_environment_says_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NCCL_SOCKET_IFNAME", "^docker")
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    other = next(name for name in psutil.net_if_addrs() if name != "lo")
    assert connectivity.choose(other, "127.0.0.2") == other
    assert os.environ["NCCL_SOCKET_IFNAME"] == "^docker"
    assert connectivity.in_use(other, gpu=True) == other  # a pattern names none
    assert connectivity.in_use(other, gpu=False) == "lo"


def test_an_interface_that_a_node_lacks_is_refused() -> None:
    with pytest.raises(GanflowError, match=r"cluster\.interface=eth9: no such interface on node 127.0.0.1, which has "):
        connectivity.choose("eth9", "127.0.0.1")
    with pytest.raises(GanflowError, match=r"cluster\.interface=auto: no interface holds 192\.0\.2\.1 on node"):
        connectivity.choose("auto", "192.0.2.1")


def test_ranks_that_reach_each_other(two: tuple[Listener, Listener]) -> None:
    places = [listener.place for listener in two]
    assert [call_all(place, places) for place in places] == [None, None]


def test_a_closed_port(two: tuple[Listener, Listener]) -> None:
    places = [listener.place for listener in two]
    two[1].close()
    assert call_all(places[0], places) == (
        f"rank 0 (127.0.0.1, lo) cannot reach rank 1 (127.0.0.1:{places[1].port}, lo): connection refused"
    )
    assert call_all(places[1], places) is None


def test_a_stranger_at_the_same_address(two: tuple[Listener, Listener]) -> None:
    places = [two[0].place, dataclasses.replace(two[1].place, token=bytes(16))]
    assert str(call_all(places[0], places)).endswith("another host answers there")


def test_nobody_who_answers_costs_seconds(two: tuple[Listener, Listener]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        mute = dataclasses.replace(two[1].place, port=silent.getsockname()[1])
        assert str(call_all(two[0].place, [mute], 0.3)).endswith("timed out after 0 s")


class Here:
    """A worker group whose workers are this process."""

    def __init__(self, change: Callable[[Any], Any]) -> None:
        self.change = change

    def __len__(self) -> int:
        return 2

    def execute_single_async(self, rank: int, function: Callable[..., Any], *arguments: Any) -> Any:
        return self.change(function(*arguments))

    def execute(self, function: Callable[..., Any]) -> None:
        function()


def test_all_is_closed_and_the_first_who_cannot_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def elsewhere(answer: Any) -> Any:
        return dataclasses.replace(answer, token=b"x" * 16) if getattr(answer, "rank", None) == 0 else answer

    monkeypatch.setattr(process_group, "ray", SimpleNamespace(
        get=list, util=SimpleNamespace(get_node_ip_address=lambda: "127.0.0.1")
    ))  # fmt: skip
    with pytest.raises(UnreachableError, match=r"^rank 1 .* cannot reach rank 0 .*: another host.*; set cluster\."):
        process_group.prepare(Here(elsewhere), "auto", gpu=False)
    assert process_group._listeners == []
    process_group.prepare(Here(lambda answer: answer), "auto", gpu=False)
    assert process_group._listeners == []


def test_a_refusal_is_found_however_deep() -> None:
    from ray.exceptions import RayTaskError
    from ray.train import ControllerError, WorkerGroupError

    reason = GanflowError("the reason")
    assert process_group.reason_of(ControllerError(reason)) is reason
    assert (
        process_group.reason_of(WorkerGroupError("x", {0: ValueError(), 1: RayTaskError("f", "tb", reason)})) is reason
    )
    assert process_group.reason_of(ControllerError(ValueError("a defect"))) is None


def test_a_gang_on_two_nodes_meets_or_says_why_not(tmp_path: Path) -> None:
    project = Project(tmp_path)
    (tmp_path / "train.py").write_text(TRAIN)
    with nodes(1, 1, NCCL_SOCKET_IFNAME="=lo") as cluster:
        said = project.run("python", "train.py", cluster.address, "eth9")
        assert "ControllerError | cluster.interface=eth9: no such interface on node 127.0.0." in said
        project.run("python", "train.py", cluster.address, "auto")
    assert [(tmp_path / f"rank{rank}").read_text().split() for rank in range(2)] == [["2", "lo", "=lo"]] * 2
