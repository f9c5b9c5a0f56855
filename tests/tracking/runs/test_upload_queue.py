import threading
import tracemalloc
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from ganflow.tracking.runs import upload_queue
from ganflow.tracking.runs.run_events import Artifact, Event, Point
from ganflow.tracking.runs.spool import About, Spool
from ganflow.tracking.runs.upload_queue import Outbox


class Line:
    """A way to a store that can be cut."""

    def __init__(self) -> None:
        self.arrived: list[Event] = []
        self.batches: list[int] = []
        self.cut = False
        self.tried = threading.Event()

    def deliver(self, events: Sequence[Event]) -> None:
        if self.cut:
            self.tried.set()
            raise ConnectionError("cut")
        self.arrived.extend(events)
        self.batches.append(len(events))


def points(count: int, first: int = 0) -> list[Event]:
    return [Point("loss", float(i), i, i) for i in range(first, first + count)]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload_queue, "GATHER_S", 0.01)
    monkeypatch.setattr(upload_queue, "RETRY_S", 0.05)


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    opened = Spool(tmp_path / "outbox" / "r1", About("r1", "f00d", "sqlite:///x", 0))
    yield opened
    opened.close()


def test_all_arrive_in_order_in_batches_that_mlflow_takes(spool: Spool) -> None:
    line = Line()
    box = Outbox(spool, line.deliver, str)
    events = [*points(2500), Artifact("samples/a.png", b"a"), *points(3)]
    box.put(events)
    assert box.close(10.0) is None
    assert line.arrived == events
    assert max(line.batches) <= upload_queue.MAX_BATCH


def test_an_outage_is_told_once_and_loses_nothing(spool: Spool, capsys: pytest.CaptureFixture[str]) -> None:
    line = Line()
    line.cut = True
    box = Outbox(spool, line.deliver, str)
    events = points(10)
    for event in events:
        box.put([event])
    assert line.tried.wait(10.0)
    line.tried.clear()
    assert line.tried.wait(10.0)  # it tries again
    line.cut = False
    assert box.close(10.0) is None
    assert line.arrived == events
    assert capsys.readouterr().err.splitlines() == [
        "ganflow: cut; training goes on and keeps what it logs",
        "ganflow: MLflow answers again",
    ]


def test_what_cannot_be_delivered_is_told_and_goes_first_from_the_next_outbox(spool: Spool) -> None:
    line = Line()
    line.cut = True
    box = Outbox(spool, line.deliver, str)
    events = [*points(3), Artifact("a.txt", b"kept")]
    box.put(events)
    assert line.tried.wait(10.0)
    assert box.close(0.2) == f"4 metrics and files did not reach MLflow: cut; kept in {spool.folder}"
    spool.close()
    line.cut = False
    box = Outbox(_again(spool), line.deliver, str)
    box.put(points(2, first=3))
    assert box.close(10.0) is None
    assert line.arrived == [*events, *points(2, first=3)]


def _again(spool: Spool) -> Spool:
    again = Spool(spool.folder, spool.about)
    again.open()
    return again


def test_the_last_word_comes_after_all_events_and_is_tried_again(spool: Spool) -> None:
    line, said = Line(), []

    def last() -> None:
        said.append(len(line.arrived))
        if len(said) < 3:
            raise ConnectionError("cut")

    box = Outbox(spool, line.deliver, str)
    box.put(points(5))
    assert box.close(10.0, last=last) is None
    assert said == [5, 5, 5]


def test_patience_is_for_silence_and_the_limit_for_all(spool: Spool) -> None:
    line, slow = Line(), threading.Event()

    def deliver(events: Sequence[Event]) -> None:
        slow.wait(0.6)
        line.deliver(events)

    box = Outbox(spool, deliver, str)
    box.put(points(6000))
    assert box.close(2.0) is None  # six requests take 3.6 s
    spool.close()
    box = Outbox(_again(spool), deliver, str)
    box.put(points(60_000))
    lost = box.close(10.0, limit_s=1.0)
    assert lost is not None
    assert lost.endswith(f" metrics and files did not reach MLflow: it is too slow; kept in {spool.folder}")


def test_an_outage_fills_the_disk_and_not_the_memory(spool: Spool) -> None:
    line = Line()
    line.cut = True
    box = Outbox(spool, line.deliver, str)
    picture = bytes(1 << 20)
    box.put(points(2000))
    tracemalloc.start()
    try:
        for first in range(0, 30_000, 500):
            box.put(points(500, first))
        for _ in range(10):
            box.put([Artifact("samples/a.png", picture)])
        kept, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 1 << 20
    assert peak < 4 << 20
    line.cut = False
    assert box.close(30.0) is None
    assert len(line.arrived) == 32_010
