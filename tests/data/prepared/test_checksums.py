import hashlib
import os
import time
from pathlib import Path

import pytest

from ganflow.data.prepared import checksums
from ganflow.errors import GanflowError
from tests.support.patience import patience

DEADLINE_S = patience(30)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A few files that count as a large data set and have lain long enough."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(checksums, "LARGE", 3000)
    folder = tmp_path / "data"
    folder.mkdir()
    for k in range(5):
        (folder / f"{k}.npy").write_bytes(bytes([k]) * 1000)
    settle(folder / "4.npy")
    return folder


def settle(path: Path) -> None:
    end = time.monotonic() + DEADLINE_S
    while time.time() - path.stat().st_ctime <= checksums._SETTLED_S:
        assert time.monotonic() < end
        time.sleep(0.05)


def sums(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def refuse(path: Path) -> GanflowError:
    return GanflowError(f"{path.name} does not hold")


def read(root: Path, files: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that a verification reads."""
    names: list[str] = []
    digest = hashlib.file_digest
    with monkeypatch.context() as patch:
        patch.setattr(hashlib, "file_digest", lambda f, kind: names.append(Path(f.name).name) or digest(f, kind))
        checksums.verify(root, files, refuse)
    return sorted(names)


def test_a_large_data_set_is_read_once(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = sums(root)
    assert read(root, files, monkeypatch) == sorted(files)
    assert read(root, files, monkeypatch) == []


def test_a_small_one_is_read_every_time_and_leaves_no_record(
    root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(checksums, "LARGE", 1 << 30)
    files = sums(root)
    assert read(root, files, monkeypatch) == read(root, files, monkeypatch) == sorted(files)
    assert not (tmp_path / "cache").exists()


def test_whatever_was_written_to_is_read_again(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = sums(root)
    checksums.verify(root, files, refuse)
    path, times = root / "2.npy", (root / "2.npy").stat()
    path.write_bytes(bytes([2]) * 999 + b"!")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))  # as if nothing had been
    with pytest.raises(GanflowError, match=r"2\.npy does not hold"):
        checksums.verify(root, files, refuse)
    path.write_bytes(bytes([2]) * 1000)
    with monkeypatch.context() as patch:
        patch.setattr(checksums, "_SETTLED_S", DEADLINE_S)  # however slow this is
        assert read(root, files, monkeypatch) == ["2.npy"]
        assert read(root, files, monkeypatch) == ["2.npy"]  # it may change once more within a tick of the clock
    settle(path)
    assert read(root, files, monkeypatch) == ["2.npy"]
    assert read(root, files, monkeypatch) == []


def test_other_checksums_are_not_those_that_held(root: Path) -> None:
    files = sums(root)
    checksums.verify(root, files, refuse)
    with pytest.raises(GanflowError, match=r"3\.npy does not hold"):
        checksums.verify(root, files | {"3.npy": "0" * 64}, refuse)


def test_without_a_place_for_the_record_it_is_read_every_time(
    root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    files = sums(root)
    assert read(root, files, monkeypatch) == read(root, files, monkeypatch) == sorted(files)


def test_a_damaged_record_is_none(root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    files = sums(root)
    checksums.verify(root, files, refuse)
    (record,) = (tmp_path / "cache").rglob("*.json")
    record.write_text("[")
    assert read(root, files, monkeypatch) == sorted(files)
