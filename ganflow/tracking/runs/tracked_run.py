"""One MLflow run per training. Only the driver talks to MLflow; workers hand it their events."""

import contextlib
import json
import logging
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ganflow.config.schema import TrackingConfig
from ganflow.errors import GanflowError, StoppedError
from ganflow.terminal.redaction import redact
from ganflow.tracking import mlflow_client
from ganflow.tracking.runs.flat_params import clean_key, loggable
from ganflow.tracking.runs.run_events import Artifact, Point
from ganflow.tracking.runs.system_metrics import SystemSampler
from ganflow.tracking.runs.unfinished_run import UnfinishedRun
from ganflow.tracking.runs.upload_queue import UploadQueue
from ganflow.tracking.runs.uploader import Uploader

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

logger = logging.getLogger(__name__)

FINGERPRINT = "ganflow.fingerprint"
SAMPLES = "samples"  # where a run's grids are
_FAILED_LIMIT_S = 5.0  # someone waits for a traceback
_PARAMS_PER_REQUEST = 100
_DIGEST_SIZE = 36


@dataclass(frozen=True)
class DataSet:
    """The data that a run was trained on, as MLflow lists it among the run's inputs."""

    name: str
    digest: str
    source: str  # path or URI of the prepared data
    profile: Mapping[str, object] = field(default_factory=dict)  # resolution, channels, classes, counts


class TrackedRun:
    """An MLflow run that takes curves and files without making the caller wait.

    As a context manager it finishes the run: FINISHED, FAILED on an exception, KILLED on an interrupt or a stop.
    """

    def __init__(
        self, uploader: Uploader, note: Path, started_ms: int, patience_s: float, delivered_by: str | None
    ) -> None:
        self.run_id = uploader.run_id
        self._uploader, self._note = uploader, note
        self._patience_s, self._delivered_by = patience_s, delivered_by
        self._queue = UploadQueue(uploader, uploader.describe)
        self._sampler = SystemSampler(started_ms, self.metrics)
        self._finished = False

    @classmethod
    def open(
        cls,
        config: TrackingConfig,
        unfinished: Path,
        fingerprint: str,
        name: str,
        params: Mapping[str, object],
        tags: Mapping[str, str | None],
        dataset: DataSet | None = None,
        delivered_by: str | None = None,
    ) -> "TrackedRun":
        """Continue the unfinished run of this fingerprint, or begin one.

        A run that an earlier driver began here goes on without the server. The caller sees to it that no other process
        of this project opens the same one.

        Args:
            config: where MLflow is, the experiment, and how long to wait for MLflow at the end.
            unfinished: a folder on this machine for notes of runs that have begun.
            fingerprint: equal for equal configuration, data and code.
            name: the run's name in MLflow.
            params: flat, dotted keys; secrets in URIs are taken out.
            tags: as ``params``; None is left out.
            dataset: logged as the run's input.
            delivered_by: what delivers the rest when MLflow does not have everything at the end; None: that is an
                error, and the same command does.

        Raises:
            GanflowError: MLflow does not answer.
        """
        note = UnfinishedRun.note(unfinished, fingerprint)
        try:
            client = mlflow_client.connect(config)
            run = _begin(client, config, fingerprint, name, params, tags, dataset)
        except GanflowError as error:
            run_note = UnfinishedRun.read(note, config)
            if run_note is None:
                raise
            logger.warning(f"{error}; run {run_note.run_id} goes on without it")
            uploader = Uploader(config, run_note.run_id, resume=True)
        else:
            run_note = UnfinishedRun(run.info.run_id, mlflow_client.name_of(config), run.info.start_time)
            run_note.write(note)
            uploader = Uploader(config, run_note.run_id, client, run)
        return cls(uploader, note, run_note.started_ms, config.patience_s, delivered_by)

    def metrics(self, values: Mapping[str, float], step: int) -> None:
        """Points of curves at ``step`` images seen; a step that a curve already has is not logged again."""
        now = int(time.time() * 1000)
        self._queue.put([Point(clean_key(key), float(value), step, now) for key, value in values.items()])

    def image(self, png: bytes, name: str) -> None:
        """A sample grid, as ``samples/<name>``."""
        self.artifact(png, f"{SAMPLES}/{name}")

    def text(self, content: str, path: str) -> None:
        """A text file of the run."""
        self.artifact(content.encode(), path)

    def artifact(self, content: bytes, path: str) -> None:
        """A file of the run, at ``path`` below its artifacts."""
        self._queue.put([Artifact(path, content)])

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
        limit_s = math.inf if complete else _FAILED_LIMIT_S
        lost = self._queue.close(self._patience_s, limit_s, last=lambda: self._uploader.end(status))
        if lost is None:
            if complete:
                with contextlib.suppress(OSError):
                    self._note.unlink()
            return
        line = f"run {self.run_id}: {lost}"
        if complete and self._delivered_by is None:
            raise GanflowError(f"{line}; the same command delivers it, and does not train again")
        logger.warning(f"{line}; {self._delivered_by if complete else 'the same command'} delivers it")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if kind is None:
            self.finish()
        else:
            failed = issubclass(kind, Exception) and not issubclass(kind, StoppedError)
            self.finish("FAILED" if failed else "KILLED")


