"""The rhythm of reports, snapshots and checkpoints: as often as asked, within a share of the time.

They are due by images seen. A device that is quick for its recipe would be held up by them several times a second, so
the clock may leave some out; a kind that is left out comes the next time that it is due.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from ganflow.distributed import collectives

REPORT, SNAPSHOT, CHECKPOINT = "report", "snapshot", "checkpoint"
PARTS = {REPORT: 0.2, SNAPSHOT: 0.4, CHECKPOINT: 0.4}  # of the share: an expensive snapshot starves no report
HORIZON_S = 1500.0  # after so long the share holds; shorter runs are left as they are for the most part


@dataclass
class _Cost:
    """The costs of a kind of event, in seconds."""

    all: float = 0.0
    last: float = 0.0  # as it was measured
    typical: float = 0.0  # the lesser of the last two
    announced: float = 0.0  # the typical one that the user knows


class Rhythm:
    """Decides which events that are due take place.

    After ``t`` seconds a kind may have taken ``overhead · part / 2 · (t + HORIZON_S)``: from ``HORIZON_S`` on that is
    at most ``overhead · part · t``. An event of ``c`` seconds is followed by the next after ``2 c / (overhead · part)``
    or when it is due, whichever is later: what a quick start took is not paid back by a long silence.

    Each event counts as what the cheaper of it and the one before took. So the first, which loads and compiles, and
    one that met a network that hung keep none of the next away.

    Args:
        overhead: the share of the time that all of them may take; None: no bound.
        clock: in seconds, from any start.
    """

    def __init__(self, overhead: float | None = None, clock: Callable[[], float] = time.perf_counter) -> None:
        self._overhead, self._clock = overhead, clock
        self._costs = {kind: _Cost() for kind in PARTS}
        self._start = clock()

    def begin(self) -> None:
        """Training begins now, in this process."""
        self._start = self._clock()

    def choose(self, due: Sequence[str]) -> list[str]:
        """Those of the kinds that are due which take place now. Rank 0 decides; every rank must call it."""
        if self._overhead is None or not due:
            return list(due)
        return collectives.from_rank_0(lambda: [kind for kind in due if self._costs[kind].all <= self._allowed(kind)])

    def _allowed(self, kind: str) -> float:
        return self._rate(kind) * (self._clock() - self._start + HORIZON_S)

    def _rate(self, kind: str) -> float:
        return (self._overhead or 0.0) * PARTS[kind] / 2

    @contextmanager
    def timed(self, kind: str) -> Iterator[None]:
        """Count the time of the block as that of an event."""
        start, cost = self._clock(), self._costs[kind]
        try:
            yield
        finally:
            seconds = self._clock() - start
            cost.typical, cost.last = min(seconds, cost.last), seconds
            cost.all += cost.typical

    def news(self, kind: str) -> str | None:
        """A line about a kind that was left out: the first time, and when it costs twice what the last line said."""
        cost = self._costs[kind]
        if cost.typical < 2 * cost.announced:
            return None
        cost.announced = cost.typical
        share, every = f"{200 * self._rate(kind):.2g} % of the time", cost.typical / self._rate(kind)
        bound = f"{share} (training.overhead={self._overhead:g})"
        return f"{kind}s take {cost.typical:.3g} s each: to stay within {bound} they come about every {every:,.1f} s"
