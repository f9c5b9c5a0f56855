"""The events that a run takes: points of curves, and files."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Point:
    """One value of a curve."""

    key: str
    value: float
    step: int  # images seen
    timestamp_ms: int


@dataclass(frozen=True)
class Artifact:
    """One file of a run; delivered again, it replaces itself."""

    path: str  # below the run's artifacts, with forward slashes
    content: bytes


Event = Point | Artifact
