"""`ganflow doctor` on a cluster with nodes of every fault, on a sound one, and on this machine alone."""

import dataclasses
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import ray
from typer.testing import CliRunner, Result

from ganflow.cli.app import app
from ganflow.cluster.doctor import checks, node_probe
from ganflow.cluster.doctor.checks import examine
from ganflow.cluster.doctor.examination import Examination, NodeCheck, NodeReport
from ganflow.cluster.doctor.node_probe import NodeFacts, Probe
from ganflow.cluster.session.raylets import local_nodes
from ganflow.commands import doctor as command
from ganflow.config import composition
from tests.support.nodes import nodes

pytestmark = pytest.mark.slow

OURS = NodeFacts("host", "3.11.7", "2.60.0", "2.13.0+cpu", None, [], None, "c0de", "/here", 2**40, None)
FAULTY = "127.0.0.3"


class Odd(Probe):
    """On one node another torch, a clock that is ahead, and a storage that nobody shares."""

    def odd(self) -> bool:
        return bool(ray.util.get_node_ip_address() == FAULTY)

    def clock(self) -> float:
        return time.time() + 30 * self.odd()

    def facts(self, cache: str) -> NodeFacts:
        seen = super().facts(cache)
        return dataclasses.replace(seen, torch="2.1.0") if self.odd() else seen

    def try_storage(self, place: str, own: str, shared: str) -> tuple[float, str | None]:
        return super().try_storage(place, own, shared + "-elsewhere" * self.odd())


@pytest.fixture(autouse=True)
def _own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for variable in ("RAY_ADDRESS", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def by_value() -> Iterator[None]:
    """The nodes do not have these tests."""
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    yield
    ray.cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


def ganflow(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["doctor", *arguments])


def test_every_fault_names_the_node_the_value_and_the_way_out(
    by_value: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(checks, "Probe", Odd)
    monkeypatch.setattr(checks, "ANSWER_S", 15.0)
    with nodes(1, 1) as cluster:
        boastful, cut_off = cluster.add(1, gpus=1), cluster.add(1)
        (raylet,) = [node.pid for node in local_nodes() if node.ip == cut_off and node.gcs == cluster.address]
        assert raylet is not None
        look = checks._nodes
        # Once it is known who is alive: Ray would count the node out while a driver on a busy machine still connects.
        monkeypatch.setattr(checks, "_nodes", lambda: (look(), os.kill(raylet, signal.SIGSTOP))[0])
        found = examine(composition.compose([f"cluster.address={cluster.address}"]))
    told = [(check.name, check.text) for check in found.checks if check.status == "FAULT"]
    wanted = [
        (cut_off, "does not answer within 15 s though Ray counts it"),
        (FAULTY, "torch is 2.1.0 there and 2.13.0 here; install"),
        (FAULTY, "its clock is 30.0 s ahead of the driver's; run chrony"),
        (FAULTY, f"cluster.storage={tmp_path}/.ganflow: it does not see what the driver wrote there; name a place"),
        (boastful, "Ray offers 1 GPUs, torch sees 0 (torch 2.13.0"),
    ]
    for ip, text in wanted:
        assert [name for name, line in told if line.startswith(text)] == [f"node {ip}"], told
    assert len(told) == len(wanted)
    assert [node.driver for node in found.nodes] == [True, False, False, False]
    assert os.listdir(tmp_path / ".ganflow") == []
    assert any(line.startswith("node 127.0.0.2 answers after") for line in caplog.messages)


@pytest.mark.usefixtures("messages")
def test_a_sound_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    with nodes(1, 1) as cluster:
        monkeypatch.setenv("RAY_ADDRESS", cluster.address)
        done = ganflow("--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["faults"] == 0
    assert [node["ip"] for node in found["nodes"]] == ["127.0.0.2", "127.0.0.3"]
    assert all(node["storage_s"] > 0 and abs(node["clock_s"]) < 1 for node in found["nodes"])
    checks = {check["name"]: check for check in found["checks"]}
    assert checks["all-reduce"]["status"] == "ok"
    assert "2 workers, gloo on lo; 64 KB: " in checks["all-reduce"]["text"]
    assert checks["MLflow"]["status"] == "note"  # no file yet; looking makes none
    assert not Path("mlflow.db").exists()
    assert "doctor: measuring the all-reduce" in done.stderr


def test_this_machine_alone() -> None:
    done = ganflow("--no-bandwidth")
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[0] == "this machine"
    assert "ok     workers  room for" in done.stdout
    assert done.stdout.splitlines()[-1] == "no fault"


def test_nobody_there_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:secret@127.0.0.1:9")
    done = ganflow()
    assert done.exit_code == 1
    assert "FAULT  cluster  RAY_ADDRESS=127.0.0.1:1: no Ray cluster there (connection refused)" in done.stdout
    assert "FAULT  MLflow   MLflow at http://" in done.stdout
    assert "secret" not in done.output
    assert done.stdout.splitlines()[-1] == "2 faults"


@pytest.mark.parametrize(
    ("its", "says"),
    [
        ({"python": "3.12.0"}, "python is 3.12.0 there and 3.11.7 here; install"),
        ({"code": "01d"}, "imports ganflow from /here, and not this one"),
        ({"free": 2**30}, "cluster.cache=~/c: 1.0 GB are free; name a larger disk"),
        ({"cache_fault": "/ cannot be written to"}, "cluster.cache=~/c: / cannot be written to"),
        ({"torch": "2.13.0+cu130"}, None),
    ],
)
def test_what_does_not_fit(its: dict[str, object], says: str | None) -> None:
    node = NodeReport("id", "10.0.0.7", False, 4, 0)
    said = list(checks._misfits(node, dataclasses.replace(OURS, **its), OURS, "~/c"))  # type: ignore[arg-type]
    assert [line.startswith(says or "") for line in said] == ([True] if says else [])


def test_the_table_stays_aligned_whatever_is_known() -> None:
    gpus = dataclasses.replace(OURS, gpus=["NVIDIA H100"] * 8, gpu_driver="580.1")
    found = Examination("10.0.0.1:6379", [
        NodeReport("a", "10.0.0.1", True, 0, 0, 1.0, OURS, 0.0, 0.001),
        NodeReport("b", "10.0.0.10", False, 96, 8, 2.5, gpus, -0.0123, 0.001, 0.045),
        NodeReport("c", "10.0.0.11", False, 96, 8),
    ], [NodeCheck("node 10.0.0.11", "FAULT", "gone"), NodeCheck("storage", "ok", "fine")])  # fmt: skip
    head, *rows = command.lines(found)[1:5]
    assert "8 NVIDIA H100, 580.1" in rows[1]
    assert "-12 ms" in rows[1]
    assert [row[head.index("answers") :].split()[0] for row in rows] == ["1.0", "2.5", "no"]
    assert [line.split()[0] for line in command.lines(found)[-4:] if line] == ["ok", "FAULT", "1"]


def test_a_place_that_is_not_shared_is_not_written_to(tmp_path: Path) -> None:
    _, fault = node_probe.try_storage(str(tmp_path / "here"), "own", "shared")
    assert fault is not None
    assert "it does not see what the driver wrote there" in fault
    assert not (tmp_path / "here").exists()
