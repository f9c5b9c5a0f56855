"""Events of a training. Rank 0 emits them; a bar, MLflow or a file may listen."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Started:
    """Training begins, or goes on after ``nimg`` images."""

    nimg: int
    total: int
    workers: int
    device: str
    players: tuple[str, ...] = ()  # their terms are called PLAYER/TERM in reports


@dataclass(frozen=True)
class Progressed:
    """So many images are seen by now: between reports, a few times in a second at most."""

    nimg: int


@dataclass(frozen=True)
class Report:
    """Means of the terms since the last report, over all workers; the method's figures; the rates where they vary."""

    nimg: int
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Snapshot:
    """Samples of the averaged generator from fixed latents, and its figures on a few samples."""

    nimg: int
    grid: bytes  # PNG
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Saving:
    """A checkpoint after ``nimg`` images is about to be written: what listeners keep beside it belongs before it."""

    nimg: int


@dataclass(frozen=True)
class Saved:
    """A checkpoint after ``nimg`` images is complete."""

    nimg: int


@dataclass(frozen=True)
class Paused:
    """Training stopped before its end because it was asked to; its state after ``nimg`` images is saved."""

    nimg: int
    why: str


@dataclass(frozen=True)
class Warned:
    """Something that a person should know, in one line."""

    nimg: int
    message: str


Event = Started | Progressed | Report | Snapshot | Saving | Saved | Paused | Warned
Listener = Callable[[Event], None]


def each(*listeners: Listener) -> Listener:
    """A listener that hands every event on to several, in order."""

    def hand_on(event: Event) -> None:
        for listener in listeners:
            listener(event)

    return hand_on


class Kept:
    """A listener that keeps events, in order, until there is one to take them. Threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._events: list[Event] = []
        self._listener: Listener = self._events.append

    def __call__(self, event: Event) -> None:
        with self._lock:
            self._listener(event)

    def hand_to(self, listener: Listener) -> None:
        """Let a listener have those that were kept, and all that come."""
        with self._lock:
            for event in self._events:
                listener(event)
            self._listener = listener


def silent(_: Event) -> None:
    """Hear an event and do nothing."""
