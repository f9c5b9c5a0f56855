"""Events on their way to MLflow: callers never wait, order is kept, an outage loses nothing.

A later store on disk takes the place of the deque here: ``put`` appends to it, ``_delivered`` removes from it.
"""

import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

GATHER_S = 1.0  # events of this long go out together
RETRY_S = 2.0
MAX_BATCH = 1000  # metrics per request, MLflow's limit


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


class Outbox:
    """Delivers events in the order in which they were put, from one thread of its own.

    Args:
        deliver: takes either some points or a single artifact; raises when they did not arrive. It may be called
            again with events that did arrive although it raised.
        describe: one line on why delivery failed.
    """

    def __init__(self, deliver: Callable[[Sequence[Event]], None], describe: Callable[[Exception], str]) -> None:
        self._deliver, self._describe = deliver, describe
        self._events: deque[Event] = deque()
        self._changed = threading.Condition()
        self._deadline: float | None = None  # set once: no more events come, and what is left has until then
        self._failure: Exception | None = None
        self._warned = False
        self._thread = threading.Thread(target=self._work, name="mlflow-outbox", daemon=True)
        self._thread.start()

    def put(self, events: Sequence[Event]) -> None:
        """Take events; returns at once."""
        with self._changed:
            self._events.extend(events)
            self._changed.notify()

    def close(self, patience_s: float) -> str | None:
        """Deliver what is left, for at most ``patience_s``; None, or one line on what did not arrive and why."""
        with self._changed:
            self._deadline = time.monotonic() + patience_s
            self._changed.notify()
        self._thread.join(patience_s + RETRY_S)
        left = len(self._events)
        if not left:
            return None
        why = self._describe(self._failure) if self._failure else "too slow"
        return f"{left} metrics and files did not arrive: {why}"

    def _work(self) -> None:
        while batch := self._next():
            try:
                self._deliver(batch)
            except Exception as error:  # whatever MLflow or its artifact store raises: training goes on
                if not self._retry_later(error):
                    return
            else:
                self._delivered(len(batch))

    def _next(self) -> list[Event]:
        """The next events that go out together; empty when all are delivered and no more come."""
        with self._changed:
            self._changed.wait_for(lambda: self._events or self._deadline is not None)
            full = lambda: self._deadline is not None or len(self._events) >= MAX_BATCH  # noqa: E731
            self._changed.wait_for(full, GATHER_S)
            batch: list[Event] = []
            for event in self._events:
                if isinstance(event, Artifact) or len(batch) == MAX_BATCH:
                    return batch or [event]
                batch.append(event)
            return batch

    def _delivered(self, count: int) -> None:
        with self._changed:
            for _ in range(count):
                self._events.popleft()
        if self._failure is not None:
            print("ganflow: MLflow answers again", file=sys.stderr)
        self._failure, self._warned = None, False

    def _retry_later(self, error: Exception) -> bool:
        self._failure = error
        if not self._warned:
            print(f"ganflow: {self._describe(error)}; training goes on and keeps what it logs", file=sys.stderr)
            self._warned = True
        with self._changed:
            if self._deadline is None:
                self._changed.wait_for(lambda: self._deadline is not None, RETRY_S)
                return True
        left = self._deadline - time.monotonic()
        time.sleep(max(0.0, min(left, RETRY_S / 4)))
        return left > 0
