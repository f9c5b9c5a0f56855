"""Writes beside the training: in order, without waiting, and what fails is told where somebody waits."""

import threading
import weakref

import pytest

from ganflow.storage.base import StorageError
from ganflow.training.checkpoints.async_writer import Writer
from tests.support.patience import patience
from tests.support.project import wait_until

DEADLINE_S = patience(30)


def test_writes_come_in_order_and_nobody_waits() -> None:
    writer, gate, done = Writer(), threading.Event(), []
    writer.put(gate.wait)
    for i in range(3):
        writer.put(lambda: None, lambda i=i: done.append(i))
    assert not writer.flush(0)
    assert done == []
    gate.set()
    assert writer.flush(DEADLINE_S)
    assert done == [0, 1, 2]


def test_the_newest_of_a_kind_takes_the_place_of_those_that_wait() -> None:
    writer, begun, gate, done = Writer(), threading.Event(), threading.Event(), []
    writer.put(lambda: (begun.set(), gate.wait()), lambda: done.append("first"), "checkpoint")
    assert begun.wait(DEADLINE_S)
    for i in range(3):
        writer.put(lambda: None, lambda i=i: done.append(i), "checkpoint")
        writer.put(lambda: None, lambda i=i: done.append(f"picture {i}"))
    gate.set()
    assert writer.flush(DEADLINE_S)
    assert done == ["first", "picture 0", "picture 1", 2, "picture 2"]


class State:
    """What is written may be large."""


def test_nothing_stays_of_what_was_written() -> None:
    writer, state = Writer(), State()
    kept = weakref.ref(state)
    for _ in range(2):
        writer.put(lambda state=state: str(state))
        assert writer.flush(DEADLINE_S)
    del state
    wait_until(lambda: kept() is None, "it is let go")


@pytest.mark.parametrize("error", [StorageError("s3://b/x: no"), ZeroDivisionError("a defect")])
def test_what_fails_for_good_is_told_at_the_next_call(error: Exception) -> None:
    def fail() -> None:
        raise error

    writer = Writer()
    writer.put(fail)
    with pytest.raises(StorageError, match=r"s3://b/x: no|ZeroDivisionError: a defect"):
        writer.flush(DEADLINE_S)
    with pytest.raises(StorageError, match=r"no|a defect"):
        writer.put(lambda: None)
