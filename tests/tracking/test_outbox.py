import threading
from collections.abc import Sequence

import pytest

from ganflow.tracking import outbox
from ganflow.tracking.outbox import Artifact, Event, Outbox, Point


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


def points(count: int) -> list[Event]:
    return [Point("loss", float(i), i, i) for i in range(count)]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "GATHER_S", 0.01)
    monkeypatch.setattr(outbox, "RETRY_S", 0.05)


def test_all_arrive_in_order_in_batches_that_mlflow_takes() -> None:
    line = Line()
    box = Outbox(line.deliver, str)
    events = [*points(2500), Artifact("samples/a.png", b"a"), *points(3)]
    box.put(events)
    assert box.close(10.0) is None
    assert line.arrived == events
    assert max(line.batches) <= outbox.MAX_BATCH


def test_an_outage_is_told_once_and_loses_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    line = Line()
    line.cut = True
    box = Outbox(line.deliver, str)
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


def test_what_cannot_be_delivered_at_the_end_is_told() -> None:
    line = Line()
    line.cut = True
    box = Outbox(line.deliver, str)
    box.put(points(3))
    assert box.close(0.2) == "3 metrics and files did not arrive: cut"
