"""Events on their way to MLflow: callers never wait, order is kept, an outage loses nothing."""

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice

from ganflow.terminal.console import tell
from ganflow.tracking.runs.run_events import Artifact, Event
from ganflow.tracking.runs.spool import Spool

GATHER_S = 1.0  # events of this long go out together
RETRY_S = 2.0
QUIET_S = 5.0  # waiting for longer is told
MAX_BATCH = 1000  # metrics per request, MLflow's limit


class Outbox:
    """Delivers events in the order in which they were put, from one thread of its own; first what the spool holds.

    Args:
        spool: where events wait. What a full disk does not take waits in memory, behind what it took.
        deliver: takes either some points or a single artifact; raises when they did not arrive. It may be called
            again with events that did arrive although it raised.
        describe: one line on why delivery failed.
    """

    def __init__(
        self, spool: Spool, deliver: Callable[[Sequence[Event]], None], describe: Callable[[Exception], str]
    ) -> None:
        self.spool = spool
        self._deliver, self._describe = deliver, describe
        self._held: deque[Event] = deque()  # what the disk refused, and all that came after it
        self._refusal: OSError | None = None
        self._changed = threading.Condition()
        self._failure: Exception | None = None
        self._closing = self._done = self._abandoned = False
        self._last: Callable[[], None] = lambda: None
        self._patience_s = self._limit = math.inf
        self._progress = time.monotonic()  # when something last arrived
        self._thread = threading.Thread(target=self._work, name="mlflow-outbox", daemon=True)
        self._thread.start()

    def put(self, events: Sequence[Event]) -> None:
        """Take events; returns at once."""
        with self._changed:
            self._held.extend(events)
            if self._refusal is None:
                self._store()
            self._changed.notify()

    def close(self, patience_s: float, limit_s: float = math.inf, last: Callable[[], None] | None = None) -> str | None:
        """Deliver what is left, then call ``last`` until it does not raise. No event may come any more.

        Args:
            patience_s: seconds without anything arriving after which it gives up.
            limit_s: seconds after which it gives up in any case.
            last: what is to be told the server after all events.

        Returns:
            None, or one line on what did not arrive, why, and where it is.
        """
        with self._changed:
            self._closing, self._last = True, last or self._last
            self._progress = time.monotonic()
            self._patience_s, self._limit = patience_s, self._progress + limit_s
            self._changed.notify()
        self._thread.join(min(QUIET_S, patience_s, limit_s))
        if self._thread.is_alive() and self._time_left() > 0:
            tell(f"waiting for MLflow to take {self._rest()}")
        while self._thread.is_alive() and self._time_left() > 0:
            self._thread.join(min(self._time_left(), RETRY_S))
        with self._changed:
            self._abandoned = not self._done
            self._changed.notify()
            return self._lost() if self._abandoned else None

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
            self._changed.wait_for(lambda: self._left() or self._closing)
            self._changed.wait_for(lambda: self._left() >= MAX_BATCH or self._closing, GATHER_S)
            return self._left() > 0

    def _send(self) -> None:
        """Deliver the next events that go out together."""
        with self._changed:
            if self._refusal is not None and self._held:
                self._store()  # here alone while the disk refuses: what is being delivered stays where it is
            on_disk = self.spool.left > 0
            batch = self.spool.read(MAX_BATCH) if on_disk else self._next_held()
        if batch:
            self._deliver(batch)
        with self._changed:
            if self._abandoned:
                return
            if on_disk:
                self.spool.acknowledge()
            else:
                for _ in batch:
                    self._held.popleft()

    def _next_held(self) -> list[Event]:
        batch: list[Event] = []
        for event in islice(self._held, MAX_BATCH):
            if isinstance(event, Artifact):
                return batch or [event]
            batch.append(event)
        return batch

    def _store(self) -> None:
        """Move what memory holds to the disk, as far as the disk takes it."""
        refused_before = self._refusal is not None
        try:
            while self._held:
                some = list(islice(self._held, MAX_BATCH))
                self.spool.append(some)
                for _ in some:
                    self._held.popleft()
            self._refusal = None
        except OSError as error:
            self._refusal = error
        if self._refusal and not refused_before:
            tell(f"{self.spool.folder}: {self._refusal.strerror}; training goes on and keeps in memory what it logs")
        elif refused_before and not self._refusal:
            tell(f"{self.spool.folder} takes what training logs again")

    def _insist(self, action: Callable[[], None]) -> bool:
        """Try until it does not raise; False when it was given up."""
        while not self._abandoned:
            try:
                action()
            except Exception as error:  # whatever MLflow, its artifact store or the disk raise: training goes on
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
            tell("MLflow answers again")

    def _retry_later(self, error: Exception) -> None:
        with self._changed:
            failed, self._failure = self._failure, error
            closing = self._closing
        if failed is None and not self._abandoned:
            tell(f"{self._describe(error)}; " + ("trying on" if closing else "training goes on and keeps what it logs"))
        with self._changed:
            wait_s = RETRY_S / 4 if closing else RETRY_S
            self._changed.wait_for(lambda: self._abandoned or self._closing != closing, wait_s)

    def _left(self) -> int:
        return self.spool.left + len(self._held)

    def _time_left(self) -> float:
        return min(self._progress + self._patience_s, self._limit) - time.monotonic()

    def _rest(self) -> str:
        return f"{self._left():,} metrics and files" if self._left() else "the run's status"

    def _lost(self) -> str:
        why = self._describe(self._failure) if self._failure else "it is too slow"
        kept = f"kept in {self.spool.folder}"
        if self._held and self._refusal:
            kept += f" but for the last {len(self._held):,} ({self._refusal.strerror})"
        return f"{self._rest()} did not reach MLflow: {why}; {kept}"
