import threading
from collections.abc import Sequence

import pytest

from ganflow.tracking.runs import upload_queue
from ganflow.tracking.runs.run_events import Artifact, Event, Point
from ganflow.tracking.runs.upload_queue import UploadQueue
from tests.support.patience import patience


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


def test_all_arrive_in_order_in_batches_that_mlflow_takes() -> None:
    line = Line()
    queue = UploadQueue(line.deliver, str)
    events = [*points(2500), Artifact("samples/a.png", b"a"), *points(3, first=2500)]
    queue.put(events)
    assert queue.close(60.0) is None
    assert line.arrived == events
    assert max(line.batches) <= upload_queue.MAX_BATCH


@pytest.mark.usefixtures("messages")
def test_an_outage_is_told_once_and_loses_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    line = Line()
    line.cut = True
    queue = UploadQueue(line.deliver, str)
    events = points(10)
    for event in events:
        queue.put([event])
    assert line.tried.wait(patience(60.0))
    line.tried.clear()
    assert line.tried.wait(patience(60.0))  # it tries again
    line.cut = False
    assert queue.close(60.0) is None
    assert line.arrived == events
    assert capsys.readouterr().err.splitlines() == [
        "ganflow: cut; training goes on and keeps what it logs",
        "ganflow: MLflow answers again",
    ]


def test_events_that_are_put_again_in_an_outage_are_held_once() -> None:
    line = Line()
    line.cut = True
    queue = UploadQueue(line.deliver, str)
    queue.put(points(1))
    assert line.tried.wait(patience(60.0))
    for replay in range(3):  # as a training that starts again puts its history
        queue.put([*points(5), Artifact("warnings.txt", b"%d" % replay), Artifact("a.png", b"a"), *points(2, first=5)])
    line.cut = False
    assert queue.close(60.0) is None
    assert line.arrived == [*points(7), Artifact("warnings.txt", b"2"), Artifact("a.png", b"a")]


def test_a_file_that_is_put_again_while_it_is_sent_goes_out_again() -> None:
    line, sending, put_again = Line(), threading.Event(), threading.Event()

    def deliver(events: Sequence[Event]) -> None:
        sending.set()
        assert put_again.wait(patience(60.0))
        line.deliver(events)

    queue = UploadQueue(deliver, str)
    queue.put([Artifact("warnings.txt", b"one")])
    assert sending.wait(patience(60.0))
    queue.put([Artifact("warnings.txt", b"two")])
    put_again.set()
    assert queue.close(60.0) is None
    assert line.arrived == [Artifact("warnings.txt", b"one"), Artifact("warnings.txt", b"two")]


def test_events_that_cannot_be_delivered_are_told() -> None:
    line = Line()
    line.cut = True
    queue = UploadQueue(line.deliver, str)
    queue.put([*points(3), Artifact("a.txt", b"a")])
    assert line.tried.wait(patience(60.0))
    assert queue.close(0.2) == "4 metrics and files did not reach MLflow: cut"


def test_the_last_word_comes_after_all_events_and_is_tried_again() -> None:
    line, arrived_before = Line(), []

    def last() -> None:
        arrived_before.append(len(line.arrived))
        if len(arrived_before) < 3:
            raise ConnectionError("cut")

    queue = UploadQueue(line.deliver, str)
    queue.put(points(5))
    assert queue.close(60.0, last=last) is None
    assert arrived_before == [5, 5, 5]


def test_patience_is_for_silence_and_the_limit_for_all() -> None:
    line, slow = Line(), threading.Event()

    def deliver(events: Sequence[Event]) -> None:
        slow.wait(0.6)
        line.deliver(events)

    queue = UploadQueue(deliver, str)
    queue.put(points(6000))
    assert queue.close(2.0) is None  # six requests take 3.6 s
    queue = UploadQueue(deliver, str)
    queue.put(points(60_000))
    assert (queue.close(10.0, limit_s=1.0) or "").endswith(
        "000 metrics and files did not reach MLflow: it did not finish within 1 s"
    )
