"""Writes beside the training: in order, without waiting, and what fails is told where somebody waits."""

import threading
import weakref
from pathlib import Path

import pytest

from ganflow.storage.base import StorageError
from ganflow.storage.local_folder import LocalFolder
from ganflow.storage.retries import Patient
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


class Away(LocalFolder):
    """A folder that is away for a number of calls."""

    def __init__(self, root: Path, calls: int, passing: bool = True) -> None:
        super().__init__(root)
        self.calls, self.passing = calls, passing

    def write(self, name: str, content: bytes) -> None:
        if self.calls > 0:
            self.calls -= 1
            raise StorageError(f"{self.uri} is away", self.passing)
        super().write(name, content)


def test_a_storage_that_is_away_is_waited_for_and_said_to_be(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    storage = Patient(Away(tmp_path, 2), 60)
    storage.write("x", b"1")
    assert storage.read("x") == b"1"
    said = caplog.messages
    assert said[0] == f"{tmp_path} is away; waiting for it, at most 60 s (cluster.patience_s)"
    assert said[1].startswith(f"{tmp_path} works again, after ")
    assert len(said) == 2
    assert storage.below("a").uri == str(tmp_path / "a")


@pytest.mark.parametrize(("patience_s", "passing"), [(0.1, True), (60, False)])
def test_patience_ends_and_is_not_had_for_what_stays(tmp_path: Path, patience_s: float, passing: bool) -> None:
    with pytest.raises(StorageError, match="is away"):
        Patient(Away(tmp_path, 1000, passing), patience_s).write("x", b"1")
