"""Logs events to a run on MLflow's server, which may have been away since before the driver started."""

import tempfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from ganflow.config.schema import TrackingConfig
from ganflow.errors import GanflowError
from ganflow.tracking import mlflow_client
from ganflow.tracking.runs.run_events import Artifact, Event, Point

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run


class Uploader:
    """Logs events to one run; a step that a curve already has on the server is not logged again.

    Every method raises when the server does not answer, and may then be called again. For one thread.

    Args:
        config: where MLflow is.
        run_id: of a run that is there.
        client: None: the server is looked for when there is something to deliver.
        run: as the server knows it; None: it is asked.
        resume: mark the run as running at the first contact.
    """

    def __init__(
        self,
        config: TrackingConfig,
        run_id: str,
        client: "MlflowClient | None" = None,
        run: "Run | None" = None,
        resume: bool = False,
    ) -> None:
        self._config, self.run_id, self._client, self._resume = config, run_id, client, resume
        self._known: dict[str, set[int]] = {}  # the steps of each key that are on the server
        self._on_server: set[str] | None = set(run.data.metrics) if run else None  # keys that others logged

    def __call__(self, events: Sequence[Event]) -> None:
        """Log some points or artifacts."""
        points = [event for event in events if isinstance(event, Point)]
        for event in events:
            if isinstance(event, Artifact):
                self._upload(event)
        if points:
            self._log(points)

    def end(self, status: str) -> None:
        """End the run; FINISHED, FAILED or KILLED."""
        self._connected().set_terminated(self.run_id, status)

    def describe(self, error: Exception) -> str:
        """One line on why it failed."""
        return str(
            error
            if isinstance(error, GanflowError)
            else mlflow_client.unreachable(mlflow_client.uri_of(self._config), error)
        )

    def _connected(self) -> "MlflowClient":
        """The client, once the server has answered."""
        if self._client is None:
            self._client = mlflow_client.connect(self._config)
        if self._resume:
            self._client.update_run(self.run_id, status="RUNNING")
            self._resume = False
        return self._client

    def _upload(self, artifact: Artifact) -> None:
        path = PurePosixPath(artifact.path)
        with tempfile.TemporaryDirectory() as folder:
            local = Path(folder, path.name)
            local.write_bytes(artifact.content)
            self._connected().log_artifact(self.run_id, str(local), str(path.parent) if path.parent.name else None)

    def _log(self, points: Sequence[Point]) -> None:
        from mlflow.entities import Metric

        fresh: dict[tuple[str, int], Point] = {}
        for point in points:
            if point.step not in self._steps(point.key):
                fresh.setdefault((point.key, point.step), point)
        if not fresh:
            return
        # The same points sent again after a lost answer are the same rows: the time is part of a point.
        metrics = [Metric(p.key, p.value, p.timestamp_ms, p.step) for p in fresh.values()]
        self._connected().log_batch(self.run_id, metrics)
        for key, step in fresh:
            self._known[key].add(step)

    def _steps(self, key: str) -> set[int]:
        if key not in self._known:
            client = self._connected()
            if self._on_server is None:
                self._on_server = set(client.get_run(self.run_id).data.metrics)
            history = client.get_metric_history(self.run_id, key) if key in self._on_server else []
            self._known[key] = {metric.step for metric in history}
        return self._known[key]