def _begin(
    client: "MlflowClient",
    config: TrackingConfig,
    fingerprint: str,
    name: str,
    params: Mapping[str, object],
    tags: Mapping[str, str | None],
    dataset: DataSet | None,
) -> "Run":
    experiment_id = mlflow_client.experiment(client, config)
    with mlflow_client.telling(mlflow_client.uri_of(config)):
        run = _unfinished(client, experiment_id, fingerprint)
        if run is None:
            run = create(client, experiment_id, name, {**tags, FINGERPRINT: fingerprint})
        else:
            client.update_run(run.info.run_id, status="RUNNING")
        log_params(client, run, loggable(params))
        if dataset is not None:
            log_data(client, run.info.run_id, dataset)
    return run


def _unfinished(client: "MlflowClient", experiment_id: str, fingerprint: str) -> "Run | None":
    runs = client.search_runs(
        [experiment_id],
        f"tags.`{FINGERPRINT}` = '{fingerprint}' AND attributes.status != 'FINISHED'",
        max_results=1,
        order_by=["attributes.start_time DESC"],
    )
    return runs[0] if runs else None


def create(client: "MlflowClient", experiment_id: str, name: str, tags: Mapping[str, str | None]) -> "Run":
    """A new run, with who began it and how."""
    from mlflow.tracking.context.registry import resolve_tags

    return client.create_run(experiment_id, tags=resolve_tags(loggable(tags)), run_name=name)


def log_params(client: "MlflowClient", run: "Run", params: Mapping[str, str]) -> None:
    """Log what the run does not have yet: where a continued run computes may have changed, and MLflow refuses that."""
    from mlflow.entities import Param

    new = [Param(key, value) for key, value in params.items() if key not in run.data.params]
    for first in range(0, len(new), _PARAMS_PER_REQUEST):
        client.log_batch(run.info.run_id, params=new[first : first + _PARAMS_PER_REQUEST])


def log_data(client: "MlflowClient", run_id: str, dataset: DataSet) -> None:
    """Name the data among the run's inputs; again does no harm."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    entity = Dataset(
        name=dataset.name,
        digest=dataset.digest[:_DIGEST_SIZE],
        source_type="local",
        source=json.dumps({"uri": redact(dataset.source)}),
        profile=json.dumps({"digest": dataset.digest, **dataset.profile}),
    )
    inputs = [DatasetInput(entity, [InputTag("mlflow.data.context", "training")])]
    mlflow_client.again_after_a_clash(lambda: client.log_inputs(run_id, inputs))
