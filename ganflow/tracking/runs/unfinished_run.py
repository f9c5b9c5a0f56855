"""A note on the driver's machine of a run that has begun: with it the run goes on while MLflow is away."""

import contextlib
from dataclasses import dataclass
from pathlib import Path

from ganflow import records
from ganflow.config.schema import TrackingConfig
from ganflow.tracking import mlflow_client


@dataclass(frozen=True)
class UnfinishedRun:
    """A run that the server knows and that has not finished."""

    run_id: str
    server: str  # its address without secrets
    started_ms: int

    @staticmethod
    def note(folder: Path, fingerprint: str) -> Path:
        """The file that says so of the run of this fingerprint; it goes when the run has finished."""
        return folder / f"{fingerprint}.json"

    @classmethod
    def read(cls, note: Path, config: TrackingConfig) -> "UnfinishedRun | None":
        """The run of a note, if there is one and it is of this server."""
        unfinished = records.noted(note, cls)
        return unfinished if unfinished and unfinished.server == mlflow_client.name_of(config) else None

    def write(self, note: Path) -> None:
        """Write the note; where the disk refuses it, only a start without MLflow is refused later."""
        with contextlib.suppress(OSError):
            records.write(note, self)
