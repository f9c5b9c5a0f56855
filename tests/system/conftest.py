"""Real servers and separate hosts, started once for all tests that ask for them and ended by their own pids."""

import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.hosts import Host, Network
from tests.system.mlflow_server import MlflowServer
from tests.system.postgres import Postgres
from tests.system.proxy import FaultProxy
from tests.system.swift import Swift

HOSTS = 4  # three nodes and one that only drives
BUCKET = "gan"


@pytest.fixture(scope="session", autouse=True)
def _ended_by_a_signal() -> None:
    """SIGTERM ends the tests as Ctrl-C does: with everything cleaned up."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.fixture(scope="session")
def place() -> Iterator[Path]:
    """A folder with a short path that other users may enter: sockets and databases lie in it."""
    folder = Path(tempfile.mkdtemp(prefix="gf"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def s3(place: Path) -> Iterator[Swift]:
    """S3 with an empty bucket ``gan``."""
    server = Swift(place / "s3")
    try:
        server.start()
        server.client().create_bucket(Bucket=BUCKET)
        yield server
    finally:
        server.stop()


@pytest.fixture
def faulty(s3: Swift) -> Iterator[FaultProxy]:
    """A way to S3 on which things go wrong when a test says so."""
    proxy = FaultProxy(s3.port)
    proxy.start()
    yield proxy
    proxy.refuse()


@pytest.fixture(scope="session")
def postgres(place: Path) -> Iterator[Postgres]:
    """PostgreSQL."""
    server = Postgres(place / "pg")
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def mlflow_server(place: Path, s3: Swift, postgres: Postgres) -> Iterator[MlflowServer]:
    """MLflow over both."""
    backend = postgres.create("mlflow")
    server = MlflowServer(place / "mlflow.log", backend, f"s3://{BUCKET}/mlflow", s3.environment())
    try:
        server.start()
        yield server
    finally:
        server.kill()


@pytest.fixture(scope="session")
def network(place: Path) -> Iterator[Network]:
    """Hosts for all tests; what one broke, the next one repairs."""
    with Network(place, HOSTS) as network:
        yield network


@pytest.fixture
def hosts(network: Network) -> list[Host]:
    """All hosts of the network, after whatever an earlier test broke has been repaired."""
    network.repair()
    return network.hosts
