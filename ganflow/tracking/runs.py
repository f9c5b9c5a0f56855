"""One MLflow run per training. Only the driver talks to MLflow; workers hand it their events."""

import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any, Self

from ganflow.errors import GanflowError
from ganflow.schema import TrackingConfig
from ganflow.tracking import server
from ganflow.tracking.outbox import Artifact, Event, Outbox, Point
from ganflow.tracking.params import clean_key, loggable, redact
from ganflow.tracking.system import SystemSampler

FINGERPRINT = "ganflow.fingerprint"
SAMPLES = "samples"  # where a run's grids are
PATIENCE_S = 60.0  # for an outage at the end of a run
_FAILED_PATIENCE_S = 5.0  # someone waits for a traceback
_PARAMS_PER_REQUEST = 100
_DIGEST_SIZE = 36


@dataclass(frozen=True)
class DataSet:
    """The data that a run was trained on, as MLflow lists it among the run's inputs."""

    name: str
    digest: str
    source: str  # path or URI of the prepared data
    profile: Mapping[str, Any] = field(default_factory=dict)  # resolution, channels, classes, counts


class TrackedRun:
    """An MLflow run that takes curves and files without making the caller wait.

    As a context manager it finishes the run: FINISHED, FAILED on an exception, KILLED on an interrupt.
    """

    def __init__(self, client: Any, config: TrackingConfig, run: Any) -> None:
        self.run_id: str = run.info.run_id
        self.experiment_id: str = run.info.experiment_id
        self._client, self._uri = client, server.uri_of(config)
        self._known: dict[str, set[int]] = {}  # the steps of each key that are on the server
        self._on_server = set(run.data.metrics)  # keys that an earlier process logged
        self._outbox = Outbox(self._deliver, self._describe)
        self._sampler = SystemSampler(run.info.start_time, self.metrics)
        self._finished = False

    @classmethod
    def open(
        cls,
        config: TrackingConfig,
        fingerprint: str,
        name: str,
        params: Mapping[str, Any],
        tags: Mapping[str, str | None],
        dataset: DataSet | None = None,
    ) -> "TrackedRun":
        """Continue the unfinished run of this fingerprint, or begin one.

        Args:
            config: where MLflow is, and the experiment.
            fingerprint: equal for equal configuration, data and code.
            name: the run's name in MLflow.
            params: flat, dotted keys; secrets in URIs are taken out.
            tags: as ``params``; None is left out.
            dataset: logged as the run's input.

        Raises:
            GanflowError: MLflow does not answer.
        """
        client = server.connect(config)
        experiment_id = server.experiment(client, config)
        with server.telling(server.uri_of(config)):
            run = _unfinished(client, experiment_id, fingerprint)
            if run is None:
                run = _create(client, experiment_id, name, {**tags, FINGERPRINT: fingerprint})
            else:
                client.update_run(run.info.run_id, status="RUNNING")
            _log_params(client, run, loggable(params))
            if dataset is not None:
                client.log_inputs(run.info.run_id, [_input(dataset)])
        return cls(client, config, run)

    def metrics(self, values: Mapping[str, float], step: int) -> None:
        """Points of curves at ``step`` images seen; a step that a curve already has is not logged again."""
        now = int(time.time() * 1000)
        self._outbox.put([Point(clean_key(key), float(value), step, now) for key, value in values.items()])

    def image(self, png: bytes, name: str) -> None:
        """A sample grid, as ``samples/<name>``."""
        self.artifact(png, f"{SAMPLES}/{name}")

    def text(self, content: str, path: str) -> None:
        """A text file of the run."""
        self.artifact(content.encode(), path)

    def artifact(self, content: bytes, path: str) -> None:
        """A file of the run, at ``path`` below its artifacts."""
        self._outbox.put([Artifact(path, content)])

    def finish(self, status: str = "FINISHED") -> None:
        """Deliver what is left and end the run; FINISHED, FAILED or KILLED.

        Raises:
            GanflowError: a FINISHED run's curves or files could not be delivered. Its run stays open on the server.
        """
        if self._finished:
            return
        self._finished = True
        self._sampler.stop()
        complete = status == "FINISHED"
        lost = self._outbox.close(PATIENCE_S if complete else _FAILED_PATIENCE_S)
        if lost is None:
            lost = self._terminate(status)
        if lost and complete:
            raise GanflowError(f"run {self.run_id}: {lost}")
        if lost:
            print(f"ganflow: run {self.run_id}: {lost}", file=sys.stderr)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if kind is None:
            self.finish()
        else:
            self.finish("FAILED" if issubclass(kind, Exception) else "KILLED")

    def _terminate(self, status: str) -> str | None:
        from mlflow.exceptions import MlflowException

        try:
            self._client.set_terminated(self.run_id, status)
        except MlflowException as error:
            return self._describe(error)
        return None

    def _describe(self, error: Exception) -> str:
        return str(server.unreachable(self._uri, error))

    def _deliver(self, events: Sequence[Event]) -> None:
        points = [event for event in events if isinstance(event, Point)]
        for event in events:
            if isinstance(event, Artifact):
                self._upload(event)
        if points:
            self._log(points)

    def _upload(self, artifact: Artifact) -> None:
        path = PurePosixPath(artifact.path)
        with tempfile.TemporaryDirectory() as folder:
            local = Path(folder, path.name)
            local.write_bytes(artifact.content)
            self._client.log_artifact(self.run_id, str(local), str(path.parent) if path.parent.name else None)

    def _log(self, points: Sequence[Point]) -> None:
        from mlflow.entities import Metric

        fresh: dict[tuple[str, int], Point] = {}
        for point in points:
            if point.step not in self._steps(point.key):
                fresh.setdefault((point.key, point.step), point)
        # The same points sent again after a lost answer are the same rows: the time is part of a point.
        self._client.log_batch(self.run_id, [Metric(p.key, p.value, p.timestamp_ms, p.step) for p in fresh.values()])
        for key, step in fresh:
            self._known[key].add(step)

    def _steps(self, key: str) -> set[int]:
        if key not in self._known:
            history = self._client.get_metric_history(self.run_id, key) if key in self._on_server else []
            self._known[key] = {metric.step for metric in history}
        return self._known[key]


