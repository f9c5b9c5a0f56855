"""Training over hosts, with its storage on S3 and its run on a tracking server, outlives what goes wrong.

One training suffers the faults one after the other and ends with the weights of a run that was left alone on one
machine, to the last bit. Each fault has a test that says how much it may cost.
"""

import csv
import hashlib
import io
import shutil
from collections.abc import Iterator

import pytest

from tests.support.project import Project
from tests.system import clock, faults
from tests.system.conftest import BUCKET
from tests.system.faults import WEIGHTS, Fault, Field, Outcome, Training, endure
from tests.system.hosts import Network
from tests.system.mlflow_server import MlflowServer
from tests.system.postgres import Postgres
from tests.system.proxy import FaultProxy
from tests.system.ray_nodes import RayNodes
from tests.system.swift import Swift

CHECKPOINT = 1000  # images
EVERY = 1500
# Small batches are slow for their size, so that the faults fit into the training.
CONFIG = (
    "training.batch=8", f"training.checkpoint_kimg={CHECKPOINT / 1000}", "training.report_kimg=0.25",
    "training.snapshot_kimg=1000", "tune.trials=0",
)  # fmt: skip
# What happens, in this order, and how many images may be trained on again.
AGAIN = CHECKPOINT + 1000
HARM: dict[str, tuple[Fault, int]] = {
    "a worker is killed": (faults.worker_killed, AGAIN),
    "a cable is pulled for 5 s": (faults.cable(5), 0),
    "a machine loses its power": (faults.node_lost, AGAIN),
    "the driver is killed": (faults.driver_killed, AGAIN),
    "a spot machine is taken away": (faults.drained, 0),
    "the newest checkpoint is damaged": (faults.newest_damaged, AGAIN + CHECKPOINT),
    "the cluster's directory is killed": (faults.gcs_killed, AGAIN),
    "a cable is pulled for 2 minutes": (faults.cable(120), AGAIN),
    "S3 turns every third request away": (faults.s3_busy, 0),
    "the tracking server is down for a minute": (faults.mlflow_down(60), 0),
    "S3 is down for a minute": (faults.s3_down(60), 0),
    # The last: for five minutes after it, Ray may not say what has become free.
    "clocks are an hour slow for a while": (faults.clocks_wrong(-3600), 0),
}
ALONE_S = 1800.0  # for all of it without a fault, on a machine that does other things, too
# While a server or the cluster's directory is down, training goes on: so many images in all, slowly in that time.
MEANWHILE = 18 * 1000
KIMG = (EVERY * (len(HARM) + 1) + MEANWHILE) / 1000


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with its data."""
    folder = tmp_path_factory.mktemp("alone")
    return Project(folder, *CONFIG, f"training.kimg={KIMG}", "cluster.workers=2").ready_to_train()


@pytest.fixture(scope="module")
def alone(prepared: Project) -> Project:
    """After a run that was left alone, on one machine, with its storage in a folder."""
    prepared.stage("train", ALONE_S)
    return prepared


@pytest.fixture(scope="module")
def field(network: Network, s3: Swift, postgres: Postgres, mlflow_server: MlflowServer) -> Iterator[Field]:
    """Two nodes that work and the head, which writes down what it knows; the fourth host only drives."""
    to_s3, to_mlflow = FaultProxy(s3.port, network.gateway), FaultProxy(mlflow_server.port, network.gateway)
    to_s3.start()
    to_mlflow.start()
    network.repair()
    shutil.rmtree(network.hosts[0].path("/tmp/gcs"), ignore_errors=True)  # of an earlier cluster
    durable = {"RAY_gcs_storage": "rocksdb", "RAY_gcs_storage_path": "/tmp/gcs"}
    env = durable | clock.give(network.hosts[:3]) | s3.environment(to_s3.endpoint)
    nodes = RayNodes(network.hosts[:3], [0, 1, 1], **env)
    try:
        nodes.start()
        yield Field(network, nodes, network.hosts[3], s3, to_s3, postgres, mlflow_server, to_mlflow)
    finally:
        nodes.stop()
        to_s3.refuse()
        to_mlflow.refuse()


@pytest.fixture(scope="module")
def training(field: Field, prepared: Project) -> Training:
    """The training that suffers all of it."""
    fixed = (*CONFIG, f"training.kimg={KIMG}", "cluster.workers=2", "cluster.max_failures=20")
    return Training(field, "endured", f"s3://{BUCKET}/endured", fixed)


@pytest.fixture(scope="module")
def endured(training: Training, prepared: Project) -> Outcome:
    """How it came out of it."""
    harm = {name: fault for name, (fault, _) in HARM.items()}
    outcome = endure(training, prepared.folder / "data", harm, first=EVERY, every=EVERY)
    outcome.keep("faults")
    return outcome


def test_the_weights_are_those_of_a_run_that_was_left_alone(endured: Outcome, alone: Project) -> None:
    assert endured.status == 0, endured
    assert endured.digest == hashlib.sha256(alone.read(WEIGHTS)).hexdigest()


@pytest.mark.parametrize("name", HARM)
def test_what_a_fault_costs(endured: Outcome, name: str) -> None:
    _, repeated = HARM[name]
    cost = endured.faults[name]
    assert cost.repeated <= repeated, endured
    assert cost.standstill_s is not None, endured  # it came further


def test_nothing_is_missing_from_its_curves(endured: Outcome, training: Training, alone: Project) -> None:
    found, wanted = (curve(project) for project in (training.project, alone))
    assert found == wanted
    assert {step for _, step in training.reports()} == {round(float(row["kimg"]) * 1000) for row in wanted}
    assert len(training.reports()) == len(wanted)


def curve(project: Project) -> list[dict[str, str]]:
    """What was reported, without what depends on the clock."""
    rows = csv.DictReader(io.StringIO(project.read("reports/training.csv").decode()))
    return [{name: value for name, value in row.items() if name != "images_per_second"} for row in rows]


@pytest.fixture
def well(field: Field) -> Field:
    """The field, after whatever was broken in it has been repaired."""
    field.repair()
    return field


def test_a_full_disk_is_waited_for(well: Field, prepared: Project) -> None:
    training = Training(well, "full", "/mnt/full", (*CONFIG, "training.kimg=10", "cluster.workers=2"))
    outcome = endure(training, prepared.folder / "data", {"full": faults.disk_full}, first=CHECKPOINT)
    assert outcome.status == 0, outcome
    assert outcome.faults["full"].repeated == 0


def test_training_goes_on_with_the_machines_that_are_left(well: Field, prepared: Project) -> None:
    elastic = (*CONFIG, "training.kimg=10", "cluster.workers=[1,2]")
    training = Training(well, "fewer", f"s3://{BUCKET}/fewer", elastic)
    outcome = endure(training, prepared.folder / "data", {"lost": faults.node_lost_for_good}, first=CHECKPOINT)
    assert outcome.status == 0, outcome
    starts = [line for line in outcome.log.splitlines() if "train starts" in line or "train goes on" in line]
    assert "2 workers on cpu" in starts[0]
    assert "1 worker on cpu" in starts[-1]
