"""MLflow as a team runs it: ``infra/mlflow/serve.sh`` over PostgreSQL and S3."""

import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from tests.support.ports import free_port
from tests.support.project import ROOT
from tests.system.process import Server

SCRIPT = ROOT / "infra/mlflow/serve.sh"


class MlflowServer:
    """The server, which can be killed and started again on the same port and stores.

    Args:
        log: where its output goes.
        backend: ``postgresql://…``
        artifacts: ``s3://…``
        storage: the environment that reaches the artifacts.
    """

    def __init__(self, log: Path, backend: str, artifacts: str, storage: Mapping[str, str]) -> None:
        self.port = free_port()
        self.uri = f"http://127.0.0.1:{self.port}"
        stores = ["--backend", backend, "--artifacts", artifacts, "--port", str(self.port)]
        # One process: a test is its only client.
        options = ["--", "--workers", "1", "--allowed-hosts", "127.0.0.1:*,10.91.*"]
        self._server = Server("MLflow", [str(SCRIPT), *stores, *options], log, storage)

    def start(self) -> None:
        """Start it; answers when this returns."""
        self._server.start(self.answers)

    def kill(self) -> None:
        """SIGKILL all its processes."""
        self._server.stop()

    def answers(self) -> bool:
        """Whether it says that it is well."""
        with suppress(OSError), urllib.request.urlopen(f"{self.uri}/health", timeout=2) as answer:
            return bool(answer.status == 200)
        return False
