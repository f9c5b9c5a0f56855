"""A storage that is away is waited for, and says why."""

from pathlib import Path

import pytest

from ganflow.storage import retries
from ganflow.storage.base import StorageError
from ganflow.storage.local_folder import LocalFolder
from ganflow.storage.retries import Patient


class Away(LocalFolder):
    """A folder whose first calls fail, each for its reason."""

    def __init__(self, root: Path, *reasons: str, passing: bool = True) -> None:
        super().__init__(root)
        self.reasons, self.passing = list(reasons), passing

    def write(self, name: str, content: bytes) -> None:
        if self.reasons:
            raise StorageError(f"{self.uri}/{name}: {self.reasons.pop(0)}", self.passing)
        super().write(name, content)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "FIRST_S", 0.01)


def test_a_storage_that_is_away_is_waited_for_and_said_to_be(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    storage = Patient(Away(tmp_path, "no answer", "no answer"), 60)
    storage.write("x", b"1")
    assert storage.read("x") == b"1"
    said = caplog.messages
    assert said[0] == f"{tmp_path}/x: no answer; waiting for it, at most 60 s (cluster.patience_s)"
    assert said[1].startswith(f"{tmp_path} works again, after ")
    assert len(said) == 2
    assert storage.below("a").uri == str(tmp_path / "a")


def test_another_reason_is_said_and_each_once_an_outage(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    away = Away(tmp_path, "no answer", "the clock is wrong", "no answer")
    storage = Patient(away, 60)
    storage.write("x", b"1")
    away.reasons = ["no answer"]
    storage.write("y", b"1")
    reasons = [message.partition(": ")[2].partition(";")[0] or "back" for message in caplog.messages]
    assert reasons == ["no answer", "the clock is wrong", "back", "no answer", "back"]


@pytest.mark.parametrize(("patience_s", "passing"), [(0.1, True), (60, False)])
def test_patience_ends_and_is_not_had_for_what_stays(tmp_path: Path, patience_s: float, passing: bool) -> None:
    with pytest.raises(StorageError, match="no answer"):
        Patient(Away(tmp_path, *["no answer"] * 1000, passing=passing), patience_s).write("x", b"1")
