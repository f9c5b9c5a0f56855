"""Events on their way to MLflow, in memory: callers never wait, order is kept, an outage is waited for."""

import logging
import math
import threading
import time
from collections.abc import Callable, Sequence

from ganflow.tracking.runs.run_events import Artifact, Event, Point

logger = logging.getLogger(__name__)

GATHER_S = 1.0  # events of this long go out together
RETRY_S = 2.0
QUIET_S = 5.0  # waiting for longer is told
MAX_BATCH = 1000  # metrics per request, MLflow's limit

_Key = tuple[str, int | None]  # a curve and a step, or a file's path and None


class UploadQueue:
    """Delivers events in the order in which they were put, from one thread of its own.

    A step that a curve is given twice is sent once, as first put; a file that is put again replaces itself. So what a
    long outage holds in memory is the run's curves and files, however often they are put.

    Args:
        deliver: takes either some points or a single artifact; raises when they did not arrive. It may be called
            again with events that did arrive although it raised.
        describe: one line on why delivery failed.
    """

    def __init__(self, deliver: Callable[[Sequence[Event]], None], describe: Callable[[Exception], str]) -> None:
        self._deliver, self._describe = deliver, describe
        self._waiting: dict[_Key, Event] = {}  # in order
        self._changed = threading.Condition()
        self._failure: Exception | None = None
        self._closing = self._done = self._abandoned = False
        self._last: Callable[[], None] = lambda: None
        self._patience_s = self._limit = math.inf
        self._progress = time.monotonic()  # when something last arrived
        self._thread = threading.Thread(target=self._work, name="mlflow-uploads", daemon=True)
        self._thread.start()

    def put(self, events: Sequence[Event]) -> None:
        """Take events; returns at once."""
        with self._changed:
            for event in events:
                if isinstance(event, Point):
                    self._waiting.setdefault((event.key, event.step), event)
                else:
                    self._waiting.pop((event.path, None), None)
                    self._waiting[event.path, None] = event
            self._changed.notify()

    def close(self, patience_s: float, limit_s: float = math.inf, last: Callable[[], None] | None = None) -> str | None:
        """Deliver what is left, then call ``last`` until it does not raise. No event may come any more.

        Args:
            patience_s: seconds without anything arriving after which it gives up.
            limit_s: seconds after which it gives up in any case.
            last: what is to be told the server after all events.

        Returns:
            None, or one line on what did not arrive and why.
        """
        begin = time.monotonic()
        with self._changed:
            self._closing, self._last = True, last or self._last
            self._progress, self._patience_s, self._limit = begin, patience_s, begin + limit_s
            self._changed.notify()
        self._thread.join(min(QUIET_S, patience_s, limit_s))
        if self._thread.is_alive() and self._time_left() > 0:
            logger.info(f"waiting for MLflow to take {self._rest()}")
        while self._thread.is_alive() and self._time_left() > 0:
            self._thread.join(min(self._time_left(), RETRY_S))
        with self._changed:
            self._abandoned = not self._done
            self._changed.notify()
            return self._lost(time.monotonic() - begin) if self._abandoned else None

    def _work(self) -> None:
        while self._wait():
            if not self._insist(self._send):
                return
        if self._insist(self._last):
            with self._changed:
                self._done = True

    def _wait(self) -> bool:
        """Until a batch is worth sending; False when all has arrived and no more comes."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closing)
            self._changed.wait_for(lambda: len(self._waiting) >= MAX_BATCH or self._closing, GATHER_S)
            return bool(self._waiting)

    def _send(self) -> None:
        """Deliver the next events that go out together."""
        with self._changed:
            batch = self._next()
        self._deliver(list(batch.values()))
        with self._changed:
            for key, event in batch.items():
                if self._waiting.get(key) is event:  # else a file was put again meanwhile
                    del self._waiting[key]

    def _next(self) -> dict[_Key, Event]:
        """Some points, or one artifact."""
        batch: dict[_Key, Event] = {}
        for key, event in self._waiting.items():
            if isinstance(event, Artifact):
                return batch or {key: event}
            batch[key] = event
            if len(batch) == MAX_BATCH:
                break
        return batch

    def _insist(self, action: Callable[[], None]) -> bool:
        """Try until it does not raise; False when it was given up."""
        while not self._abandoned:
            try:
                action()
            except Exception as error:  # whatever MLflow or its artifact store raise: training goes on
                self._retry_later(error)
            else:
                self._arrived()
                return True
        return False

    def _arrived(self) -> None:
        with self._changed:
            self._progress = time.monotonic()
            failed, self._failure = self._failure, None
        if failed is not None:
            logger.info("MLflow answers again")

    def _retry_later(self, error: Exception) -> None:
        with self._changed:
            failed, self._failure = self._failure, error
            closing = self._closing
        if failed is None and not self._abandoned:
            logger.warning(
                f"{self._describe(error)}; " + ("trying on" if closing else "training goes on and keeps what it logs")
            )
        with self._changed:
            wait_s = RETRY_S / 4 if closing else RETRY_S
            self._changed.wait_for(lambda: self._abandoned or self._closing != closing, wait_s)

    def _time_left(self) -> float:
        return min(self._progress + self._patience_s, self._limit) - time.monotonic()

    def _rest(self) -> str:
        return f"{len(self._waiting):,} metrics and files" if self._waiting else "the run's status"

    def _lost(self, seconds: float) -> str:
        why = self._describe(self._failure) if self._failure else f"it did not finish within {seconds:.0f} s"
        return f"{self._rest()} did not reach MLflow: {why}"