def _unfinished(client: Any, experiment_id: str, fingerprint: str) -> Any | None:
    runs = client.search_runs(
        [experiment_id],
        f"tags.`{FINGERPRINT}` = '{fingerprint}' AND attributes.status != 'FINISHED'",
        max_results=1,
        order_by=["attributes.start_time DESC"],
    )
    return runs[0] if runs else None


def _create(client: Any, experiment_id: str, name: str, tags: Mapping[str, str | None]) -> Any:
    from mlflow.tracking.context.registry import resolve_tags

    return client.create_run(experiment_id, tags=resolve_tags(loggable(tags)), run_name=name)


def _log_params(client: Any, run: Any, params: Mapping[str, str]) -> None:
    """Log what the run does not have yet: where a continued run computes may have changed, and MLflow refuses that."""
    from mlflow.entities import Param

    new = [Param(key, value) for key, value in params.items() if key not in run.data.params]
    for first in range(0, len(new), _PARAMS_PER_REQUEST):
        client.log_batch(run.info.run_id, params=new[first : first + _PARAMS_PER_REQUEST])


def _input(dataset: DataSet) -> Any:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    entity = Dataset(
        name=dataset.name,
        digest=dataset.digest[:_DIGEST_SIZE],
        source_type="local",
        source=json.dumps({"uri": redact(dataset.source)}),
        profile=json.dumps({"digest": dataset.digest, **dataset.profile}),
    )
    return DatasetInput(entity, [InputTag("mlflow.data.context", "training")])
