"""Ray's private parts are what ganflow takes them for; a failure here says what moved in this version."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import ray
from ray.train.backend import Backend

from ganflow.cluster.session import ray_internals

pytestmark = pytest.mark.slow

ASK = """
import json, os, signal, time
import psutil, ray
from ray._private.services import find_gcs_addresses
from ganflow.cluster.session import ray_internals

heard = []
def ours(number, frame): heard.append(number)

signal.signal(signal.SIGTERM, ours)
begun, meanwhile = [], []
with (
    ray_internals.node_of_this_process(60, begun.append, lambda: meanwhile.append(list(begun))),
    ray_internals.sigterm_is_ours(),
):
    ray.init(address="local", include_dashboard=False, _node_ip_address="127.0.0.1", num_cpus=1, log_to_driver=False)

def work(options):
    siblings = sorted({child.cmdline()[0].partition(" ")[0] for child in psutil.Process().parent().children()})
    with open(options["out"], "w") as out:
        json.dump([ray.train.get_context().get_world_size(), siblings], out)
    assert not options["fails"], "a worker's words"

def trained(name, fails):
    import ray.train
    here = os.getcwd()
    trainer = ray_internals.trainer_class()(
        work, train_loop_config={"out": f"{here}/{name}.json", "fails": fails},
        scaling_config=ray.train.ScalingConfig(num_workers=2, resources_per_worker={"CPU": 0.5}),
        run_config=ray.train.RunConfig(name=name, storage_path=here),
    )
    try:
        trainer.fit()
        why = ""
    except ray.train.TrainingFailedError as error:
        why = str(error)
    with open(f"{name}.json") as file:
        return [*json.load(file), why]

training, failure = trained("works", False), trained("fails", True)
address = ray.get_runtime_context().gcs_address
client = ray_internals.gcs_client(address)

def leaves():
    alive = [info for info in client.get_all_node_info(timeout=10).values() if info.state == ray_internals.NODE_ALIVE]
    return ray_internals.draining_nodes() or not alive  # it has nothing to do: it may have left

print(json.dumps({
    "training": training,
    "failure": failure,
    "auto": ray_internals.address_of_this_machine() in find_gcs_addresses(),
    "handler": [signal.getsignal(signal.SIGTERM) is ours, os.kill(os.getpid(), signal.SIGTERM), heard],
    "groups": [os.getpgid(child.pid) != os.getpgid(0) for child in psutil.Process().children()],
    "listens": sorted({
        port.laddr.ip.removeprefix("::ffff:")
        for child in psutil.Process().children() for port in child.net_connections() if port.status == "LISTEN"
    }),
    "runs": sorted({child.name().partition(":")[0] for child in psutil.Process().children()}),
    "begun": [begun, meanwhile, [child.pid for child in psutil.Process().children() if child.name() == "raylet"]],
    "entry": [
        "ganflow/cluster/session/worker_entry.py" in " ".join(child.cmdline())
        for child in psutil.Process().children() if child.name() == "raylet"
    ],
    "version": ray_internals.cluster_metadata(client)["ray_version"],
    "states": [info.state for info in client.get_all_node_info(timeout=10).values()],
    "draining": sorted(ray_internals.draining_nodes()),
    "drained": ray_internals.drain(client, ray.get_runtime_context().get_node_id(), "a test", 100),
    "leaves": any(leaves() or time.sleep(0.1) for _ in range(300)),
}))
"""


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    env = {k: v for k, v in os.environ.items() if k != "RAY_ADDRESS"} | {
        "PYTHONPATH": str(Path(__file__).parents[3]),
        "RAY_AUTH_MODE": "disabled",
    }
    folder = tmp_path_factory.mktemp("ray")
    run = subprocess.run([sys.executable, "-c", ASK], cwd=folder, capture_output=True, text=True, env=env, check=False)
    assert run.returncode == 0, run.stderr
    return {**json.loads(run.stdout.splitlines()[-1]), "stderr": run.stderr}


def test_the_torch_backend_is_a_backend_of_ray_train() -> None:
    assert issubclass(ray_internals.torch_backend(), Backend)
    assert callable(ray_internals.torch_backend().on_start)


def test_a_training_has_no_processes_but_its_workers(answers: dict[str, Any]) -> None:
    world, siblings, why = answers["training"]
    assert (world, why) == (2, "")
    # A worker that is being asked something has that in its title: ray::RayTrainWorker.poll_status.
    titles = {re.split(r"[.\[]", title)[0] for title in siblings if title.startswith("ray::")}
    assert titles - {"ray::IDLE", "ray::RuntimeEnvAgent"} == {"ray::RayTrainWorker"}


def test_a_trainings_error_is_its_workers(answers: dict[str, Any]) -> None:
    world, _, why = answers["failure"]
    assert world == 2
    assert "a worker's words" in why


def test_a_head_answers_at_the_address_of_this_machine(answers: dict[str, Any]) -> None:
    """Of this cluster, or of another test's that runs beside it and may not answer to everyone."""
    assert answers["auto"] is True


def test_a_head_says_its_versions_and_which_nodes_live_and_leave(answers: dict[str, Any]) -> None:
    assert answers["version"] == ray.__version__
    assert answers["states"] == [ray_internals.NODE_ALIVE]
    assert answers["draining"] == []
    assert answers["drained"] == ""
    assert answers["leaves"] is True


def test_a_node_of_this_process_listens_on_the_loopback_in_a_group_of_its_own(answers: dict[str, Any]) -> None:
    assert len(answers["groups"]) >= 2
    assert all(answers["groups"])
    assert answers["listens"] == ["127.0.0.1"]


def test_a_node_of_this_process_has_neither_dashboard_nor_autoscaler_nor_log_monitor(answers: dict[str, Any]) -> None:
    assert answers["runs"] == ["gcs_server", "raylet"]  # all else would be a Python


def test_a_raylet_is_told_of_as_it_begins_and_then_something_else_can_be_done(answers: dict[str, Any]) -> None:
    begun, meanwhile, raylet = answers["begun"]
    assert begun == raylet
    assert meanwhile == [raylet]


def test_workers_of_a_node_of_this_process_start_by_our_program(answers: dict[str, Any]) -> None:
    assert answers["entry"] == [True]


def test_sigterm_stays_ours(answers: dict[str, Any]) -> None:
    assert answers["handler"] == [True, None, [signal.SIGTERM]]
    assert "SIGTERM received" not in answers["stderr"]  # what Ray's in C++ says
